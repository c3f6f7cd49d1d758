"""The kind of a section is told from its heading, with headings of real papers."""

import pytest

from planner.papers.headings import classify_heading
from planner.papers.paper import SectionKind

EXPERIMENTS = """
4 Experiments|EXPERIMENTAL EVALUATION|5 Results and Discussion|IV. EXPERIMENTS|Numerical experiments|Empirical Study
Case study|A Case Study on Sepsis|Experimental Setup|Main Results|Simulations|Simulation Study|V. SIMULATION RESULTS
Numerical Simulations|Numerical Examples|Numerical Illustrations|Numerical Tests|Real Data Analysis|Findings|Result
Real data application|Performance Evaluation|Comparison with State-of-the-Art|Comparison to Baselines|Benchmarking
Comparisons with State of the Art Methods|Validation|Experimentation|Theoretical and Empirical Analysis|User Study
Computational Experiments|Online A/B Testing|Evaluating BERT on GLUE|Empirical Analysis|Datasets and Evaluation
Off-policy evaluation experiments|Empirical and theoretical results|Simulations and Real Data|Human Evaluation
"""
NO_EXPERIMENTS = """
Evaluation function|Experience replay|Prioritized Experience Replay|Applications of optimal transport
Off-Policy Evaluation|Performance prediction model|Learning from demonstrations
Benchmark construction|Empirical Risk Minimization|Notation|Empirical Bayes
Minimizing the empirical risk|Policy Evaluation|Value Function Evaluation|Theoretical Results
Simulation Model|Main Theoretical Results|Convergence Results|Hardness Results|Empirical distribution
Empirical Neural Tangent Kernel|Simulation-based inference|The evaluation network
Self-evaluation Module|Bayesian Experimental Design|Thought Experiment|Numerical Integration
The Simulator|Validation of the Bound|Evaluation Metrics We Propose|Experimental Platform Design
A New Evaluation Protocol|Our Simulation Environment
"""
OTHERS = {
    SectionKind.ABLATION: "Ablations|Component-wise Analysis|Contribution of Each Module|Impact of Each Component"
    "|Effect of Each Component|Appendix B. Ablation Study",
    SectionKind.APPENDIX: "Appendix A. Proofs|Appendix B: Experimental Details|Appendix|Supplementary Material",
    SectionKind.INTRODUCTION: "1 Introduction|Introduction and Related Work|I. INTRODUCTION",
    SectionKind.RELATED_WORK: "State of the Art|2 RELATED WORKS|Background and Related Work|Comparison to Prior Work",
    SectionKind.CONCLUSION: "Discussion|Conclusions and Future Work|Limitations",
}


def names(listed: str) -> list[str]:
    return [name for line in listed.strip().split("\n") for name in line.split("|")]


@pytest.mark.parametrize("heading", names(EXPERIMENTS))
def test_experiments_are_known_by_many_names(heading: str) -> None:
    assert classify_heading(heading) is SectionKind.EXPERIMENTS


@pytest.mark.parametrize("heading", names(NO_EXPERIMENTS))
def test_terms_of_the_method_are_no_experiments(heading: str) -> None:
    assert classify_heading(heading) in (SectionKind.METHOD, SectionKind.OTHER)


@pytest.mark.parametrize(
    ("kind", "heading"), [(kind, name) for kind, listed in OTHERS.items() for name in names(listed)]
)
def test_other_kinds(kind: SectionKind, heading: str) -> None:
    assert classify_heading(heading) is kind


@pytest.mark.parametrize(
    "heading",
    [
        *("3.4 Experimental Results", "3.4 Experiments", "Toy experiments", "Results", "Evaluation", "2.4 Performance"),
        *("Comparison with Baselines", "Benchmarks", "Benchmarking", "User Study", "Performance of Our Model"),
    ],
)
def test_results_within_the_method_are_results(heading: str) -> None:
    assert classify_heading(heading, SectionKind.METHOD) is SectionKind.EXPERIMENTS


@pytest.mark.parametrize(
    "heading", ["Experimental Setup", "Evaluation Metrics", "Evaluation Protocol", "Policy Evaluation", "Datasets"]
)
def test_how_things_are_measured_is_part_of_the_method_that_says_so(heading: str) -> None:
    assert classify_heading(heading, SectionKind.METHOD) is SectionKind.METHOD


def test_the_results_that_an_introduction_lists_are_part_of_it() -> None:
    assert classify_heading("1.2 Our Results", SectionKind.INTRODUCTION) is SectionKind.INTRODUCTION
    assert classify_heading("1.2 Related Work", SectionKind.INTRODUCTION) is SectionKind.RELATED_WORK
