"""Metrics by their fields: the names of a metric in a text, and the metrics that the words of a paper imply."""

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import islice
from typing import Final

_MIN_MENTIONS: Final = (
    8  # mentions of a field in the text at which a paper is of it that does not name it in its abstract
)
# Names that are words with another meaning in other letters: "feature map", "per class".
_AMBIGUOUS_NAMES: Final = frozenset({"ap", "em", "emd", "is", "map", "per"})
_COST: Final = re.compile(
    r"\b(?:time|runtime|memory|param\w*|[gt]?flops|macs|latency|throughput|speed\w*|fps|converg\w*|loss|variance|deviation|"
    r"norm|size|cost|energy|epochs?|steps)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class MetricField:
    """A field, by patterns of words that must all occur in its papers, and its metrics, each with all its names."""

    cues: tuple[str, ...]
    metrics: tuple[tuple[str, ...], ...]

    def is_field_of(self, abstract: str, text: str) -> bool:
        """Return whether a paper with this title and abstract, and this whole text, is of the field."""
        cues = map(_compile_cue, self.cues)
        return all(cue.search(abstract) or _is_frequent(cue, text) for cue in cues)


@cache  # few of the fields are asked about
def _compile_cue(cue: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{cue})", re.I)


def _is_frequent(cue: re.Pattern[str], text: str) -> bool:
    return len(list(islice(cue.finditer(text), _MIN_MENTIONS))) == _MIN_MENTIONS


def has_metric(metric: str, text: str, lowered: str) -> bool | None:
    """Return whether a text names all the known metrics in a plan's metric, or None if there is none in it.

    `lowered` is the text in lower case.
    """
    known = _find_known(metric)
    return all(_is_named(names, text, lowered) for _, names in known) if known else None


def is_reportable_by_any_paper(metric: str) -> bool:
    """Return whether a metric measures what training or a run costs, which any paper can report."""
    return _COST.search(metric) is not None


def is_implied(metric: str, abstract: str, text: str) -> bool:
    """Return whether a metric is common in a field of a paper."""
    return any(field.is_field_of(abstract, text) for field, _ in _find_known(metric))


@lru_cache(maxsize=4096)
def _find_known(metric: str) -> tuple[tuple[MetricField, tuple[str, ...]], ...]:
    """Return the known metrics in a plan's metric, each with its field and its names."""
    lowered = metric.lower()
    return tuple((field, names) for field in _FIELDS for names in field.metrics if _is_named(names, metric, lowered))


def _is_named(names: tuple[str, ...], text: str, lowered: str) -> bool:
    for name, first_word in _list_first_words(names):
        if first_word in lowered:
            searched = text if name.lower() in _AMBIGUOUS_NAMES else lowered
            # A pattern that starts with letters is found ten times faster than one that looks behind them.
            starts = (match.start() for match in _compile_name(name).finditer(searched))
            if any(not searched[start - 1 : start].isalpha() for start in starts):
                return True
    return False


@cache
def _list_first_words(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return each name with its first word in lower case."""
    return tuple((name, re.split(r"[\s-]", name.lower(), maxsplit=1)[0]) for name in names)


@cache
def _compile_name(name: str) -> re.Pattern[str]:
    """Return the pattern of a name, in lower case unless the name is ambiguous.

    Its words may be joined by any separator, and a number may stand at its end.
    """
    words = re.split(r"[\s-]+", name if name.lower() in _AMBIGUOUS_NAMES else name.lower())
    separated = r"[\s-]+".join(map(re.escape, words))
    return re.compile(rf"{separated}s?(?![A-Za-z])")


def _make_field(cues: str, metrics: str) -> MetricField:
    """Make a field of cues that are joined by "&" and of metrics that are joined by "," with their names by "="."""
    names = tuple(tuple(name.strip() for name in names.split("=")) for names in metrics.split(","))
    return MetricField(tuple(cue.strip() for cue in cues.split("&")), names)


_FIELDS: Final = (
    _make_field(
        r"caption|dialog|summari[sz]|translat(?:ion|e)\b|(?:text|language|response|question) generation|"
        "question answering|large language|paraphras|LLM|instruction",
        "BLEU,ROUGE,METEOR,CIDEr,SPICE,chrF,BERTScore,COMET,perplexity=PPL,exact match=EM,bits per character=BPC,"
        "token accuracy,win rate,factual consistency",
    ),
    _make_field(
        "code generation|program synthesis|programming",
        "pass@1=pass@k=pass@10,CodeBLEU,compilation rate",
    ),
    _make_field(
        "speech|spoken|audio|acoustic|phone|utteranc|speaker|voice|music|sound",
        "WER=word error rate,CER=character error rate,PER=phone error rate=phoneme error rate,"
        "EER=equal error rate,PESQ,STOI,SI-SDR=SDR=signal-to-distortion ratio,MOS=mean opinion score,minDCF,"
        "real-time factor=RTF",
    ),
    _make_field(
        r"image generat|image synthe|video generat|generative (?:model|adversarial)|text-to-image|GANs?\b|"
        "diffusion|inpaint|style transfer",
        "FID=Fréchet inception distance=Frechet inception distance,KID=kernel inception distance,"
        "IS=inception score,FVD,CLIP score=CLIPScore",
    ),
    _make_field(
        "denois|super-resol|deblur|restor|image reconstruct|MRI|tomograph|render|inpaint|compression|codec|"
        "radiance|view synthe|low-light|hologra",
        "PSNR=peak signal-to-noise ratio,SSIM=structural similarity,LPIPS=perceptual similarity",
    ),
    _make_field(
        "segmentation|parsing|matting|lesion|tumou?r",
        "mIoU=IoU=mean intersection over union=intersection over union=Jaccard,"
        "Dice=Dice score=Dice coefficient=DSC,Hausdorff distance=HD95,pixel accuracy,boundary F1,"
        "panoptic quality=PQ,surface distance=ASSD",
    ),
    _make_field(
        "object detect|detector|locali[sz]ation|bounding|retriev|hashing|spotting|action detect",
        "mAP=mean average precision=MAP,AP=average precision=AP50=AP75=AP@50",
    ),
    _make_field(
        "object detect|detector|locali[sz]ation|bounding|visual grounding",
        "IoU=mIoU=intersection over union,false positives per image",
    ),
    _make_field(
        "track",
        "MOTA,MOTP,IDF1,HOTA,ID switches",
    ),
    _make_field(
        "pose|skelet|keypoint|human mesh|motion",
        "MPJPE=mean per-joint position error,PCK=percentage of correct keypoints",
    ),
    _make_field(
        "trajector|motion|driving|pedestrian",
        "ADE=average displacement error,FDE=final displacement error,collision rate",
    ),
    _make_field(
        "point cloud|3D shape|mesh|surface reconstruct",
        "Chamfer distance,EMD=earth mover's distance",
    ),
    _make_field(
        "retriev|recommend|ranking|click|session-based|hashing|knowledge graph|link prediction|entity link",
        "NDCG,MRR=mean reciprocal rank,hit rate=HR=Hits=H@,recall@k=R@1=recall@10=recall@20=recall@5,"
        "CTR=click-through rate,precision@k",
    ),
    _make_field(
        "forecast|regress|time[ -]series|depth estim|imputation|traffic|weather|surrogate|differential equation|"
        "collaborative filtering|rating",
        "MAE=mean absolute error,MSE=mean squared error,RMSE=root mean squared error,"
        "MAPE=sMAPE=mean absolute percentage error,CRPS,R2=R²,MASE=mean absolute scaled error",
    ),
    _make_field(
        "reinforcement|robot|bandit|Markov decision|offline RL|game[- ]play|imitation learning|"
        "policy (?:gradient|learning|optim)",
        "return=episodic return=episode return,reward=cumulative reward,regret=cumulative regret,success rate,"
        "episode length,sample efficiency,win rate,human-normalized score=normalized score",
    ),
    _make_field(
        "classif|recogni|label|categor|few-shot|diagnos|continual|self-supervis|contrastive|anomal|outlier|fault|"
        "node|fraud|relation|extract|federat|transfer|domain|intrusion|detect|identif|sentiment|tagging|pretrain|"
        "pre-train",
        "accuracy=acc,F1=F-measure=F1-score=macro-F1=micro-F1,precision,recall,"
        "AUROC=AUC=area under the ROC curve,AUPRC=AUPR,top-1 error=classification error=test error=top-5 error,"
        "sensitivity,specificity,MCC=Matthews correlation,forgetting=backward transfer,confusion matrix,"
        "false positive rate=FPR=FPR95,kappa",
    ),
    _make_field(
        "clustering|community|topic model",
        "NMI=normalized mutual information,ARI=adjusted Rand index,silhouette,purity,modularity,topic coherence",
    ),
    _make_field(
        r"probab|bayes|uncertain|calibrat|densit|variational|likelihood|flows?\b|Gaussian process|posterior|"
        "autoencoder",
        "likelihood=log-likelihood=NLL=negative log-likelihood,ELBO=evidence lower bound,"
        "ECE=expected calibration error,Brier,bits per dimension=BPD",
    ),
    _make_field(
        "molecul|protein|drug|compound|chemi",
        "validity,uniqueness,novelty,docking,TM-score,RMSD,enrichment factor,QED",
    ),
    _make_field(
        "privacy|attack|robust|backdoor|adversar|watermark",
        "attack success rate=ASR,robust accuracy,certified",
    ),
)
