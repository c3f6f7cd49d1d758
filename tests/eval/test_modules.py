"""The modules of `eval`: no cycles, commands on top, and nothing of the planner that only its command line may use."""

from pathlib import Path

from tests.conftest import ROOT
from tests.test_layering import imports


def modules() -> dict[str, set[str]]:
    paths = sorted((ROOT / "eval").rglob("*.py"))
    return {
        _dotted(path): {name for name in imports(path) if name.split(".")[0] in ("eval", "planner")} for path in paths
    }


def test_there_are_no_cycles() -> None:
    graph = modules()
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name not in done and name in graph:
            for other in graph[name]:
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_only_commands_know_the_command_line() -> None:
    for name, imported in modules().items():
        if not name.startswith(("eval.commands", "eval.__main__")):
            assert not [other for other in imported if other.startswith(("planner.cli", "eval.commands"))], name


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
