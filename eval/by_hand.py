"""Judge by hand, without an API key: write each prompt to a text file, and read each reply from one."""

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

# The name is the same for every person who judges, since the sides of a prompt depend on it.
CARD: Final = ModelCard(planner="judge", name="by-hand", asked="by-hand")


class WrittenReply:
    """A model whose reply about one paper is read from a file with the paper's name and any suffix."""

    def __init__(self, folder: Path, paper_id: str) -> None:
        self._stem = verdict_path(folder, paper_id).with_suffix("")

    @property
    def card(self) -> ModelCard:
        """The model card, the same for all papers."""
        return CARD

    async def complete(self, prompt: Prompt) -> Completion:  # noqa: ARG002 - a person has asked it elsewhere
        """Return the text of the file as the reply.

        Raises:
            ModelError: if there is no such file or more than one, or if it is not UTF-8.
        """
        found = [path for path in self._stem.parent.glob("*") if path.is_file() and _is_named(path, self._stem.name)]
        if len(found) != 1:
            listed = ", ".join(path.name for path in found) or "none"
            raise ModelError(f"expected one reply file named {self._stem.name}.txt, found: {listed}")
        try:
            return Completion(found[0].read_text(encoding="utf-8-sig"), model=CARD.asked)
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"{found[0]}: cannot be read: {error}") from error


def write_questions(folder: Path, asking: Asking, pairs: Iterable[Pair]) -> tuple[Path, ...]:
    """Write the prompt about each paper that has a plan to `<id>.txt`, and return all paths.

    Raises:
        OSError: if the folder cannot be written.
        PromptError: if a template is missing or faulty.
        UsageError: if no paper has a plan.
    """
    paths = []
    for pair in pairs:
        if pair.status is None and not (isinstance(pair.gold, AuthorGold) and not pair.gold.ablations):
            prompt = Question(asking, pair.gold, pair.plan).prompt
            path = verdict_path(folder, pair.gold.id).with_suffix(".txt")
            write_atomically(path, "\n\n".join(message.content for message in prompt.messages) + "\n")
            paths.append(path)
    if not paths:
        raise UsageError("no gold paper has a plan, so there is no prompt to write")
    return tuple(paths)


def _is_named(path: Path, stem: str) -> bool:
    return path.name == stem or path.name.rpartition(".")[0] == stem
