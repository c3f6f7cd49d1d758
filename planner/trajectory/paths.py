"""Build the paths of trajectories in an output folder, planner/model/paper.md, valid on every file system."""

import hashlib
import re
import unicodedata
from pathlib import PurePath, PurePosixPath
from typing import Final

SUFFIX: Final = ".md"
SIDECAR_SUFFIX: Final = ".json"
MAX_STEM_BYTES: Final = 240  # of the 255 that a name may have, with room for the suffix

_UNSAFE: Final = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]')
# Windows keeps these names for devices, whatever follows the first dot.
_DEVICE: Final = re.compile(r"(?i:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])(?=\s*(?:\.|$))")


def relative_path(planner: str, model: str, paper_id: str) -> PurePosixPath:
    """Return the path in the output folder; a model's name loses its dots, and `/` becomes `_`, as published."""
    return model_folder(planner, model) / f"{safe_segment(paper_id)}{SUFFIX}"


def model_folder(planner: str, model: str) -> PurePosixPath:
    """Return the folder, in the output folder, of all trajectories of one planner and model."""
    return PurePosixPath(safe_segment(planner), safe_segment(model.replace(".", "")))


def sidecar_path(trajectory: PurePath) -> PurePosixPath:
    """Return the path of the record beside a trajectory, whose path is one from `relative_path`."""
    return PurePosixPath(trajectory.with_name(trajectory.name.removesuffix(SUFFIX) + SIDECAR_SUFFIX).as_posix())


def safe_segment(text: str) -> str:
    """Turn a text into a safe name: NFC, no separator, device, hidden file or `..`, at most `MAX_STEM_BYTES` bytes."""
    name = _UNSAFE.sub("_", unicodedata.normalize("NFC", text)).rstrip(". ")
    name = re.sub(r"^[. ]+", lambda match: "_" * len(match[0]), name)
    name = _DEVICE.sub(lambda match: f"{match[0]}_", name) if _DEVICE.match(name) else name
    return _shortened(name) or "_"


def _shortened(name: str) -> str:
    """Cut a name that is too long between two characters, and append a hash of the whole name."""
    whole = name.encode("utf-8")
    if len(whole) <= MAX_STEM_BYTES:
        return name
    digest = hashlib.sha256(whole).hexdigest()[:8]
    cut = whole[: MAX_STEM_BYTES - len(digest) - 1].decode("utf-8", "ignore")
    return f"{cut}-{digest}"
