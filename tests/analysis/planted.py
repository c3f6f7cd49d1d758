"""Invented papers of five fields, with faulty ablations and sound ones, for the checks of a plan."""

from dataclasses import dataclass

from planner.analysis.check import FindingKind
from planner.details import Details, Evidence
from planner.schema import Ablation, Action, Task

QUOTE, PART, METRIC = FindingKind.QUOTE_ABSENT, FindingKind.PART_NOT_FOUND, FindingKind.METRIC_NOT_FOUND
REPORTED, OWN = FindingKind.ALREADY_REPORTED, FindingKind.OWN_SETTING
TWICE, NOTHING = FindingKind.SAME_PART, FindingKind.NOTHING_TO_RUN


@dataclass(frozen=True)
class Planted:
    """An ablation of a paper, with the kind of its fault, or None if it is sound."""

    fault: FindingKind | None
    part: str
    replacement: tuple[str, ...]
    metrics: tuple[str, ...]
    quote: str
    task: Task = Task.AUTHOR
    before: str = ""  # the part of an ablation that stands before it in the plan

    @property
    def ablations(self) -> tuple[Ablation, ...]:
        """The ablation, after the one before it."""
        return (*((_remove(self.before, self.metrics),) if self.before else ()), self._ablation)

    @property
    def _ablation(self) -> Ablation:
        if not self.replacement:
            return _remove(self.part, self.metrics)
        return Ablation(
            name=f"How {self.part} is made",
            ablated_part=self.part,
            action=Action.REPLACE,
            replacement=self.replacement,
            metrics=self.metrics,
        )

    @property
    def details(self) -> tuple[Details, ...]:
        """The details of the ablations, each with the same quote."""
        return (Details(reason="It matters.", evidence=Evidence(quote=self.quote), chance=60),) * len(self.ablations)


def _remove(part: str, metrics: tuple[str, ...]) -> Ablation:
    return Ablation(name=f"Without {part}", ablated_part=part, action=Action.REMOVE, metrics=metrics)


SPEECH = """# Slow Gates for Streaming Speech Recognition

## Abstract

Streaming recognisers must decide early, and early decisions are often wrong. We present Heron, a streaming speech
recogniser whose slow gate holds back doubtful frames, and whose phoneme lattice memory recalls words that were heard
before. Heron lowers the word error rate on three corpora at the same delay.

## 1 Introduction

A streaming recogniser emits words while the speaker still talks. Earlier work commits to each word at once and pays
for it with errors on rare names. We argue that a recogniser should wait where it is in doubt and nowhere else. Our
contributions are a slow gate, a phoneme lattice memory and a delay-aware training loss.

## 2 Method

### 2.1 Encoder

The encoder is a stack of 12 causal conformer blocks. Frames of 25 ms enter after a convolutional front end with stride
four. We use layer normalization in every block.

### 2.2 Slow gate

The slow gate is a sigmoid unit that reads the entropy of the last three frames and delays a frame when the entropy is
high. Because the gate sees entropy rather than features, it transfers between speakers without any adaptation. The
threshold of the gate is set to 0.6.

### 2.3 Phoneme lattice memory

The memory keeps the phoneme lattices of the last 30 seconds. A cross-attention reader looks up the lattice with the
highest overlap, so that a name that was spelled out once is recognised when it comes again. Old lattices are evicted by
age.

### 2.4 Delay-aware loss

We add a penalty on the expected delay, $\\mathcal{L} = \\mathcal{L}_{ctc} + \\lambda \\mathcal{L}_{delay}$, which keeps
the gate from waiting for ever. Training uses the Adam optimizer with a warm-up of 5,000 steps.

## 3 Experiments

We report word error rate (WER), average delay in milliseconds and real-time factor on the Fjord, Harbour and Moor
corpora.

### 3.1 Main results

| Model | WER | Delay |
|---|---|---|
| Baseline transducer | 9.8 | 320 |
| Heron | 8.1 | 310 |

### 3.2 Ablation study

Table 3 shows the effect of each part.

| Variant | WER | Delay |
|---|---|---|
| Heron | 8.1 | 310 |
| w/o phoneme lattice memory | 8.9 | 305 |
| w/o delay-aware loss | 8.2 | 540 |

Without the phoneme lattice memory, rare names are missed. We also vary the number of conformer blocks from 6 to 18.

## 4 Conclusion

Waiting where it matters is enough.
"""

SPEECH_CASES = (
    Planted(QUOTE, "slow gate", (), ("WER",), "the gate learns from human listeners when it is polite to interrupt a speaker"),
    Planted(QUOTE, "phoneme lattice memory", (), ("WER",), "storing whole sentences in a cache makes proper nouns easier to get right"),
    Planted(QUOTE, "delay-aware loss", (), ("average delay",), "Without the phoneme lattice memory, rare names are missed"),
    Planted(PART, "speaker embedding adversary", (), ("WER",), "The memory keeps the phoneme lattices of the last 30 seconds."),
    Planted(PART, "beam search rescoring by a language model", (), ("WER",), "Old lattices are evicted by age."),
    Planted(METRIC, "slow gate", (), ("mIoU",), "it transfers between speakers without any adaptation"),
    Planted(METRIC, "slow gate", (), ("BLEU",), "it transfers between speakers without any adaptation", Task.REVIEWER),
    Planted(REPORTED, "phoneme lattice memory", (), ("WER",), "Old lattices are evicted by age.", Task.REVIEWER),
    Planted(REPORTED, "number of conformer blocks", ("6", "9", "15"), ("WER",), "The encoder is a stack of 12 causal conformer blocks.", Task.REVIEWER),
    Planted(OWN, "slow gate", ("a slow gate as described in the paper",), ("WER",), "The slow gate is a sigmoid unit that reads the entropy"),
    Planted(TWICE, "the slow gate", ("removed: no gate", "a fixed delay of 200 ms"), ("WER",), "The slow gate is a sigmoid unit", before="slow gate"),
    Planted(NOTHING, "slow gate", ("another gating method",), ("WER",), "The slow gate is a sigmoid unit that reads the entropy"),
    Planted(None, "slow gate", ("removed: every frame is passed on", "a fixed delay of 200 ms", "a gate that reads encoder features"), ("WER", "average delay"), "Because the gate sees entropy rather than features, it transfers between speakers without any adaptation."),
    Planted(None, "phoneme lattice memory", (), ("WER", "real-time factor"), "a name that was spelled out once is recognised when it comes again"),
    Planted(None, "delay-aware loss", (), ("WER", "average delay (Moor)"), "which keeps the gate from waiting for ever"),
    Planted(None, "eviction of old lattices by age", ("evict the least used lattice", "evict at random"), ("WER",), "Old lattices are evicted by age."),
    Planted(None, "weight λ of the delay penalty", ("0.01", "0.1", "1.0"), ("average delay",), "We add a penalty on the expected delay, L = L_ctc + λ L_delay", before="delay-aware loss"),
    Planted(None, "cross-attention reader of the memory", ("mean of all lattices", "nearest lattice by edit distance"), ("WER",), "A cross-attention reader looks up the lattice with the highest overlap"),
    Planted(None, "slow gate", ("removed: frames are never delayed", "delay of random frames at the same rate"), ("WER", "average delay"), "The slow gate is a sigmoid unit that reads the entropy of the last three frames", Task.REVIEWER),
    Planted(None, "entropy of the last three frames as input of the gate", ("encoder features", "entropy of the last frame alone"), ("WER",), "the gate sees entropy rather than features", Task.REVIEWER),
    Planted(None, "threshold of the gate", ("0.3", "0.5", "0.7", "0.9"), ("WER", "delay"), "The threshold of the gate is set to 0.6.", Task.REVIEWER),
    Planted(None, "eviction by age", ("eviction by least use",), ("WER",), "Old lattices are evicted by age.", Task.REVIEWER),
    Planted(None, "convolutional front end with stride four", ("stride two", "stride eight", "linear projection of stacked frames"), ("WER", "latency"), "Frames of 25 ms enter after a convolutional front end with stride four."),
    Planted(None, "memory span of 30 seconds", ("10 seconds", "60 seconds", "120 seconds"), ("word error rate",), "The memory keeps the phoneme lattices of the last 30 seconds.", Task.REVIEWER),
)

RIVERS = """# Contour Votes: Segmenting Rivers from Space

## Abstract

Rivers are thin, and thin things vanish when segmentation networks shrink their maps. We propose contour voting, in
which every pixel votes for the bank that it belongs to, and a flow consistency term that forbids water to run uphill. On
two satellite benchmarks our network raises mean intersection over union by four points.

## 1 Introduction

Semantic segmentation of satellite images serves flood warning. Existing networks lose streams narrower than three
pixels. We introduce contour voting, a terrain branch and a flow consistency term.

## 2 Method

### 2.1 Backbone

We adopt a ResNet-50 encoder that was pretrained on ImageNet. The decoder is a feature pyramid with four levels.

### 2.2 Contour voting

Each pixel predicts an offset to the nearest bank, and the votes are collected in a histogram. The votes are sharpened by
a bilateral filter. Voting recovers banks that the downsampled map has lost, since thousands of pixels agree on one line.

### 2.3 Terrain branch

The terrain branch encodes the elevation model with a shallow network of three layers. Its features are fused with those
of the image by gated addition at every level of the pyramid. Elevation tells a river from a road of the same colour.

### 2.4 Flow consistency

The flow consistency term punishes a predicted river whose pixels do not descend. It is weighted by 0.2 and needs no
labels, so that it also applies to unlabelled tiles.

## 3 Experiments

Metrics are mIoU, boundary F1 and recall of narrow streams. We train for 80 epochs on the Delta and Highland benchmarks.

### 3.1 Comparison

| Network | mIoU | Boundary F1 |
|---|---|---|
| U-Net | 71.2 | 58.0 |
| Ours | 78.4 | 66.3 |

### 3.2 Ablations

| Variant | mIoU | Boundary F1 |
|---|---|---|
| full | 78.4 | 66.3 |
| – contour voting | 74.9 | 60.1 |
| – terrain branch | 76.0 | 65.2 |

Replacing the bilateral filter with a Gaussian filter costs 0.8 points of mIoU.
"""

RIVER_CASES = (
    Planted(QUOTE, "contour voting", (), ("mIoU",), "the Hough space of circles makes lakes and rivers separable at night"),
    Planted(QUOTE, "terrain branch", (), ("mIoU",), "digital elevation is redundant once near infrared bands are given to the model"),
    Planted(QUOTE, "flow consistency term", (), ("mIoU",), "We train for 80 epochs on the Delta and Highland benchmarks."),
    Planted(PART, "deformable attention neck", (), ("mIoU",), "The votes are sharpened by a bilateral filter."),
    Planted(PART, "cloud removal network", ("median composite of five dates",), ("mIoU",), "The votes are sharpened by a bilateral filter."),
    Planted(METRIC, "terrain branch", (), ("ROUGE-L",), "Elevation tells a river from a road of the same colour."),
    Planted(METRIC, "flow consistency term", (), ("word error rate",), "punishes a predicted river whose pixels do not descend", Task.REVIEWER),
    Planted(REPORTED, "contour voting", (), ("mIoU",), "Each pixel predicts an offset to the nearest bank", Task.REVIEWER),
    Planted(REPORTED, "bilateral filter", ("Gaussian filter",), ("mIoU",), "The votes are sharpened by a bilateral filter.", Task.REVIEWER),
    Planted(OWN, "encoder", ("ResNet-50 encoder",), ("mIoU",), "We adopt a ResNet-50 encoder that was pretrained on ImageNet."),
    Planted(OWN, "gated addition of terrain features", ("gated addition",), ("mIoU",), "Its features are fused with those of the image by gated addition"),
    Planted(NOTHING, "contour voting", ("different values",), ("mIoU",), "Each pixel predicts an offset to the nearest bank"),
    Planted(None, "contour voting", ("removed: the decoder's map is used as it is", "direct prediction of bank lines"), ("mIoU", "boundary F1"), "Voting recovers banks that the downsampled map has lost"),
    Planted(None, "terrain branch", (), ("mIoU", "recall of narrow streams"), "Elevation tells a river from a road of the same colour."),
    Planted(None, "flow consistency term", (), ("mIoU",), "The flow consistency term punishes a predicted river whose pixels do not descend."),
    Planted(None, "gated addition of terrain features", ("concatenation", "plain addition"), ("mIoU",), "Its features are fused with those of the image by gated addition at every level of the pyramid."),
    Planted(None, "pretraining of the encoder on ImageNet", ("random initialization", "pretraining on satellite images"), ("mIoU",), "We adopt a ResNet-50 encoder that was pretrained on ImageNet."),
    Planted(None, "weight of the flow consistency term", ("0", "0.05", "0.5", "1.0"), ("mIoU",), "It is weighted by 0.2 and needs no labels", before="flow consistency term"),
    Planted(None, "flow consistency term", (), ("mIoU", "boundary F1"), "a flow consistency term that forbids water to run uphill", Task.REVIEWER),
    Planted(None, "gated addition in the pyramid", ("concatenation", "gated addition at the last level only"), ("mIoU",), "fused with those of the image by gated addition", Task.REVIEWER),
    Planted(None, "unlabelled tiles in the flow consistency term", ("labelled tiles only",), ("mIoU",), "so that it also applies to unlabelled tiles", Task.REVIEWER),
    Planted(None, "number of pyramid levels", ("two", "three", "five"), ("mIoU", "parameters"), "The decoder is a feature pyramid with four levels."),
    Planted(None, "shallow network of the terrain branch", ("a ResNet-18", "raw elevation as a fourth channel"), ("mIoU",), "The terrain branch encodes the elevation model with a shallow network of three layers.", Task.REVIEWER),
    Planted(None, "histogram of the votes", ("mean of the votes", "median of the votes"), ("boundary F1",), "the votes are collected in a histogram"),
)

SHOPS = """# Seasons in Baskets: Recommending What Returns

## Abstract

Shoppers return to things at their own pace. We introduce Tidewheel, a sequential recommendation model with a phase
encoder that learns how often an item is bought again, and a basket contrast that tells complements from substitutes. It
improves NDCG@10 on three grocery data sets.

## 1 Introduction

Sequential recommenders treat a purchase as a point in a list. We hold that the gap between purchases is what matters.
Tidewheel has a phase encoder, a basket contrast and a popularity correction.

## 2 Method

### 2.1 Phase encoder

The phase encoder maps the days since the last purchase to 16 sinusoids whose periods are learned for each item. A learned
period lets milk and batteries follow different clocks. The periods are initialized from the training data.

### 2.2 Basket contrast

The basket contrast pulls items of one basket together and pushes apart items that replace each other. Negatives are
drawn from the same aisle, because negatives from other aisles are too easy. The temperature is 0.07.

### 2.3 Popularity correction

Scores are divided by a smoothed popularity, which gives rare items a chance. The smoothing exponent is 0.5.

### 2.4 Training

The sequence model is a two-layer transformer. We train with the sampled softmax loss and 500 negatives.

## 3 Experiments

We measure NDCG@10, Recall@20 and coverage of the catalogue.

### 3.1 Results

| Model | NDCG@10 | Recall@20 |
|---|---|---|
| SASRec | 0.131 | 0.204 |
| Tidewheel | 0.152 | 0.236 |

### 3.2 Ablation study

| Variant | NDCG@10 | Recall@20 |
|---|---|---|
| Tidewheel | 0.152 | 0.236 |
| w/o phase encoder | 0.139 | 0.212 |
| w/o basket contrast | 0.146 | 0.228 |

Sensitivity to the temperature. We vary the temperature from 0.01 to 0.5 and find a broad optimum.
"""

SHOP_CASES = (
    Planted(QUOTE, "phase encoder", (), ("NDCG@10",), "lunar calendars explain why shoppers prefer fish on certain weekdays of the year"),
    Planted(QUOTE, "basket contrast", (), ("NDCG@10",), "contrastive pairs are formed from the reviews that two customers wrote on one product"),
    Planted(QUOTE, "popularity correction", (), ("coverage",), "the correction was tuned on a held-out week by the operators of the shop"),
    Planted(PART, "graph of co-purchases", (), ("NDCG@10",), "The temperature is 0.07."),
    Planted(PART, "image features of the products", (), ("Recall@20",), "Scores are divided by a smoothed popularity"),
    Planted(METRIC, "phase encoder", (), ("PSNR",), "A learned period lets milk and batteries follow different clocks."),
    Planted(METRIC, "basket contrast", (), ("FID", "NDCG@10"), "Negatives are drawn from the same aisle"),
    Planted(REPORTED, "phase encoder", ("removed: only the order of purchases",), ("NDCG@10",), "A learned period lets milk and batteries follow different clocks.", Task.REVIEWER),
    Planted(REPORTED, "temperature of the basket contrast", ("0.05", "0.1"), ("NDCG@10",), "We vary the temperature from 0.01 to 0.5", Task.REVIEWER),
    Planted(OWN, "sequence model", ("a two-layer transformer",), ("NDCG@10",), "The sequence model is a two-layer transformer."),
    Planted(OWN, "smoothing exponent of the popularity", ("0.5",), ("coverage",), "The smoothing exponent is 0.5."),
    Planted(NOTHING, "popularity correction", ("other alternatives", "various settings"), ("coverage",), "which gives rare items a chance"),
    Planted(None, "phase encoder", ("removed: only the order of purchases", "log of the days", "fixed periods of 7, 30 and 365 days"), ("NDCG@10", "Recall@20"), "The phase encoder maps the days since the last purchase to 16 sinusoids"),
    Planted(None, "basket contrast", (), ("NDCG@10",), "pulls items of one basket together and pushes apart items that replace each other"),
    Planted(None, "negatives from the same aisle", ("negatives from all aisles", "negatives by popularity"), ("NDCG@10",), "because negatives from other aisles are too easy"),
    Planted(None, "popularity correction", (), ("coverage", "NDCG@10"), "Scores are divided by a smoothed popularity, which gives rare items a chance."),
    Planted(None, "learned periods of the phase encoder", ("fixed periods", "one period for all items"), ("NDCG@10",), "whose periods are learned for each item"),
    Planted(None, "smoothing exponent", ("0", "0.25", "0.5", "1.0"), ("coverage",), "The smoothing exponent is 0.5.", before="popularity correction"),
    Planted(None, "popularity correction", (), ("coverage",), "which gives rare items a chance", Task.REVIEWER),
    Planted(None, "negatives from the same aisle", ("negatives from all aisles",), ("NDCG@10", "Recall@20"), "Negatives are drawn from the same aisle", Task.REVIEWER),
    Planted(None, "initialization of the periods from the training data", ("random periods", "periods of 1 to 365 days in equal steps"), ("NDCG@10",), "The periods are initialized from the training data.", Task.REVIEWER),
    Planted(None, "number of negatives in the sampled softmax loss", ("100", "1000", "5000"), ("Recall@20",), "We train with the sampled softmax loss and 500 negatives.", Task.REVIEWER),
    Planted(None, "two-layer transformer", ("a GRU", "mean of the item vectors"), ("NDCG@10",), "The sequence model is a two-layer transformer."),
    Planted(None, "number of sinusoids", ("4", "8", "32"), ("NDCG@10", "training time"), "maps the days since the last purchase to 16 sinusoids", Task.REVIEWER),
)

KITES = """# Learning to Fly Kites with Doubtful Wind

## Abstract

Kites are flown by reinforcement learning agents that never know the wind. We propose Gustwise, an agent with a wind
belief network and a tether-aware reward, which keeps a kite aloft in gusts that it has never met. Gustwise raises the
average return by a third in simulation.

## 1 Introduction

Flying a kite is control under hidden forces. Most agents stack observations and hope. We contribute a wind belief
network, a tether-aware reward and a gust curriculum.

## 2 Method

### 2.1 Wind belief network

The wind belief network is a gated recurrent unit that predicts the wind vector from the last 40 observations. The policy
receives the mean and the variance of the belief. Passing the variance lets the policy fly carefully where it knows little.

### 2.2 Tether-aware reward

The reward subtracts the square of the tether force. A kite that pulls hard is about to crash, hence the square.

### 2.3 Gust curriculum

Gusts grow with the return of the agent. The curriculum moves on when the return exceeds 200, and never goes back.

### 2.4 Policy optimization

The policy is optimized with proximal policy optimization. Advantages are computed with a discount of 0.99. Actor and
critic share no layers.

## 3 Experiments

We report the average return, the success rate and the peak tether force over five seeds.

### 3.1 Comparison with other agents

| Agent | Return | Success rate |
|---|---|---|
| Stacked PPO | 210 | 0.58 |
| Gustwise | 281 | 0.81 |

### 3.2 Which parts matter?

In this ablation, removing the gust curriculum lowers the return to 240, and without the wind belief network the agent
reaches 225.

## 4 Conclusion

Doubt is worth its weight.
"""

KITE_CASES = (
    Planted(QUOTE, "wind belief network", (), ("average return",), "a lidar on the ground station measures gusts before they arrive at the kite"),
    Planted(QUOTE, "tether-aware reward", (), ("peak tether force",), "the tether is modelled as a chain of springs with a material fatigue term"),
    Planted(QUOTE, "gust curriculum", (), ("success rate",), "removing the gust curriculum lowers the return to 240"),
    Planted(PART, "world model ensemble", (), ("average return",), "Actor and critic share no layers."),
    Planted(PART, "hindsight experience replay", ("uniform replay",), ("success rate",), "Actor and critic share no layers."),
    Planted(METRIC, "wind belief network", (), ("NMI",), "The policy receives the mean and the variance of the belief."),
    Planted(METRIC, "tether-aware reward", (), ("CIDEr",), "The reward subtracts the square of the tether force.", Task.REVIEWER),
    Planted(REPORTED, "gust curriculum", (), ("average return",), "Gusts grow with the return of the agent.", Task.REVIEWER),
    Planted(REPORTED, "wind belief network", ("removed: stacked observations",), ("average return",), "predicts the wind vector from the last 40 observations", Task.REVIEWER),
    Planted(OWN, "wind belief network", ("a gated recurrent unit",), ("average return",), "The wind belief network is a gated recurrent unit"),
    Planted(TWICE, "tether-aware reward", ("removed: no term for the tether", "a linear penalty"), ("average return",), "hence the square", before="tether-aware reward"),
    Planted(NOTHING, "policy optimization", ("some other algorithm",), ("average return",), "The policy is optimized with proximal policy optimization."),
    Planted(None, "wind belief network", ("removed: the last 40 observations are stacked", "a transformer over the observations"), ("average return", "success rate"), "predicts the wind vector from the last 40 observations"),
    Planted(None, "variance of the belief", (), ("success rate",), "Passing the variance lets the policy fly carefully where it knows little."),
    Planted(None, "square of the tether force", ("absolute tether force", "removed: no term for the tether"), ("peak tether force",), "A kite that pulls hard is about to crash, hence the square."),
    Planted(None, "gust curriculum", ("removed: gusts of full strength from the start", "gusts that grow with the number of steps"), ("average return",), "Gusts grow with the return of the agent."),
    Planted(None, "length of the history", ("10 observations", "20 observations", "80 observations"), ("average return",), "from the last 40 observations"),
    Planted(None, "separate layers of actor and critic", ("shared first layers",), ("average return",), "Actor and critic share no layers."),
    Planted(None, "variance of the belief", (), ("success rate",), "The policy receives the mean and the variance of the belief.", Task.REVIEWER),
    Planted(None, "tether-aware reward", (), ("peak tether force", "average return"), "The reward subtracts the square of the tether force.", Task.REVIEWER),
    Planted(None, "threshold at which the curriculum moves on", ("100", "150", "300"), ("average return",), "The curriculum moves on when the return exceeds 200", Task.REVIEWER),
    Planted(None, "discount", ("0.9", "0.95", "0.999"), ("average return",), "Advantages are computed with a discount of 0.99.", Task.REVIEWER),
    Planted(None, "curriculum that never goes back", ("a curriculum that steps back when the return falls",), ("success rate",), "and never goes back"),
    Planted(None, "proximal policy optimization", ("soft actor-critic", "TD3"), ("average return",), "The policy is optimized with proximal policy optimization.", Task.REVIEWER),
)

DIGEST = r"""\documentclass{article}
\title{Outline First: Summaries that Keep Their Promises}
\begin{document}
\maketitle
\begin{abstract}
Long summaries drift from their sources. We present \textsc{Scaffold}, a summarization model that writes an outline of
claims first, and a claim verifier that drops what the source does not support. \textsc{Scaffold} raises ROUGE-L and
factual consistency on meeting and court data.
\end{abstract}
\section{Introduction}
Abstractive summarization has become fluent and has remained unfaithful \cite{doe2021}. We introduce an outline planner, a
claim verifier and a source-aligned copy loss.
\section{Method}
\subsection{Outline planner}
The outline planner generates at most twelve claims, each as a triple of subject, verb and object. Triples leave no room
for the hedges in which errors hide~\citep{roe2020}. The planner is trained on outlines that were extracted with a parser.
\subsection{Claim verifier}
The claim verifier scores each triple against the source with an entailment model, and drops triples whose score is below
$\tau = 0.4$. It runs between planner and writer, so that the writer never sees a false claim.
\subsection{Writer}
The writer is a T5 decoder that attends to the outline and to the source. We use beam search with four beams for
decoding. Attention to the source is masked outside the sentences that a triple was taken from.
\subsection{Source-aligned copy loss}
The copy loss rewards the probability of words of the aligned sentences, $\mathcal{L}_{copy} = -\sum_t \log p(w_t)$. It
is added to the usual cross-entropy with the weight $\beta$.
\section{Experiments}
We report ROUGE-L, BERTScore and the factual consistency that three annotators judge.
\subsection{Main results}
\begin{table}
\caption{Results.}
\begin{tabular}{lcc}
Model & ROUGE-L & BERTScore \\
PEGASUS & 36.1 & 85.0 \\
Scaffold & 38.9 & 86.2 \\
\end{tabular}
\end{table}
\subsection{Ablation study}
\begin{table}
\caption{Ablation of the parts.}
\begin{tabular}{lcc}
Variant & ROUGE-L & BERTScore \\
full & 38.9 & 86.2 \\
w/o outline planner & 36.8 & 85.1 \\
w/o copy loss & 38.1 & 85.9 \\
\end{tabular}
\end{table}
We also replace the triples with full sentences, which costs 0.9 ROUGE-L.
\end{document}
"""

DIGEST_CASES = (
    Planted(QUOTE, "claim verifier", (), ("ROUGE-L",), "human editors reject a third of all claims that neural writers invent about dates"),
    Planted(QUOTE, "outline planner", (), ("ROUGE-L",), "an outline is shorter than a summary and therefore cheaper to generate on a phone"),
    Planted(QUOTE, "source-aligned copy loss", (), ("BERTScore",), "We also replace the triples with full sentences, which costs 0.9 ROUGE-L."),
    Planted(PART, "retrieval of similar documents", (), ("ROUGE-L",), "Triples leave no room for the hedges in which errors hide."),
    Planted(PART, "reward model trained on human preferences", (), ("ROUGE-L",), "Triples leave no room for the hedges in which errors hide."),
    Planted(METRIC, "claim verifier", (), ("mAP",), "so that the writer never sees a false claim"),
    Planted(METRIC, "source-aligned copy loss", (), ("episode return",), "The copy loss rewards the probability of words", Task.REVIEWER),
    Planted(REPORTED, "outline planner", (), ("ROUGE-L",), "The outline planner generates at most twelve claims", Task.REVIEWER),
    Planted(REPORTED, "source-aligned copy loss", (), ("ROUGE-L",), "The copy loss rewards the probability of words of the aligned sentences", Task.REVIEWER),
    Planted(OWN, "decoding of the writer", ("beam search with four beams",), ("ROUGE-L",), "We use beam search with four beams for decoding."),
    Planted(OWN, "claim verifier", ("the proposed claim verifier",), ("ROUGE-L",), "It runs between planner and writer"),
    Planted(NOTHING, "claim verifier", ("a different verifier",), ("performance",), "It runs between planner and writer"),
    Planted(None, "outline planner", ("removed: the writer sees the source alone", "outlines of keywords"), ("ROUGE-L", "factual consistency"), "The outline planner generates at most twelve claims, each as a triple of subject, verb and object."),
    Planted(None, "claim verifier", (), ("factual consistency",), "so that the writer never sees a false claim"),
    Planted(None, "triples", ("full sentences", "noun phrases"), ("ROUGE-L",), "Triples leave no room for the hedges in which errors hide"),
    Planted(None, "mask on the attention to the source", (), ("BERTScore",), "Attention to the source is masked outside the sentences that a triple was taken from."),
    Planted(None, "source-aligned copy loss", (), ("ROUGE-L",), "L_copy = −∑ₜ log p(wₜ). It is added to the usual cross-entropy with the weight β"),
    Planted(None, "threshold τ of the claim verifier", ("0", "0.2", "0.6", "0.8"), ("factual consistency",), "drops triples whose score is below τ = 0.4", before="claim verifier"),
    Planted(None, "claim verifier", (), ("factual consistency", "ROUGE-L"), "scores each triple against the source with an entailment model", Task.REVIEWER),
    Planted(None, "place of the claim verifier between planner and writer", ("after the writer",), ("factual consistency",), "It runs between planner and writer, so that the writer never sees a false claim.", Task.REVIEWER),
    Planted(None, "mask on the attention to the source", (), ("ROUGE-L",), "masked outside the sentences that a triple was taken from", Task.REVIEWER),
    Planted(None, "weight β of the copy loss", ("0.1", "0.5", "2.0"), ("ROUGE-L",), "added to the usual cross-entropy with the weight $\\beta$", Task.REVIEWER),
    Planted(None, "beam search with four beams", ("greedy decoding", "nucleus sampling"), ("ROUGE-L", "latency"), "We use beam search with four beams for decoding."),
    Planted(None, "entailment model of the verifier", ("word overlap with the source", "a question answering model"), ("factual consistency",), "scores each triple against the source with an entailment model", Task.REVIEWER),
)

PAPERS = {
    "speech.md": (SPEECH, SPEECH_CASES),
    "rivers.md": (RIVERS, RIVER_CASES),
    "shops.md": (SHOPS, SHOP_CASES),
    "kites.md": (KITES, KITE_CASES),
    "digest.tex": (DIGEST, DIGEST_CASES),
}
