"""Find the metrics of a paper: known names, and names that the paper announces as metrics.

A paper announces metrics in lists ("we report …"), in captions of panels and in column heads.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, TypeAlias

from planner.analysis.passages import EXPERIMENT_SECTIONS, Passage, TextLocation, strip_markup
from planner.analysis.phrases import extract_bare_name, find_defined_acronyms, locate_run_in_headings
from planner.matching import extract_stem_set, extract_stems, split_into_word_set
from planner.papers.headings import strip_number_and_punctuation
from planner.papers.paper import BlockKind, SectionKind

_QUANTITIES: Final = split_into_word_set(
    """
    score scores rate rates ratio ratios accuracy accuracies correctness consistency correlation correlations
    similarity similarities distance distances divergence entropy deviation variance length lengths time match matches
    loss losses error errors speed speedup reward rewards return returns regret cost costs frequency percentage
    index perplexity throughput latency agreement coverage diversity overlap gap
    """
)
_EMPTY_METRICS: Final = extract_stem_set(
    "performance quality result metric evaluation measure score main overall final test standard usual effectiveness "
    "all relevant task downstream benchmark outcome improvement appropriate various"
)
_NOT_A_RESULT: Final = re.compile(
    r"\b(?:learning|dropout|decay|sampling|clip|buffer|batch|max(?:imum)?|benchmark|test|high(?:est|er)?|"
    r"low(?:est|er)?|best|better|worse|good|poor|total|overall|same|time steps?)\b",
    re.I,
)
_LISTED: Final = r"((?:[^.;:()]|\([^()]{0,40}\)){3,250})"
_REPORTED_LIST: Final = re.compile(
    r"\b(?:reports?|metrics?(?: (?:is|are|include|used are))?:?|"
    rf"(?:measured|evaluated|quantified|assessed) (?:by|with|using|in terms of|via)|in terms of)\s+{_LISTED}"
)
_ITEM: Final = re.compile(r"[^,()]+")
_LIST_JOINT: Final = re.compile(r"\b(?:and|or|with|on|for|per|as)\b")
_MARKUP: Final = re.compile(r"\\text[a-z]{2}\s*\{|[{}*]")
_PANEL: Final = re.compile(
    r"\((?:[a-h]|left|right|top|bottom)\)[}*\s~:]*([A-Za-z][\w -]{2,50})(?=[:.,;(])"
    r"|(?:[.:]|\band)\s+([A-Za-z][\w -]{2,50}?)\s+\((?:[a-h]|left|right|top|bottom)\)"
)
_ARROW: Final = re.compile(r"([^|&\n↑↓]{1,60}?)[\s$(]{0,4}(?:↑|↓|\\(?:up|down)arrow\b)")
_ARROW_SIGNS: Final = ("↑", "↓", "arrow")  # quicker to look for than the pattern
_UNIT: Final = re.compile(r"\([^()]*\)")
_MAX_METRIC_WORDS: Final = 5  # words of the name of a metric
_ABOUT_METRICS: Final = re.compile(r"(?:[a-z-]{1,20} ){0,2}(?:metrics?|measures)", re.I)
_NUMBERED: Final = re.compile(r"(?:table|figure|fig|section)\.? \d|metrics?\b|measures\b", re.I)
_MetricMention: TypeAlias = tuple[str, TextLocation]

# Patterns of names, separated by white space. The short ones are case-sensitive, as they may be other words.
_CASED_NAMES: Final = split_into_word_set(
    r"""
    mAP(?:@[\w.-]+)? AP(?:50|75|@[\w.]+) AUROC AUC(?:-ROC)? ROC-AUC AUPRC? AUPR BLEU(?:-?\d)? ROUGE(?:-[\dL]+)? METEOR
    CIDEr SPICE BERTScore chrF WER CER PER BPC BPD FID KID LPIPS SSIM PSNR SI-SDR PESQ STOI mIoU IoU Dice MAE MSE RMSE
    MAPE sMAPE MASE CRPS NLL ELBO ECE Brier(?:\sscore)? MRR NDCG(?:@\d+)? nDCG(?:@\d+)? HR@\d+ H@\d+ N@\d+ R@\d+ P@\d+
    Hits?@\d+ Recall@\d+ Precision@\d+ pass@\d+ EM EER TPR FPR FNR NMI ARI MCC MPJPE MOTA PCK GFLOPs FLOPs FLOPS BOPs
    FPS Params PPL MMD EUM CF1 OF1 ACC Acc Micro-?F1 Macro-?F1 [Ff]1(?:[-\s]?[Ss]core)? F-measure F-score Ign\sF1
    Intra-F1 Inter-F1 R2 R²
    """
)
_UNCASED_NAMES: Final = split_into_word_set(
    r"""
    (?:top-?[15]|test|validation|classification|average|mean|balanced|final|overall|\d-shot)\sacc(?:urac(?:y|ies)|(?=[.)\s]))
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
_CASED, _ANY_CASE = (
    "|".join(sorted(names, key=lambda name: (-len(name), name))) for names in (_CASED_NAMES, _UNCASED_NAMES)
)
_KNOWN_NAME: Final = re.compile(
    rf"(?<![\w@-])(?:(?:{_CASED})(?![\w@])|(?i:{_ANY_CASE})\b)(?!(?: \(\w{{1,12}}\)|\))?(?:,? [Ll]oss\b|-based))"
)
_SPEAKS_OF_METRICS: Final = re.compile(r"\bmetrics?\b|\bmeasures?\b|\bcriteri(?:on|a)\b", re.I)
_RARE_COUNT: Final = 1  # mentions at which a metric is dropped if another has `_FREQUENT_COUNT`
_FREQUENT_COUNT: Final = 4
_AMBIGUOUS: Final = re.compile(
    r"precision|recall|sensitivity|specificity|regret|.* time|latency|throughput|memory .*|parameter count|"
    r"number of parameters|modularity|.*complexity|sparsity|compression ratio|.*likelihood|EM|PER|AP|IoU|MMD|ELBO|NLL|"
    r"Params|MSE",
    re.I,
)
_PAIRS: Final = (frozenset({"precision", "recall"}), frozenset({"sensitivity", "specificity"}))
_SKIPPED_SECTIONS: Final = frozenset({SectionKind.REFERENCES, SectionKind.RELATED_WORK})
_SHORT_RANK_METRICS: Final = {"h": "hr", "hits": "hr", "hit": "hr", "n": "ndcg", "r": "recall", "p": "precision"}
_CUTOFF: Final = re.compile(r"^(?:h|hits?|n|r|p)(?=@)")
_SYNONYMS: Final = {
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


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric in its most frequent spelling, with its first place and the number of its mentions."""

    name: str
    location: TextLocation
    mention_count: int


def find_metrics(passages: Sequence[Passage]) -> tuple[Metric, ...]:
    """Find the metrics that experiments name, the most frequent first, each in its most frequent spelling.

    Column heads with an arrow ("FID ↓") count in the tables of any section. In a paper without experiment sections, all
    text is read, but names that are often ordinary words are dropped.
    """
    passages = [passage for passage in passages if passage.section_kind not in _SKIPPED_SECTIONS]
    announced = [mention for passage in passages for mention in _locate_mentions(passage, _locate_announced(passage))]
    experiments = [passage for passage in passages if passage.section_kind in EXPERIMENT_SECTIONS]
    if experiments:
        mentions = _filter_pairs([_locate_mentions(each, _locate_measured(each.one_line_text)) for each in experiments])
    else:
        found = (_locate_mentions(each, _locate_known(each.one_line_text)) for each in passages)
        mentions = [(name, place) for name, place in chain.from_iterable(found) if not _AMBIGUOUS.fullmatch(name)]
    return _rank_metrics(mentions, announced)


def _locate_mentions(passage: Passage, names: Iterable[tuple[str, int]]) -> list[_MetricMention]:
    return [(name, passage.locate_text(name, start)) for name, start in names]


def _locate_announced(passage: Passage) -> Iterator[tuple[str, int]]:
    """Yield metrics that a passage announces: in lists of metrics, captions of panels and heads of columns."""
    line = passage.one_line_text
    if passage.block_kind is BlockKind.TABLE:
        yield from _locate_arrow_heads(passage.text)
    if passage.section_kind in EXPERIMENT_SECTIONS:
        yield from _drop_known(_locate_listed_quantities(line))
        yield from _locate_metrics_below_heading(passage.heading, passage.text)
        yield from _locate_quantity_acronyms(line)
        if passage.block_kind is BlockKind.FIGURE:
            yield from _drop_known(_locate_panel_quantities(line))


def _drop_known(candidates: Iterator[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """Drop names that contain a known metric, since `_locate_measured` finds known metrics already."""
    return ((name, start) for name, start in candidates if not _KNOWN_NAME.search(name))


def _locate_listed_quantities(text: str) -> Iterator[tuple[str, int]]:
    """Yield quantities that a sentence reports or measures ("we report the hoot rate, …"), with their offsets."""
    for sentence in _REPORTED_LIST.finditer(text):
        items = _LIST_JOINT.sub(lambda joint: "," * len(joint[0]), _blank_out_markup(sentence[1]))
        for item in _ITEM.finditer(items):
            yield from _extract_quantity(item[0], sentence.start(1) + item.start())


def _locate_panel_quantities(caption: str) -> Iterator[tuple[str, int]]:
    """Yield quantities that a caption names for panels ("(a) Hoot rate: …", "Hoot rate (left)"), with their offsets."""
    for panel in _PANEL.finditer(_blank_out_markup(caption)):
        number = panel.lastindex or 0
        yield from _extract_quantity(panel[number], panel.start(number))


def _locate_arrow_heads(text: str) -> Iterator[tuple[str, int]]:
    """Yield column heads with an arrow ("FID ↓") and their offsets; in text without "|" or "&", a head is one word."""
    in_cells = "|" in text or "&" in text
    for match in _ARROW.finditer(text) if any(sign in text for sign in _ARROW_SIGNS) else ():
        head = strip_markup(match[1]).strip(" ($%")
        name = extract_bare_name(_UNIT.sub("", head).partition("@")[0]) if in_cells else head.rpartition(" ")[2]
        if any(letter.isalpha() for letter in name):
            yield name, match.start(1)


def _locate_metrics_below_heading(heading: str, text: str) -> Iterator[tuple[str, int]]:
    """Yield run-in headings and bold items of a section headed "Metrics", with their offsets."""
    if not _ABOUT_METRICS.fullmatch(strip_number_and_punctuation(strip_markup(heading))):
        return
    for name, start in locate_run_in_headings(re.sub(r"\\item|^\s*[-*]\s", _blank_out_match, text)):
        if len(name.split()) <= _MAX_METRIC_WORDS and not _NUMBERED.search(name):
            yield name, start


def _locate_quantity_acronyms(text: str) -> Iterator[tuple[str, int]]:
    """Yield the acronyms of quantities: "nest distance ratio (NDR)"."""
    for acronym in find_defined_acronyms(text):
        if _is_multiword_quantity(acronym.expansion) and _SPEAKS_OF_METRICS.search(text):
            yield acronym.abbreviation, acronym.expansion_end


def is_specific_metric(metric: str) -> bool:
    """Return whether a metric says more than "performance" or "results"."""
    stems = extract_stems(metric)
    return not (stems and _EMPTY_METRICS.issuperset(stems))


def is_unambiguous_metric_name(name: str) -> bool:
    """Return whether a name is the name of a known metric and nothing more: "top-1 accuracy"."""
    return bool(_KNOWN_NAME.fullmatch(name)) and not _AMBIGUOUS.fullmatch(name)


def _is_multiword_quantity(name: str) -> bool:
    """Return whether a name has several words and ends in a word for a measured quantity: "hoot rate"."""
    words = name.lower().split()
    return len(words) > 1 and words[-1] in _QUANTITIES


def _extract_quantity(text: str, start: int) -> Iterator[tuple[str, int]]:
    name = extract_bare_name(_UNIT.sub("", text))
    if len(name.split()) <= _MAX_METRIC_WORDS and _is_multiword_quantity(name) and not _NOT_A_RESULT.search(name):
        yield name, start


def _blank_out_markup(text: str) -> str:
    return _MARKUP.sub(_blank_out_match, text)


def _blank_out_match(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _locate_measured(text: str) -> Iterator[tuple[str, int]]:
    """Yield known metrics and, in a text that mentions metrics, also the acronyms that it defines."""
    acronyms = tuple(find_defined_acronyms(text))
    expansions = {at for each in acronyms for at in range(each.expansion_start, each.expansion_end)}
    yield from ((name, start) for name, start in _locate_known(text) if start not in expansions)
    for each in acronyms if _SPEAKS_OF_METRICS.search(text) else ():
        if not _KNOWN_NAME.fullmatch(each.abbreviation):
            yield each.abbreviation, each.expansion_end


def _locate_known(text: str) -> Iterator[tuple[str, int]]:
    return ((match[0], match.start()) for match in _KNOWN_NAME.finditer(text))


def _filter_pairs(mentions_by_passage: Sequence[Sequence[_MetricMention]]) -> list[_MetricMention]:
    """Return the mentions without names that need a partner: "recall" is dropped if no passage has "precision" too."""
    names_by_passage = [{_normalize_name(name) for name, _ in mentions} for mentions in mentions_by_passage]
    lone = {name for pair in _PAIRS if not any(pair <= names for names in names_by_passage) for name in pair}
    return [each for each in chain.from_iterable(mentions_by_passage) if _normalize_name(each[0]) not in lone]


def _rank_metrics(mentions: Sequence[_MetricMention], announced: Sequence[_MetricMention]) -> tuple[Metric, ...]:
    """Return the metrics, the most frequent first. Beside a frequent one, rare metrics must be announced to be kept."""
    first_locations: dict[str, TextLocation] = {}
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    for name, location in (*mentions, *announced):
        first_locations.setdefault(_normalize_name(name), location)
        spellings[_normalize_name(name)][name] += 1
    ranked = sorted(spellings.items(), key=lambda item: -item[1].total())
    is_one_frequent = any(counts.total() >= _FREQUENT_COUNT for counts in spellings.values())
    announced_keys = {_normalize_name(name) for name, _ in announced}
    return tuple(
        Metric(counts.most_common(1)[0][0], first_locations[key], counts.total())
        for key, counts in ranked
        if counts.total() > _RARE_COUNT or not is_one_frequent or key in announced_keys
    )


def _normalize_name(name: str) -> str:
    lowered = re.sub(r"(?<=[a-z0-9])acc$", "accuracy", re.sub(r"[^a-z0-9@²]", "", name.lower()))
    lowered = _CUTOFF.sub(lambda match: _SHORT_RANK_METRICS[match[0]], lowered)
    return _SYNONYMS.get(lowered, lowered)
