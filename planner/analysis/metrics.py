"""Find the metrics of a paper: known names, and names that the paper announces as metrics."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, TypeAlias

from planner.analysis.acronyms import acronyms
from planner.analysis.measures import arrowed, introduced, is_quantity, listed, panels
from planner.analysis.passages import Found, Passage
from planner.matching.words import word_set
from planner.papers.paper import BlockKind, SectionKind

Named: TypeAlias = tuple[str, Found]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric in its most frequent spelling, with its first place and the number of its mentions."""

    name: str
    found: Found
    mentions: int


# Patterns of names, separated by white space. The short ones are case-sensitive, as they may be other words.
_SHORT: Final = word_set(
    r"""
    mAP(?:@[\w.-]+)? AP(?:50|75|@[\w.]+) AUROC AUC(?:-ROC)? ROC-AUC AUPRC? AUPR BLEU(?:-?\d)? ROUGE(?:-[\dL]+)? METEOR
    CIDEr SPICE BERTScore chrF WER CER PER BPC BPD FID KID LPIPS SSIM PSNR SI-SDR PESQ STOI mIoU IoU Dice MAE MSE RMSE
    MAPE sMAPE MASE CRPS NLL ELBO ECE Brier(?:\sscore)? MRR NDCG(?:@\d+)? nDCG(?:@\d+)? HR@\d+ H@\d+ N@\d+ R@\d+ P@\d+
    Hits?@\d+ Recall@\d+ Precision@\d+ pass@\d+ EM EER TPR FPR FNR NMI ARI MCC MPJPE MOTA PCK GFLOPs FLOPs FLOPS BOPs
    FPS Params PPL MMD EUM CF1 OF1 ACC Acc Micro-?F1 Macro-?F1 [Ff]1(?:[-\s]?[Ss]core)? F-measure F-score Ign\sF1
    Intra-F1 Inter-F1 R2 R²
    """
)
_LONG: Final = word_set(
    r"""
    (?:top-?[15]|test|validation|classification|average|mean|balanced|final|overall|\d-shot)\saccurac(?:y|ies)
    (?:node\sclassification|zero-shot|exact\smatch|target\stask|linear\sprobing)\saccurac(?:y|ies) accurac(?:y|ies)
    (?:test\s|top-1\s)?error\srate precision recall sensitivity specificity perplexity (?:log|marginal)[-\s]likelihood
    mean\s(?:squared|absolute|average)\s(?:error|precision) root\smean\ssquared?\serror mean\saverage\sprecision
    mean\sintersection[-\s]over[-\s]union inception\sscore coverage\sratio win\srate success\srate
    (?:cumulative|average|episode|total)\s(?:reward|return|regret) regret hit\srat(?:e|io)
    (?:training|inference|generation|running|wall-clock)\stime latency throughput
    memory\s(?:usage|footprint|consumption) parameter\scount number\sof\sparameters wasserstein\sdistance
    hausdorff\sdistance edit\sdistance exact\smatch spearman(?:'s)?\s(?:rank\s)?correlation
    pearson(?:'s)?\scorrelation kendall(?:'s)?\stau silhouette\sscore modularity structural\ssimilarity(?:\sindex)?
    peak\ssignal-to-noise\sratio (?:mean|average)\s(?:reward|score) run-?time computational\scomplexity sparsity
    compression\sratio word\serror\srate matthews\scorrelation
    """
)
_CASED, _ANY_CASE = ("|".join(sorted(names, key=lambda name: (-len(name), name))) for names in (_SHORT, _LONG))
_KNOWN: Final = re.compile(rf"(?<![\w@-])(?:(?:{_CASED})(?![\w@])|(?i:{_ANY_CASE})\b)")
_SPEAKS_OF_METRICS: Final = re.compile(r"\bmetrics?\b|\bmeasures?\b|\bcriteri(?:on|a)\b", re.I)
_RARE: Final = 1  # mentions at which a metric is dropped if another has `_FREQUENT`
_FREQUENT: Final = 4
_AMBIGUOUS: Final = re.compile(
    r"precision|recall|sensitivity|specificity|regret|.* time|latency|throughput|memory .*|parameter count|"
    r"number of parameters|modularity|.*complexity|sparsity|compression ratio|.*likelihood|EM|PER|AP|IoU|MMD|ELBO|NLL|"
    r"Params|MSE",
    re.I,
)
_PAIR: Final = frozenset({"precision", "recall"})
_SILENT: Final = frozenset({SectionKind.REFERENCES, SectionKind.RELATED_WORK})
_MEASURING: Final = frozenset({SectionKind.EXPERIMENTS, SectionKind.ABLATION, SectionKind.APPENDIX})


def metrics(passages: Sequence[Passage]) -> tuple[Metric, ...]:
    """Find the metrics that experiments name, the most frequent first, each in its most frequent spelling.

    In tables of any section, column heads with an arrow ("FID ↓") count too. Without experiments the rest of the text
    is read, and names with other meanings are dropped.
    """
    measuring = [passage for passage in passages if passage.kind in _MEASURING]
    said = [named for passage in passages if passage.kind not in _SILENT for named in _said(passage)]
    if measuring:
        return _counted(_paired([list(_measured(passage)) for passage in measuring]), said)
    named = [(name, p.found(name, start)) for p in passages if p.kind not in _SILENT for name, start in _known(p.flat)]
    return _counted([(name, found) for name, found in named if not _AMBIGUOUS.fullmatch(name)], said)


def _counted(named: Sequence[Named], said: Sequence[Named]) -> tuple[Metric, ...]:
    """Merge the spellings of each metric. Drop a rare one beside frequent ones unless it is announced as a metric."""
    first: dict[str, Found] = {}
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    for name, found in (*named, *said):
        first.setdefault(_key(name), found)
        spellings[_key(name)][name] += 1
    ranked = sorted(first, key=lambda key: -spellings[key].total())
    frequent = bool(ranked) and spellings[ranked[0]].total() >= _FREQUENT
    sure = {_key(name) for name, _ in said}
    return tuple(
        Metric(spellings[key].most_common(1)[0][0], first[key], spellings[key].total())
        for key in ranked
        if spellings[key].total() > _RARE or not frequent or key in sure
    )


def _paired(read: Sequence[Sequence[Named]]) -> list[Named]:
    """Join the names of all passages. Keep the ambiguous "precision" and "recall" only if one has both."""
    pair = any({_key(name) for name, _ in named} >= _PAIR for named in read)
    return [(name, found) for named in read for name, found in named if pair or _key(name) not in _PAIR]


def _said(passage: Passage) -> Iterator[Named]:
    """Yield metrics that a passage announces: in lists of metrics, captions of panels and heads of columns."""
    found: Iterator[tuple[str, int]] = iter(())
    if passage.block is BlockKind.TABLE:
        found = arrowed(passage.text)
    if passage.kind in _MEASURING:
        found = chain(
            found, _new(listed(passage.flat)), introduced(passage.heading, passage.text), _spelt(passage.flat)
        )
        if passage.block is BlockKind.FIGURE:
            found = chain(found, _new(panels(passage.flat)))
    return ((name, passage.found(name, start)) for name, start in found)


def _new(named: Iterator[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """Drop names that contain a known metric, since known metrics are counted everywhere."""
    return ((name, start) for name, start in named if not _KNOWN.search(name))


def _spelt(flat: str) -> Iterator[tuple[str, int]]:
    """Yield the acronyms of quantities: "nest distance ratio (NDR)"."""
    for one in acronyms(flat):
        if is_quantity(one.expansion) and _SPEAKS_OF_METRICS.search(flat):
            yield one.short, one.start + len(one.expansion)


def _known(flat: str) -> Iterator[tuple[str, int]]:
    return ((match[0], match.start()) for match in _KNOWN.finditer(flat))


def _measured(passage: Passage) -> Iterator[Named]:
    """Yield known metrics, and the acronyms that a passage defines if it mentions metrics."""
    flat = passage.flat
    defined = list(acronyms(flat)) if _SPEAKS_OF_METRICS.search(flat) else []
    new = [one for one in defined if not _KNOWN.fullmatch(one.short)]
    spelt_out = {place for one in new for place in range(one.start, one.start + len(one.expansion))}
    known = ((name, start) for name, start in _known(flat) if start not in spelt_out)
    for name, start in chain(known, ((one.short, one.start + len(one.expansion)) for one in new)):
        yield name, passage.found(name, start)


def _key(name: str) -> str:
    lowered = re.sub(r"[^a-z0-9@²]", "", name.lower())
    return _SAME.get(lowered, lowered)


_SAME: Final = {
    "f1score": "f1",
    "fscore": "f1",
    "fmeasure": "f1",
    "acc": "accuracy",
    "accuracies": "accuracy",
    "averageaccuracy": "accuracy",
    "meanaccuracy": "accuracy",
    "meanaverageprecision": "map",
    "meansquarederror": "mse",
    "meanabsoluteerror": "mae",
    "rootmeansquareerror": "rmse",
    "rootmeansquarederror": "rmse",
    "meanintersectionoverunion": "miou",
}
