"""Keep replies in files while their ledger cannot be written, and store them in it as soon as it can be."""

import hashlib
import logging
import os
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, TypeAdapter, ValidationError

from planner.files import DRAFT_NAME, read_bounded_file, write_file_atomically

_MAX_FILE_BYTES: Final = 500_000_000  # a reply of the largest size, with every character escaped

log = logging.getLogger(__name__)

_Integer = Annotated[int, Field(ge=0, lt=2**63)]  # as SQLite stores it


@dataclass(frozen=True, slots=True)
class LedgerReply:
    """A reply as the ledger stores it: `replied` in ISO 8601, `reply` the completion as JSON, costs in USD."""

    attempt_number: _Integer
    identity: str
    replied: str
    reply: str
    prompt_tokens: _Integer | None
    completion_tokens: _Integer | None
    cost: float | None
    charged: float | None


@cache
def _adapt_reply() -> TypeAdapter[LedgerReply]:
    return TypeAdapter(LedgerReply)


def update_reply(db: sqlite3.Connection, reply: LedgerReply) -> None:
    """Store a reply in the rows of its attempt and of its request, unless the request has one already."""
    values = asdict(reply)
    db.execute("UPDATE attempts SET state = 'replied' WHERE number = :attempt_number AND identity = :identity", values)
    db.execute(
        "UPDATE requests SET replied = :replied, reply = :reply, prompt_tokens = :prompt_tokens, completion_tokens ="
        " :completion_tokens, cost = :cost, charged = :charged WHERE identity = :identity AND reply IS NULL",
        values,
    )


def save_unstored_reply(ledger_path: Path, reply: LedgerReply) -> Path:
    """Write a reply to a file beside its ledger, else to one in the temporary folder; return the file's folder.

    Raises:
        OSError: if neither can be written.
    """
    name, content = f"{reply.identity}.json", _adapt_reply().dump_json(reply)
    beside, temporary = _list_folders(ledger_path)
    try:
        write_file_atomically(beside / name, content)
    except OSError:
        temporary.mkdir(mode=0o700, exist_ok=True)
        _refuse_foreign_folder(temporary)
        write_file_atomically(temporary / name, content)
        return temporary
    return beside


def store_kept_replies(db: sqlite3.Connection, ledger_path: Path) -> None:
    """Store the replies that an earlier call kept in files, and delete the files; one of another ledger stays."""
    stored, query = [], "SELECT 1 FROM requests WHERE identity = ?"
    with db:
        db.execute("BEGIN IMMEDIATE")
        for path, reply in _read_kept_replies(ledger_path):
            if db.execute(query, (reply.identity,)).fetchone():
                update_reply(db, reply)
                stored.append(path)
    for path in stored:
        path.unlink()
    for folder in _list_folders(ledger_path):
        with suppress(OSError):  # it is not there, or not empty
            folder.rmdir()
    if stored:
        log.info("%s: stored %d replies that an earlier call had kept in files", ledger_path, len(stored))


def _read_kept_replies(ledger_path: Path) -> Iterator[tuple[Path, LedgerReply]]:
    beside, temporary = _list_folders(ledger_path)
    for path in (*sorted(beside.glob("*")), *sorted(temporary.glob("*"))):
        try:
            if path.parent == temporary:
                _refuse_foreign_folder(temporary)
            yield path, _adapt_reply().validate_json(read_bounded_file(path, _MAX_FILE_BYTES))
        except (OSError, ValidationError) as error:
            if isinstance(error, ValidationError) and DRAFT_NAME.fullmatch(path.name):
                path.unlink()  # a kill cut it off; a whole one is stored as any other
                continue
            log.warning("%s: passed over, as it is no reply of this run: %s", path, str(error).splitlines()[0])


def _list_folders(ledger_path: Path) -> tuple[Path, Path]:
    """Return the folders for kept replies: the one beside the ledger, and the one in the temporary folder."""
    place = hashlib.sha256(os.fsencode(ledger_path.resolve())).hexdigest()[:16]
    temporary = Path(tempfile.gettempdir(), f"ablation-planner-{os.getuid()}-{place}")
    return ledger_path.parent / "kept-replies", temporary


def _refuse_foreign_folder(folder: Path) -> None:
    """Refuse a folder in the temporary folder that another user made, or a link there.

    Raises:
        OSError: if it is one.
    """
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise PermissionError(f"{folder} is not a folder of this user")
