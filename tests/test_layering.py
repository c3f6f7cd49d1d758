"""The rooms of the program and who may import whom: the importer stands above the imported, and there are no cycles."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# From the ground up. A module imports only from lower floors, and freely within its own room.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors", "sanitize", "files", "names"),
    ("schema", "chat", "masking"),
    ("details",),
    ("papers", "parsing", "trajectory", "matching"),
    ("analysis",),
    ("models",),
    ("planning",),
    ("reading",),
    ("batch", "site"),
    ("combining", "exports"),
    ("mcp", "serve"),
    ("cli",),
    ("__main__",),
)
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
ONLY_OPENAI_CHAT_IMPORTS = frozenset({"openai", "httpx2"})


def modules() -> list[Path]:
    return sorted((ROOT / "planner").rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Dotted names that a module imports anywhere, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            names.add(module)
            names.update(f"{module}.{alias.name}" for alias in node.names if module in ("planner", "eval"))
    return names


def room(dotted: str) -> str | None:
    parts = dotted.split(".")
    return parts[1] if parts[0] == "planner" and len(parts) > 1 and parts[1] != "__version__" else None


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / "planner").with_suffix("").parts[0]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_from_below(path: Path) -> None:
    own = room_of(path)
    if path == ROOT / "planner" / "__init__.py":
        return  # the front door names what it opens
    for name in imports(path):
        other = room(name)
        if other is not None and other != own:
            assert FLOOR_OF[other] < FLOOR_OF[own], f"{own} must not import {other}"
        assert name.split(".")[0] != "eval", "planner never imports eval"


def test_a_batch_starts_without_the_sdk() -> None:
    code = "import sys, planner.cli.batch, planner.batch.open_run; sys.exit('openai' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_importing_the_planner_imports_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import planner; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["planner"]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_openai_chat_knows_the_sdk(path: Path) -> None:
    if path.parent.name != "openai_chat":
        allowed = {"httpx2"} if path == ROOT / "planner" / "reading" / "fetch.py" else set()
        assert not {name.split(".")[0] for name in imports(path)} & ONLY_OPENAI_CHAT_IMPORTS - allowed


def test_there_are_no_cycles_within_a_room() -> None:
    graph = {_dotted(path): {name for name in imports(path) if name.startswith("planner.")} for path in modules()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name not in done:
            for other in graph.get(name, ()):
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
