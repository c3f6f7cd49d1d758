"""Judging without a key: each question as a text file, and each answer from one."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from eval.asking import Asking, Question
from eval.coverage import Pair
from eval.gold import AuthorGold
from eval.verdicts import verdict_path
from planner.chat import Completion, ModelCard, Prompt
from planner.errors import ModelError, UsageError
from planner.trajectory.files import write_atomically

# The same name for every hand, since the sides of a question depend on it.
CARD: Final = ModelCard(planner="judge", name="by-hand", asked="by-hand")


class WrittenReply:
    """A model whose answer about one paper lies in a file named after it, whatever its ending."""

    def __init__(self, folder: Path, paper_id: str) -> None:
        self._stem = verdict_path(folder, paper_id).with_suffix("")

    @property
    def card(self) -> ModelCard:
        """Always by-hand."""
        return CARD

    async def complete(self, prompt: Prompt) -> Completion:  # noqa: ARG002 - the question was asked elsewhere
        """The text of the file.

        Raises:
            ModelError: there is no such file, more than one, or it is not UTF-8.
        """
        found = [path for path in self._stem.parent.glob("*") if path.is_file() and _is_named(path, self._stem.name)]
        if len(found) != 1:
            listed = ", ".join(path.name for path in found) or "none"
            raise ModelError(f"there should be one reply file named {self._stem.name}.txt, there is: {listed}")
        try:
            return Completion(found[0].read_text(encoding="utf-8-sig"), model=CARD.asked)
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"{found[0]}: cannot be read: {error}") from error


def write_questions(folder: Path, asking: Asking, pairs: Iterable[Pair]) -> tuple[Path, ...]:
    """Write what would be asked about each paper that has a plan, `<id>.txt`; all paths.

    Raises:
        OSError: the folder cannot be written.
        PromptError: the templates are at fault.
        UsageError: no paper has a plan.
    """
    paths = []
    for pair in pairs:
        if pair.status is None and not (isinstance(pair.gold, AuthorGold) and not pair.gold.ablations):
            prompt = Question(asking, pair.gold, pair.plan).prompt
            path = verdict_path(folder, pair.gold.id).with_suffix(".txt")
            write_atomically(path, "\n\n".join(message.content for message in prompt.messages) + "\n")
            paths.append(path)
    if not paths:
        raise UsageError("no gold paper has a plan, so there is nothing to ask")
    return tuple(paths)


def _is_named(path: Path, stem: str) -> bool:
    return path.name == stem or path.name.rpartition(".")[0] == stem
