"""Read title and abstract from the front matter of a text, or from a metadata file."""

import re
from dataclasses import dataclass
from typing import Final

_FRONT: Final = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S)
_TOML: Final = re.compile(r"\A\+\+\+[ \t]*\n(.*?)\n\+\+\+[ \t]*(?:\n|\Z)", re.S)
_PERCENT: Final = re.compile(r"\A%[ \t]+(\S.*(?:\n[ \t]+\S.*)*)\n(?:%.*\n){0,2}")  # pandoc's title block
_FIELD: Final = r"^{}\s*[:=][ \t]*(.+(?:\n(?:[ \t]*\n)*[ \t]+\S.*)*)"
_LEAST_WORDS: Final = 30  # words from which a description counts as an abstract


@dataclass(frozen=True, slots=True)
class Front:
    """The title and abstract in a front matter or metadata file; "" for a missing one."""

    title: str = ""
    abstract: str = ""


def front_matter(text: str) -> tuple[Front, str]:
    """Split a text into its front matter and the rest."""
    if match := _FRONT.match(text) or _TOML.match(text):
        return metadata(match[1]), text[match.end() :]
    if match := _PERCENT.match(text):
        return Front(" ".join(match[1].split())), text[match.end() :]
    return Front(), text


def metadata(yaml: str) -> Front:
    """Return title and abstract from plain, quoted or folded top-level scalars of YAML or TOML.

    A description of at least 30 words, as in Distill articles, serves as the abstract if there is no other.
    """
    description = _scalar(yaml, "description")
    summary = description if len(description.split()) >= _LEAST_WORDS else ""
    return Front(_scalar(yaml, "title"), _scalar(yaml, "abstract") or summary)


def _scalar(yaml: str, key: str) -> str:
    match = re.search(_FIELD.format(key), yaml, re.M | re.I)
    if not match:
        return ""
    value = " ".join(match[1].split())
    value = re.sub(r"^[|>][+-]?\d?\s+", "", value)
    if len(value) > 1 and value[0] == value[-1] == '"':
        return re.sub(r'\\(["\\/])', r"\1", value[1:-1])
    if len(value) > 1 and value[0] == value[-1] == "'":
        return value[1:-1].replace("''", "'")
    return re.sub(r"\s+#.*", "", value)
