"""Headlines of ablations, for places with room for one line."""

import re
from typing import Final

from planner.schema import Ablation

# Names that do not describe the ablation.
_NUMBERED: Final = re.compile(r"\s*(?:missing |proposed )?ablation(?: study)?\s*[#:]?\s*\d*\s*", re.I)


def is_telling(name: str) -> bool:
    """Return whether a name describes the ablation rather than only numbers it."""
    return bool(name.strip()) and not _NUMBERED.fullmatch(name)


def headline(ablation: Ablation) -> str:
    """Return the name of an ablation, or the ablated part if the name does not describe it."""
    return ablation.name if is_telling(ablation.name) else ablation.ablated_part or ablation.name
