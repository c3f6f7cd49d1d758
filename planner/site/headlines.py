"""What an ablation is called where there is room for one line."""

import re
from typing import Final

from planner.schema import Ablation

# Names that say nothing of what is ablated.
_NUMBERED: Final = re.compile(r"\s*(?:missing |proposed )?ablation(?: study)?\s*[#:]?\s*\d*\s*", re.I)


def is_telling(name: str) -> bool:
    """Whether a name says more than a number would."""
    return bool(name.strip()) and not _NUMBERED.fullmatch(name)


def headline(ablation: Ablation) -> str:
    """The name, or the ablated part where the name says nothing."""
    return ablation.name if is_telling(ablation.name) else ablation.ablated_part or ablation.name
