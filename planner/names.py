"""Read arXiv ids. Build paper ids and the paths of trajectories so that they are valid on every file system."""

import hashlib
import itertools
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath
from typing import Final, TypeVar
from urllib.parse import urlsplit

_Path = TypeVar("_Path", bound=PurePath)

TRAJECTORY_SUFFIX: Final = ".md"
RECORD_SUFFIX: Final = ".json"
MAX_FILE_NAME_BYTES: Final = 240  # of the 255 that a name may have, with room for the suffix
_QUESTION_BYTES: Final = 40  # bytes of a file name kept free for the name of a question
_MAX_TITLE_ID_BYTES: Final = 120  # bytes of an id made from a title; leaves room for a suffix in every file system
_MAX_GIVEN_ID_BYTES: Final = 200  # bytes of an id given by the user; published ids have up to 133
_UNSAFE: Final = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]')
# Windows keeps these names for devices, whatever follows the first dot.
_DEVICE_NAME: Final = re.compile(r"(?i:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])(?=\s*(?:\.|$))")

ARXIV_HOSTS: Final = frozenset({"arxiv.org", "www.arxiv.org", "export.arxiv.org"})
_PAPER_HOSTS: Final = ARXIV_HOSTS | {"ar5iv.org", "ar5iv.labs.arxiv.org"}
ARXIV_ID: Final = re.compile(r"(?P<id>\d{4}\.\d{4,5}|[a-z]+(?:-[a-z]+)?(?:\.[A-Z]{2})?/\d{7})(?P<version>v[1-9]\d*)?")


@dataclass(frozen=True, slots=True)
class ArxivId:
    """An arXiv identifier; `version` is "" for the newest version, else "v1", "v2" and so on."""

    id: str
    version: str = ""

    def __str__(self) -> str:
        return self.id + self.version


def parse_arxiv_id(source: str) -> ArxivId | None:
    """Parse `arxiv:2507.08038`, `2507.08038v2`, `cs/0501001` or an arXiv address; return None for anything else."""
    text = source.strip()
    if "://" in text or text.lower().startswith(("arxiv.org/", "www.arxiv.org/", "export.arxiv.org/")):
        parts = urlsplit(text if "://" in text else "https://" + text)
        path = re.fullmatch(r"/(?:abs|pdf|html|e-print|src|format)/(.+?)(?:\.pdf)?/?", parts.path)
        if parts.scheme not in ("http", "https") or (parts.hostname or "") not in _PAPER_HOSTS or path is None:
            return None
        text = path[1]
    match = ARXIV_ID.fullmatch(re.sub(r"(?i)^arxiv:\s*", "", text))
    return ArxivId(match["id"], match["version"] or "") if match else None


def build_paper_id(title: str, *, given_id: str = "", file_stem: str = "") -> str:
    """Return a paper's id: the given one, else one from the title, else one from the file's name without endings.

    A title is normalized to NFC; then every character that is not a letter, a digit or an underscore becomes `_`, as in
    the published trajectories. An id over 120 bytes (200 if given) is shortened and gets a short hash.
    """
    if given_id.strip():
        return _shorten(_replace_unsafe(unicodedata.normalize("NFC", given_id)), _MAX_GIVEN_ID_BYTES, "_", "_. ")
    made = re.sub(r"\W", "_", unicodedata.normalize("NFC", title.strip()))
    if not made.strip("_"):
        made = re.sub(r"\W", "_", unicodedata.normalize("NFC", file_stem))
    return _shorten(_replace_unsafe(made or "paper"), _MAX_TITLE_ID_BYTES, "_", "_. ")


def build_trajectory_path(planner: str, model: str, paper_id: str, question: str = "") -> PurePosixPath:
    """Return a trajectory's path in the output folder. In the path, `/` becomes `_`, and the model's dots are removed.

    `question` is "" for a paper's first plan, and distinguishes its other plans, such as one for another task.
    """
    stem = sanitize_file_name(paper_id)
    if question:
        stem = f"{_shorten(stem, MAX_FILE_NAME_BYTES - _QUESTION_BYTES, '-')}--{question}"
    return build_model_folder(planner, model) / f"{stem}{TRAJECTORY_SUFFIX}"


def build_model_folder(planner: str, model: str) -> PurePosixPath:
    """Return the folder of all trajectories of one planner and model, as a path in the output folder."""
    return PurePosixPath(sanitize_file_name(planner), sanitize_file_name(model.replace(".", "")))


def build_record_path(trajectory_path: _Path) -> _Path:
    """Return the path of the record beside a trajectory; `trajectory_path` ends in `TRAJECTORY_SUFFIX`."""
    return trajectory_path.with_name(trajectory_path.name.removesuffix(TRAJECTORY_SUFFIX) + RECORD_SUFFIX)


def build_prompt_file_name(model: str, paper_id: str, identity: str) -> str:
    """Return the name of the file with a prompt, made of the model, the paper and the request's identity."""
    stem = sanitize_file_name(f"{model}-{paper_id}".replace("/", "_"))
    return f"{_shorten(stem, MAX_FILE_NAME_BYTES - len(identity) - 1, '-')}-{identity}.txt"


def sanitize_file_name(text: str) -> str:
    """Turn a text into a safe file name of at most `MAX_FILE_NAME_BYTES` bytes, in NFC.

    The name has no path separator, and is not `..` or the name of a device or of a hidden file.
    """
    name = _UNSAFE.sub("_", unicodedata.normalize("NFC", text)).rstrip(". ")
    name = _rename_device(re.sub(r"^[. ]+", lambda match: "_" * len(match[0]), name))
    return _shorten(name, MAX_FILE_NAME_BYTES, "-") or "_"


class UniqueNames:
    """A set of names that differ on every file system, even one that ignores case; `taken` are in use already."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {_fold_case(name) for name in taken}
        self._last_numbers: dict[str, int] = {}

    def choose_name(self, name: str) -> str:
        """Return the name, with a number if the name is in use; the returned name is then in use."""
        chosen, folded = name, _fold_case(name)
        numbers = itertools.count(self._last_numbers.get(folded, 1) + 1)
        while _fold_case(chosen) in self._taken:
            number = self._last_numbers[folded] = next(numbers)
            chosen = f"{name}-{number}"
        self._taken.add(_fold_case(chosen))
        return chosen


def _fold_case(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _replace_unsafe(text: str) -> str:
    """Replace the characters and names that a file system would refuse or misread."""
    text = _UNSAFE.sub("_", text.strip())
    return _rename_device(re.sub(r"^\.+|\.{2,}|[. ]+$", lambda match: "_" * len(match[0]), text))


def _rename_device(name: str) -> str:
    return f"{device[0]}_{name[device.end() :]}" if (device := _DEVICE_NAME.match(name)) else name


def _shorten(text: str, max_bytes: int, separator: str, strip: str = "") -> str:
    """Shorten a text of over `max_bytes` bytes, without splitting a character, and append a hash of the whole text."""
    raw = text.encode("utf-8")
    if len(raw) <= max_bytes:
        return text
    beginning = raw[: max_bytes - 9].decode("utf-8", "ignore").rstrip(strip)
    return f"{beginning}{separator}{hashlib.sha256(raw).hexdigest()[:8]}"
