"""Models that send nothing; the user provides the replies as files or pastes them.

A file's name holds the model, the paper and the hash of the request. The hash tells which reply belongs to which
prompt.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

from planner.chat import LM_PLANNER, Completion, ModelInfo, Prompt
from planner.errors import ModelError
from planner.files import read_bounded_file, write_file_atomically
from planner.names import build_prompt_file_name

_IDENTITY: Final = re.compile(r"[0-9a-f]{64}(?![0-9a-f])")
MAX_REPLY_BYTES: Final = 10_000_000
_HEADINGS: Final = {"assistant": "===== your reply so far =====", "user": "===== now ====="}


def write_prompt(path: Path, prompt: Prompt) -> None:
    """Write the messages of a prompt in order, as text that can be pasted into a chat window.

    Raises:
        OSError: if the file cannot be written.
    """
    write_file_atomically(path, _format_prompt(prompt))


def find_reply_in_files(paths: Sequence[Path], prompt: Prompt, model: str) -> Completion | None:
    """Return the reply to a prompt in the files at `paths`, or None; a blank file or a copy of the prompt is no reply.

    Raises:
        ModelError: if two files hold a reply, or a file cannot be read.
    """
    texts = {path: text for path in paths if (text := _read_text(path)).strip() and text != _format_prompt(prompt)}
    if len(texts) > 1:
        raise ModelError(f"there are several replies to one prompt: {', '.join(map(str, texts))}; keep only one file")
    return next((Completion(text, model=model) for text in texts.values()), None)


def _format_prompt(prompt: Prompt) -> str:
    """Return the messages as text; each message after the first two gets a heading."""
    contents = [message.content for message in prompt.messages[:2]]
    contents += [f"{_HEADINGS[m.role]}\n\n{m.content}" for m in prompt.messages[2:]]
    return "\n\n".join(contents) + "\n"


def _read_text(path: Path) -> str:
    try:
        return read_bounded_file(path, MAX_REPLY_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ModelError(f"{path}: cannot be read: it is not UTF-8: {error}") from error


@dataclass(frozen=True, slots=True)
class PromptFolders:
    """The folder that prompts are written to, and the folder that replies are read from; they may be the same."""

    prompts_to: Path | None = None
    replies_from: Path | None = None

    def __bool__(self) -> bool:
        """Return True if at least one of the folders is given."""
        return self.prompts_to is not None or self.replies_from is not None


@dataclass
class PromptFiles:
    """The prompts and replies in two folders; `unanswered_identities` are the hashes of requests without a reply."""

    folders: PromptFolders
    unanswered_identities: set[str] = field(default_factory=set)

    @cached_property
    def _replies(self) -> dict[str, list[Path]]:
        """The paths of each request's reply files; the key is the request's hash, which is in the files' names."""
        files: dict[str, list[Path]] = {}
        folder = self.folders.replies_from
        for path in sorted(folder.iterdir()) if folder and folder.exists() else ():  # replies may come later
            if (identities := _IDENTITY.findall(path.name)) and path.is_file() and not path.name.startswith("."):
                files.setdefault(identities[-1], []).append(path)
        return files

    def find_reply_or_write_prompt(self, info: ModelInfo, paper_id: str, prompt: Prompt) -> Completion | None:
        """Return the reply to a request; if there is none, write the prompt and return None.

        `unanswered_identities` holds the request's hash as long as there is no reply.

        Raises:
            ModelError: if the reply cannot be read.
            OSError: if the prompt cannot be written.
        """
        identity = info.identify_request(prompt)
        is_known = identity in self.unanswered_identities
        self.unanswered_identities.add(identity)
        reply = find_reply_in_files(self._replies.get(identity, ()), prompt, info.asked)
        if reply is not None:
            self.unanswered_identities.discard(identity)
        elif self.folders.prompts_to and not is_known:
            write_prompt(self.folders.prompts_to / build_prompt_file_name(info.asked, paper_id, identity), prompt)
        return reply


@dataclass(frozen=True, slots=True)
class PromptFileModel:
    """A model that writes its prompts about one paper to files, and reads the replies from files."""

    info: ModelInfo
    files: PromptFiles
    paper_id: str

    async def complete(self, prompt: Prompt) -> Completion:
        """Return the reply to the prompt from a file.

        Raises:
            ModelError: if there is no reply yet, or the reply cannot be read.
        """
        reply = self.files.find_reply_or_write_prompt(self.info, self.paper_id, prompt)
        if reply is None:
            raise ModelError("there is no reply to a prompt about this paper yet")
        return reply


class PastedReplyModel:
    """A model that returns the replies that the user pasted; their finish reasons are unknown.

    `completions` holds the replies that were not used yet. If a prompt comes when none is left, `next_message` becomes
    the prompt's last message, for the user to paste into the chat. Until then, it is "".
    """

    def __init__(self, model: str, *completions: Completion) -> None:
        self.info = ModelInfo(LM_PLANNER, model, model)
        self.next_message = ""
        self.completions = list(completions)

    async def complete(self, prompt: Prompt) -> Completion:
        """Return the next reply.

        Raises:
            ModelError: if no reply is left.
        """
        if not self.completions:
            self.next_message = prompt.messages[-1].content
            raise ModelError("there is no reply to a prompt about this paper yet")
        return self.completions.pop(0)
