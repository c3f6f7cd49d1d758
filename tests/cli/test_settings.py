"""Settings files: which comes first, what each may say, and where each value comes from."""

import json
import os
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.scripted import GOOD_REPLY
from tests.server.replies import as_asked
from tests.server.server import Server

KEY = "lab-key-marker-0123456789"


@pytest.fixture
def user_file(tmp_path: Path) -> Path:
    """The path of the user's settings file, whose folder there is."""
    path = tmp_path / ".config" / "ablation-planner" / "config.toml"
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def lab(server: Server, user_file: Path) -> Server:
    """A server that is the endpoint `lab` of the user's settings, with a key in LAB_KEY."""
    server.answer = lambda request: as_asked(request, GOOD_REPLY)
    user_file.write_text(f'[endpoints.lab]\nbase_url = "{server.base_url}"\nkey_env = "LAB_KEY"\n', encoding="utf-8")
    return server


def show_settings(run: Run, *before: str, env: dict[str, str] | None = None) -> dict[str, tuple[object, str]]:
    result = run(*before, "config", "show", "--json", env=env)
    assert result.exit_code == 0, result.output
    return {name: (each["value"], each["origin"]) for name, each in json.loads(result.stdout).items()}


def test_the_command_line_comes_before_the_environment_the_project_and_the_user(
    run: Run, user_file: Path, work_folder: Path
) -> None:
    env = {"ABLATION_PLANNER_K": "4"}
    assert show_settings(run)["k"] == (None, "default")
    user_file.write_text('# mine\nk = 2\nstrategy = "revise"\ntask = "author"\n', encoding="utf-8")
    assert show_settings(run)["k"] == (2, f"{user_file}:2")
    (work_folder / "ablation-planner.toml").write_text("k = 3\n", encoding="utf-8")
    found = show_settings(run, env=env)
    assert show_settings(run)["k"] == (3, "ablation-planner.toml:1")
    assert found["k"] == (4, "ABLATION_PLANNER_K")
    assert found["strategy"] == ("revise", f"{user_file}:3")
    for more, given, k in (((), {}, 3), ((), env, 4), (("-k", "5"), env, 5)):
        done = run("prompt", "paper.md", "--to", "text", "--plain", *more, env=given)
        assert f"give up to {k} ablations" in done.stdout, "the user's file asks for the author's task"
        assert "settings from ablation-planner.toml: k" in done.stderr


def test_a_project_file_is_found_from_a_folder_below_and_its_folders_are_beside_it(
    run: Run, work_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (work_folder / "ablation-planner.toml").write_text('output = "plans"\nmodel = "extractive"\n', encoding="utf-8")
    below = work_folder / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    result = run("plan", str(work_folder / "paper.md"))
    assert result.stdout.startswith(str(work_folder / "plans" / "extractive-planner"))


def test_a_named_file_is_read_instead_of_the_others(run: Run, user_file: Path, work_folder: Path) -> None:
    user_file.write_text("k = 2\n", encoding="utf-8")
    (work_folder / "ablation-planner.toml").write_text("k = 3\n", encoding="utf-8")
    other = work_folder / "other.toml"
    other.write_text("timeout = 20\n", encoding="utf-8")
    found = show_settings(run, "--config", "other.toml")
    assert (found["k"], found["timeout"]) == ((None, "default"), (20.0, "other.toml:1"))
    assert run("--config", "other.toml", "config", "path").stdout == "other.toml\n"
    assert show_settings(run, env={"ABLATION_PLANNER_CONFIG": str(other)})["timeout"] == (20.0, f"{other}:1")


def test_the_path_is_told_also_of_a_file_that_is_not_there(run: Run, tmp_path: Path) -> None:
    result = run("config", "path")
    assert result.stdout == f"{tmp_path / '.config' / 'ablation-planner' / 'config.toml'}\n"
    assert "this file does not exist yet" in result.stderr


def test_a_setting_is_no_default_of_an_option_that_means_something_else(run: Run, user_file: Path) -> None:
    user_file.write_text('model = "lab-model"\noutput = "plans"\n', encoding="utf-8")
    Path("reply.txt").write_text(GOOD_REPLY, encoding="utf-8")
    assert "pasted" in run("parse", "reply.txt", "--paper", "paper.md").stdout, "--model there says who replied"
    result = run("combine", str(user_file.parent / "plans"), "-o", "combined")
    assert not Path("plans", "combined").exists(), result.output


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ('\nmodle = "x"', 2, "there is no setting 'modle'; did you mean model?"),
        ("k = 2\ncolour = 1", 2, "there is no setting 'colour'; the settings are model, task, k"),
        ('k = "two"', 1, "k: input should be a valid integer"),
        ("k = true", 1, "k: input should be a valid integer"),
        ("k = 51", 1, "k: input should be less than or equal to 50"),
        ('task = "judge"', 1, "task: it should be one of reviewer, author"),
        ('strategy = "guess"', 1, "strategy: it should be one of single, revise"),
        ('model = ""', 1, "model: "),
        ("timeout = nan", 1, "timeout: "),
        ('prompts = "nowhere"', 1, "there is no folder"),
        ('# x\n\nendpoint = "lab"', 3, "there is no table [endpoints.lab]; known endpoints: none"),
        ('[prices]\n"m/x" = "1"', 2, "prices.m/x: invalid price '1': write IN,OUT"),
        ('[endpoints.lab]\nbase_url = "gpu:8000"', 2, "endpoints.lab.base_url: the address must begin with http"),
        ('[endpoints.lab]\nbase_url = "http://me:word@gpu/v1"', 2, "the address holds a user name or a password"),
        ('[endpoints.lab]\nkey_env = "X"', 1, "endpoints.lab.base_url: field required"),
        ('[endpoints.openai]\nbase_url = "http://gpu/v1"', 1, "not the name of a provider such as openai"),
        ('[endpoints.lab]\nbase_url = "http://g/v1"\nkey_env = "abcd-1234"', 3, "the name of an environment variable"),
        ('[endpoints.lab]\nbase_url = "http://g/v1"\napi_key = "x"', 3, "keys do not belong in files"),
        ('api_key = "x"', 1, "keys do not belong in files"),
        ('k = 2\n# model = "x" # sk-proj-0123456789abcdefgh', 2, "seems to hold a key"),
        ("k = 2\nk 3\n", 2, "the settings are not TOML"),
        ("k = [\n", 2, "the settings are not TOML"),
        ("x = " + "[" * 5000, 1, "nested too deeply"),
        ("k = " + "9" * 5000, 1, "a number that is too long"),
        ('output = "a\\u0000b"', 1, "output: it holds a character that cannot be printed"),
        ("endpoints = {lab = {base_url = 3}}", 1, "endpoints.lab.base_url: input should be a valid string"),
    ],
)
def test_a_wrong_setting_is_named_with_file_and_line(
    run: Run, user_file: Path, text: str, line: int, reason: str
) -> None:
    user_file.write_text(text, encoding="utf-8")
    for words in (("plan", "paper.md"), ("config", "show")):
        result = run(*words)
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"{user_file}:{line}: " in result.stderr
        assert reason in result.stderr
        assert "word@" not in result.stderr
        assert "0123456789abcdefgh" not in result.stderr
        assert "abcd-1234" not in result.stderr
    assert not Path("trajectories").exists()
    assert run("config", "path").exit_code == run("plan", "--help").exit_code == run("schema").exit_code == 0


@pytest.mark.parametrize("model", ["sketch-large-instruct-2024-of-mine", "hf-mirror/a-model-of-70b-parameters-v2"])
def test_a_long_name_is_no_key(run: Run, user_file: Path, model: str) -> None:
    user_file.write_text(f'model = "{model}"\n', encoding="utf-8")
    assert show_settings(run)["model"] == (model, f"{user_file}:1")


def test_what_is_no_settings_file_is_not_read(run: Run, user_file: Path, work_folder: Path) -> None:
    user_file.mkdir()
    assert "it is a folder" in run("plan", "paper.md").stderr
    user_file.rmdir()
    os.mkfifo(user_file)
    assert "it is a pipe" in run("plan", "paper.md").stderr
    user_file.unlink()
    user_file.write_bytes(b"# \xff\xfe")
    assert "not text in UTF-8" in run("plan", "paper.md").stderr
    user_file.write_bytes(b"#" * 100_001)
    result = run("plan", "paper.md")
    assert (result.exit_code, "it has over 100,000 bytes" in result.stderr) == (2, True)


def test_a_project_file_names_folders_of_its_own_only(run: Run, work_folder: Path) -> None:
    (work_folder / "away").symlink_to(work_folder.parent)
    for folder in ("/tmp", "../plans", "away/plans", "~/plans"):
        (work_folder / "ablation-planner.toml").write_text(f'output = "{folder}"\n', encoding="utf-8")
        result = run("config", "show")
        assert result.exit_code == 2
        assert "ablation-planner.toml:1: output: a project's settings may name no folder outside" in result.stderr


def test_a_project_file_sends_no_key_to_an_address_of_its_own(run: Run, work_folder: Path, server: Server) -> None:
    text = f'model = "evil/m"\n\n[endpoints.evil]\nbase_url = "{server.base_url}"\nkey_env = "OPENAI_API_KEY"\n'
    (work_folder / "ablation-planner.toml").write_text(text, encoding="utf-8")
    result = run("plan", "paper.md", env={"OPENAI_API_KEY": KEY})
    assert result.exit_code == 2
    assert "ablation-planner.toml:3: a project's settings may not define endpoints" in result.stderr
    assert not server.journal


@pytest.mark.parametrize("setting", ['model = "lab/my-model"', 'model = "my-model"\nendpoint = "lab"'])
def test_a_named_endpoint_gets_its_own_key(run: Run, lab: Server, work_folder: Path, setting: str) -> None:
    (work_folder / "ablation-planner.toml").write_text(f"{setting}\n", encoding="utf-8")
    result = run("plan", "paper.md", env={"LAB_KEY": KEY, "OPENAI_API_KEY": "sk-of-another-0123456"})
    assert result.exit_code == 0, result.output
    [request] = lab.journal
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.json["model"] == "my-model"
    record = next(Path("trajectories").rglob("*.json")).read_text(encoding="utf-8")
    assert KEY not in record + result.output
    missing = run("plan", "paper.md", "--force")
    assert (missing.exit_code, "needs a key: set LAB_KEY" in missing.stderr) == (2, True)


def test_an_endpoint_without_a_key_gets_none(run: Run, lab: Server, user_file: Path) -> None:
    user_file.write_text(f'[endpoints.lab]\nbase_url = "{lab.base_url}"\n', encoding="utf-8")
    run("plan", "paper.md", "-m", "lab/openai/gpt-oss-120b", env={"OPENAI_API_KEY": KEY})
    [request] = lab.journal
    assert "authorization" not in request.headers
    assert request.json["model"] == "openai/gpt-oss-120b"


def test_what_is_said_comes_before_the_default_endpoint(run: Run, lab: Server, user_file: Path) -> None:
    user_file.write_text('model = "m"\nendpoint = "lab"\n' + user_file.read_text(encoding="utf-8"), encoding="utf-8")
    env = {"LAB_KEY": KEY, "OPENAI_API_KEY": "sk-other-0123456789"}
    nowhere = "http://127.0.0.1:9/v1"
    for words, more in (
        (("--base-url", nowhere), {}),
        ((), {"OPENAI_BASE_URL": nowhere}),
        (("-m", "ollama/m"), {"OLLAMA_HOST": "127.0.0.1:9"}),
    ):
        result = run("doctor", "--max-wait", "0", *words, env=env | more)
        assert "127.0.0.1:9" in result.stdout
    assert "Nothing was sent" in run("doctor", "-m", "extractive", env=env).stdout
    assert not lab.journal
    assert run("doctor", env=env).exit_code == 0
    assert len(lab.journal) == 1


def test_a_price_is_that_of_its_model(run: Run, lab: Server, user_file: Path) -> None:
    text = '[prices]\n"lab/m" = "1000000,0"\ngiven = "9,9"\n' + user_file.read_text(encoding="utf-8")
    user_file.write_text(text, encoding="utf-8")
    costs = {}
    for name, words in {"lab/m": (), "lab/other": (), "lab/given": ("--price", "0,0")}.items():
        done = run("plan", "paper.md", "-m", name, *words, "--json", env={"LAB_KEY": KEY})
        costs[name] = json.loads(done.stdout)["cost"]
    assert costs["lab/m"] > 0
    assert costs["lab/other"] is None
    assert costs["lab/given"] == 0


def test_an_address_with_a_password_is_shown_without_it(run: Run) -> None:
    shown = show_settings(run, env={"OPENAI_BASE_URL": "http://me:secret-word@gpu/v1"})["endpoint"]
    assert shown == ("http://***@gpu/v1", "OPENAI_BASE_URL")


def test_the_settings_are_shown_as_a_table(run: Run, lab: Server, user_file: Path) -> None:
    lines = run("config", "show").stdout.splitlines()
    assert any(line.split() == ["k", "-", "default"] for line in lines)
    assert lines[-1].split() == [
        *("endpoints.lab", lab.base_url, "with", "LAB_KEY", "(not", "set)", f"{user_file}:1"),
    ]


def test_doctor_says_which_variables_it_looked_for(run: Run, lab: Server) -> None:
    result = run("doctor", "-m", "lab/m", env={"LAB_KEY": KEY})
    assert "OPENAI_API_KEY (not set)" in result.stderr
    assert "LAB_KEY (found)" in result.stderr
    assert KEY not in result.output
