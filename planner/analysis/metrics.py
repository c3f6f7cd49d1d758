"""Metrics that a paper measures: known names, and where it says what it reports."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from planner.analysis.passages import Found, Passage
from planner.papers.paper import SectionKind


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric as the paper writes it first; `mentions` counts it in experiments, tables and captions."""

    name: str
    found: Found
    mentions: int


# Case matters for the short ones, which are words or letters otherwise.
_SHORT: Final = (
    r"mAP(?:@[\w.-]+)?|AP(?:50|75|@[\w.]+)|AUROC|AUC(?:-ROC)?|ROC-AUC|AUPRC?|AUPR|BLEU(?:-?\d)?|ROUGE(?:-[\dL]+)?|"
    r"METEOR|CIDEr|SPICE|BERTScore|chrF|WER|CER|PER|BPC|BPD|FID|KID|LPIPS|SSIM|PSNR|SI-SDR|PESQ|STOI|mIoU|IoU|Dice|"
    r"MAE|MSE|RMSE|MAPE|sMAPE|MASE|CRPS|NLL|ELBO|ECE|Brier(?: score)?|MRR|NDCG(?:@\d+)?|nDCG(?:@\d+)?|"
    r"HR@\d+|H@\d+|N@\d+|R@\d+|P@\d+|Hits?@\d+|Recall@\d+|Precision@\d+|pass@\d+|EM|EER|"
    r"TPR|FPR|FNR|NMI|ARI|MCC|MPJPE|"
    r"MOTA|PCK|GFLOPs|FLOPs|FLOPS|BOPs|FPS|Params|PPL|MMD|EUM|CF1|OF1|ACC|Acc|Micro-?F1|"
    r"Macro-?F1|[Ff]1(?:[- ]?[Ss]core)?|"
    r"F-measure|F-score|Ign F1|Intra-F1|Inter-F1|R2|R²"
)
_LONG: Final = (
    r"(?:(?:top-?[15]|test|validation|classification|average|mean|balanced|"
    r"node classification|zero-shot|final|overall|"
    r"exact match|target task|linear probing|\d-shot) )?accurac(?:y|ies)|(?:test |"
    r"top-1 )?error rate|precision|recall|"
    r"sensitivity|specificity|perplexity|(?:log|marginal)[- ]likelihood|mean (?:squared|"
    r"absolute|average) (?:error|precision)|"
    r"root mean squared? error|mean average precision|mean intersection[- ]over[- ]union|"
    r"inception score|coverage ratio|"
    r"win rate|success rate|(?:cumulative|average|episode|total) (?:reward|return|regret)|regret|hit rat(?:e|io)|"
    r"(?:training|inference|generation|running|wall-clock) time|latency|throughput|"
    r"memory (?:usage|footprint|consumption)|"
    r"parameter count|number of parameters|wasserstein distance|hausdorff distance|edit distance|exact match|"
    r"spearman(?:'s)? (?:rank )?correlation|pearson(?:'s)? correlation|kendall(?:'s)? tau|"
    r"silhouette score|modularity|"
    r"computational complexity|sparsity|compression ratio|word error rate|matthews correlation"
)
_KNOWN: Final = re.compile(rf"(?<![\w@-])(?:(?:{_SHORT})(?![\w@])|(?i:{_LONG})\b)")
_DEFINED: Final = re.compile(
    r"(?:[Mm]etrics?|[Mm]easures?|[Cc]riteria|[Cc]riterion)\b[^.]{0,60}?\b(?:is|are|"
    r"include|including|called|namely|use|using|named)\s+"
    r"(?:the\s+)?([A-Z][\w -]{2,40}?)\s*\(([A-Z][\w@-]{1,9})\)"
)
_MEASURING: Final = frozenset({SectionKind.EXPERIMENTS, SectionKind.ABLATION, SectionKind.APPENDIX})


def metrics(passages: Sequence[Passage]) -> tuple[Metric, ...]:
    """Metrics by how often experiments name them, the most frequent first; without experiments, of the whole text."""
    measuring = [p for p in passages if p.kind in _MEASURING] or [
        p for p in passages if p.kind is not SectionKind.REFERENCES
    ]
    first: dict[str, tuple[str, Found]] = {}
    counts: dict[str, int] = {}
    for passage in measuring:
        for name, start in _named(passage.flat):
            key = _key(name)
            first.setdefault(key, (name, passage.found(name, start)))
            counts[key] = counts.get(key, 0) + 1
    ranked = sorted(first, key=lambda key: -counts[key])
    return tuple(Metric(*first[key], mentions=counts[key]) for key in ranked)


def _named(flat: str) -> list[tuple[str, int]]:
    known = [(m[0], m.start()) for m in _KNOWN.finditer(flat)]
    return known + [(m[2], m.start(2)) for m in _DEFINED.finditer(flat)]


def _key(name: str) -> str:
    lowered = re.sub(r"[^a-z0-9@]", "", name.lower())
    return {"f1score": "f1", "acc": "accuracy", "accuracies": "accuracy"}.get(lowered, lowered)
