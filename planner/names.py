"""Parse arXiv ids, and make paper ids and file names that every file system accepts."""

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
    """An arXiv identifier. `version` is "v1", "v2" and so on, or "" for the newest version."""

    id: str
    version: str = ""

    def __str__(self) -> str:
        return self.id + self.version


def parse_arxiv_id(source: str) -> ArxivId | None:
    """Parse an id such as `arxiv:2507.08038v2` or `cs/0501001`, or an address at arXiv. Return None for other texts."""
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
    """Return the id of a paper. It is made from `given_id` or, if that is empty, from the title or the file's name.

    In a title, each character that is not a letter, a digit or an underscore becomes `_`, as in published trajectories.
    A long id (over 120 bytes, or over 200 if it was given) is shortened and ends in a hash.
    """
    if given_id.strip():
        return _shorten(_replace_unsafe(unicodedata.normalize("NFC", given_id)), _MAX_GIVEN_ID_BYTES, "_", "_. ")
    made = re.sub(r"\W", "_", unicodedata.normalize("NFC", title.strip()))
    if not made.strip("_"):
        made = re.sub(r"\W", "_", unicodedata.normalize("NFC", file_stem))
    return _shorten(_replace_unsafe(made or "paper"), _MAX_TITLE_ID_BYTES, "_", "_. ")


def build_trajectory_path(planner: str, model: str, paper_id: str, question_name: str = "") -> PurePosixPath:
    """Return the path of a trajectory in the output folder.

    `question_name` is a suffix that tells several plans for the same paper apart. It is "" for the first plan.
    """
    stem = sanitize_file_name(paper_id)
    if question_name:
        stem = f"{_shorten(stem, MAX_FILE_NAME_BYTES - _QUESTION_BYTES, '-')}--{question_name}"
    return build_model_folder_path(planner, model) / f"{stem}{TRAJECTORY_SUFFIX}"


def build_model_folder_path(planner: str, model: str) -> PurePosixPath:
    """Return the folder of the trajectories of a planner and model, as a path in the output folder."""
    return PurePosixPath(sanitize_file_name(planner), sanitize_file_name(model.replace(".", "")))


def build_record_path(trajectory_path: _Path) -> _Path:
    """Return the path of the record that belongs to a trajectory."""
    return trajectory_path.with_name(trajectory_path.name.removesuffix(TRAJECTORY_SUFFIX) + RECORD_SUFFIX)


def build_prompt_file_name(model: str, paper_id: str, request_identity: str) -> str:
    """Return the name of the file for a prompt. `request_identity` is the hash of the request."""
    stem = sanitize_file_name(f"{model}-{paper_id}".replace("/", "_"))
    return f"{_shorten(stem, MAX_FILE_NAME_BYTES - len(request_identity) - 1, '-')}-{request_identity}.txt"


def sanitize_file_name(text: str) -> str:
    """Return a safe file name for a text, with at most `MAX_FILE_NAME_BYTES` bytes.

    The name is not that of a hidden file or a device, and has no path separator.
    """
    name = _UNSAFE.sub("_", unicodedata.normalize("NFC", text)).rstrip(". ")
    name = _rename_device(re.sub(r"^[. ]+", lambda match: "_" * len(match[0]), name))
    return _shorten(name, MAX_FILE_NAME_BYTES, "-") or "_"


class UniqueNames:
    """A set of names that differ even if letter case is ignored. `taken` are names that are in use already."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {_fold_case(name) for name in taken}
        self._last_numbers: dict[str, int] = {}

    def reserve_unique_name(self, name: str) -> str:
        """Add a name to the set and return it. If the name is already in the set, add a number to the name."""
        chosen, folded = name, _fold_case(name)
        numbers = itertools.count(self._last_numbers.get(folded, 1) + 1)
        while _fold_case(chosen) in self._taken:
            number = self._last_numbers[folded] = next(numbers)
            chosen = f"{name}-{number}"
        self._taken.add(_fold_case(chosen))
        return chosen


def number_repeated_names(names: Iterable[str]) -> list[str]:
    """Return the names, with a number added to each that equals an earlier one, such as "No gate (2)"."""
    unique: dict[str, None] = {}
    for name in names:
        numbered = (f"{name} ({number})" for number in itertools.count(2))
        unique[next(each for each in itertools.chain((name,), numbered) if each not in unique)] = None
    return list(unique)


def _fold_case(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _replace_unsafe(text: str) -> str:
    """Replace characters and names that a file system would refuse or misread."""
    text = _UNSAFE.sub("_", text.strip())
    return _rename_device(re.sub(r"^\.+|\.{2,}|[. ]+$", lambda match: "_" * len(match[0]), text))


def _rename_device(name: str) -> str:
    return f"{device[0]}_{name[device.end() :]}" if (device := _DEVICE_NAME.match(name)) else name


def _shorten(text: str, max_bytes: int, separator: str, strip: str = "") -> str:
    """Shorten a text of more than `max_bytes` bytes. The result ends in a hash of the whole text."""
    raw = text.encode("utf-8")
    if len(raw) <= max_bytes:
        return text
    beginning = raw[: max_bytes - 9].decode("utf-8", "ignore").rstrip(strip)
    return f"{beginning}{separator}{hashlib.sha256(raw).hexdigest()[:8]}"
