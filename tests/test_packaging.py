"""The wheel holds all that the program needs, and works from any folder."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    [built] = folder.glob("*.whl")
    return built


def test_it_holds_the_planner_its_prompts_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"planner"}
    for needed in ("planner/py.typed", "planner/demo/paper.md", "planner/prompts/README.md", "planner/skill/SKILL.md"):
        assert needed in names
    assert sum(name.startswith("planner/prompts/") for name in names) == len(list((ROOT / "prompts").glob("*")))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command as pip, pipx and uv install it from the wheel, in an environment of its own."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    options = ("--no-deps", "--no-index", "--quiet", "--disable-pip-version-check")
    command = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", *options, str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "bin" / "ablation-planner"


@pytest.mark.parametrize(
    ("words", "said"), [(("demo",), "planned 2 ablations"), (("skill",), "name: ablation-planner")]
)
def test_the_installed_command_works_in_any_folder(
    installed: Path, words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    # The packages that it needs are those of the tests, since there is no network.
    environment = {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib"), "HOME": str(tmp_path)}
    done = subprocess.run(
        [installed, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert said in done.stdout + done.stderr
    assert "demo" not in words or list((tmp_path / "trajectories" / "extractive-planner" / "builtin").glob("*.md"))
