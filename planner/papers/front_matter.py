"""Title and abstract in the YAML that stands before a text, or in a file of its own."""

import re
from dataclasses import dataclass
from typing import Final

_FRONT: Final = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S)
_TOML: Final = re.compile(r"\A\+\+\+[ \t]*\n(.*?)\n\+\+\+[ \t]*(?:\n|\Z)", re.S)
_PERCENT: Final = re.compile(r"\A%[ \t]+(\S.*(?:\n[ \t]+\S.*)*)\n(?:%.*\n){0,2}")  # pandoc's title block
_FIELD: Final = r"^{}\s*[:=][ \t]*(.+(?:\n(?:[ \t]*\n)*[ \t]+\S.*)*)"
_LEAST_WORDS: Final = 30


@dataclass(frozen=True, slots=True)
class Front:
    """What a front matter or a metadata file says of the paper; "" where it says nothing."""

    title: str = ""
    abstract: str = ""


def front_matter(text: str) -> tuple[Front, str]:
    """The front matter at the head of a file, and the text after it."""
    if match := _FRONT.match(text) or _TOML.match(text):
        return metadata(match[1]), text[match.end() :]
    if match := _PERCENT.match(text):
        return Front(" ".join(match[1].split())), text[match.end() :]
    return Front(), text


def metadata(yaml: str) -> Front:
    """Title and abstract of YAML: plain, quoted and folded scalars of the top level, which is all that is needed.

    A description of some length stands for an abstract, as Distill has it.
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
