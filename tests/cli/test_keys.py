"""A whole attack on the key: every command, every way to repeat a key, and a search of all that is left behind."""

import base64
import html
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from planner.masking import MASK_TEXT
from tests.cli.conftest import Run, Start
from tests.scripted import GOOD_REPLY
from tests.server.http import Request, Response
from tests.server.replies import as_asked, error, events, reply, stream
from tests.server.server import Server

KEY = "sk-MARKERKEY0123456789abcdefXYZ"
PROXY_PASSWORD = "proxymarkerpassword42"
TEXT = GOOD_REPLY.replace("<discussion>", "<discussion>The key is @ indeed. ", 1)
assert "@" in TEXT


def split(*pieces: str) -> Response:
    """A reply whose content comes in parts."""
    before, after = TEXT.split("@")
    texts = (before + pieces[0], *pieces[1:-1], pieces[-1] + after)
    return _with_parts([{"type": "text", "text": text} for text in texts])


def _with_parts(parts: list[dict[str, str]]) -> Response:
    whole = json.loads(reply("").body)
    whole["choices"][0]["message"]["content"] = parts
    return Response(parts=(json.dumps(whole).encode(),))


def mixed() -> Response:
    """Parts whose texts stand in fields of different names."""
    before, after = TEXT.split("@")
    return _with_parts([{"text": before + KEY[:9]}, {"content": KEY[9:20]}, {"text": KEY[20:] + after}])


def said(spelling: str) -> Callable[[Request], Response]:
    return lambda request: as_asked(request, TEXT.replace("@", spelling), pieces=200)


SPELLINGS = {
    "plain": KEY,
    "NUL": f"{KEY[:9]}\0{KEY[9:]}",
    "zero-width": "\u200b".join(KEY),
    "joiners": "\u2060".join(KEY),
    "soft hyphens": "\u00ad".join(KEY),
    "escape sequences": f"{KEY[:9]}\x1b[0m{KEY[9:]}",
    "overrides": f"{KEY[:9]}\u202e{KEY[9:]}",
    "line end": f"{KEY[:9]}\n{KEY[9:]}",
    "percent": "".join(f"%{ord(c):02X}" for c in KEY),
    "HTML": "".join(f"&#{ord(c)};" for c in KEY),
    "HTML, twice": html.escape("".join(f"&#x{ord(c):x};" for c in KEY)),
    "base64": base64.b64encode(KEY.encode()).decode(),
    "base64 in more": base64.b64encode(f"Authorization: Bearer {KEY}, as sent".encode()).decode(),
    "JSON": "".join(f"\\u{ord(c):04x}" for c in KEY),
    "hexadecimal": KEY.encode().hex(),
    "capitals": KEY.upper(),
}
HEAD = b"HTTP/1.1 200 OK\r\n"
ANSWERS: dict[str, Callable[[Request], Response]] = {
    **{f"reply, {name}": said(spelling) for name, spelling in SPELLINGS.items()},
    **{f"error, {name}": lambda _, s=spelling: error(401, f"bad key {s}") for name, spelling in SPELLINGS.items()},  # type: ignore[misc]
    **{
        f"page, {name}": lambda _, s=spelling: Response(500, (s.encode("utf-8", "surrogatepass"),), "text/html")  # type: ignore[misc]
        for name, spelling in SPELLINGS.items()
    },
    "parts": lambda _: split(KEY[:9], KEY[9:]),
    "many parts": lambda _: split(*KEY),
    "mixed parts": lambda _: mixed(),
    "cut stream": lambda _: stream(TEXT.replace("@", KEY), pieces=300).cut(-500),
    "stream that turns to an error": lambda _: events(
        *({"choices": [{"index": 0, "delta": {"content": c}}]} for c in KEY), {"error": {"message": KEY, "code": KEY}}
    ),
    "reasoning": lambda r: as_asked(r, GOOD_REPLY, reasoning="\u200b".join(KEY), pieces=50),
    "model and id": lambda r: as_asked(r, GOOD_REPLY, model=KEY).saying({"x-request-id": KEY}),
    "refusal": lambda r: as_asked(r, "", refusal=f"no {KEY[:9]}\0{KEY[9:]}"),
    "status line": lambda _: Response(raw=b"HTTP/1.1 " + KEY.encode() + b" OK\r\n\r\n"),
    "reason phrase": lambda _: Response(raw=b"HTTP/1.1 500 " + KEY.encode() + b"\r\ncontent-length: 0\r\n\r\n"),
    "bad header": lambda _: Response(raw=HEAD + KEY.encode() + b"\x00\x01 bad header\r\n\r\n"),
    "bad header value": lambda _: Response(
        raw=HEAD + b"x: " + KEY[:9].encode() + b"\x01" + KEY[9:].encode() + b"\r\n\r\n"
    ),
    "long header": lambda _: Response(raw=HEAD + b"x: " + KEY.encode() * 4000 + b"\r\n\r\n"),
    "bad chunk": lambda _: Response(raw=HEAD + b"transfer-encoding: chunked\r\n\r\n" + KEY.encode() + b"\r\nabc"),
    "cookie": lambda _: Response(
        raw=HEAD + b"set-cookie: \x80" + KEY.encode() + b"\xff; =;\r\ncontent-length: 2\r\n\r\n{}"
    ),
    "content type": lambda _: Response(200, (b"zzz",), f"text/{KEY}"),
    "redirect": lambda _: error(302, "").saying({"Location": f"http://x/?api_key={KEY}"}),
    "proxy password": lambda _: error(407, f"wrong password {PROXY_PASSWORD}"),
}


def letters(content: bytes) -> str:
    """The text without escapes, control and invisible characters, so that a key in pieces is found."""
    text = content.decode("utf-8", "replace")
    for _ in range(2):
        text = html.unescape(re.sub(r"\\+u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), text))
    return re.sub(r"[^a-z0-9]", "", re.sub(r"\x1b\[[0-9]*m", "", text).lower())


FORBIDDEN = [
    re.sub(r"[^a-z0-9]", "", spelling.lower())
    for spelling in (
        KEY,
        SPELLINGS["base64"],
        SPELLINGS["hexadecimal"],
        SPELLINGS["base64 in more"][28:60],
        PROXY_PASSWORD,
    )
]


def find_key(content: bytes) -> str:
    found = letters(content)
    return next((found[max(0, found.index(k) - 60) :][:150] for k in FORBIDDEN if k in found), "")


def environment(server: Server) -> dict[str, str]:
    return {
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": server.base_url,
        "ABLATION_PLANNER_MODEL": "m",
        "HTTPS_PROXY": f"http://someone:{PROXY_PASSWORD}@127.0.0.1:9",
    }


def left_behind(folder: Path) -> dict[str, str]:
    """The files that hold the key, with the place."""
    found = {str(p.relative_to(folder)): find_key(p.read_bytes()) for p in folder.rglob("*") if p.is_file()}
    return {name: place for name, place in found.items() if place}


@pytest.mark.parametrize("stream_option", ["--stream", "--no-stream"])
def test_no_way_to_repeat_a_key_leaves_it_anywhere(
    run: Run, work_folder: Path, server: Server, stream_option: str
) -> None:
    env, shown = environment(server), ""
    options = (stream_option, "--max-wait", "0", "-v", "--log-file")
    for number, (name, answer) in enumerate(ANSWERS.items()):
        server.answer = answer
        result = run("plan", "paper.md", "-o", f"o{number}", *options, f"log{number}", env=env)
        assert find_key(result.output.encode()) == "", name
        assert left_behind(work_folder) == {}, name
        shown += result.output + "".join(p.read_text() for p in work_folder.glob(f"o{number}/**/*") if p.is_file())
    assert shown.count(MASK_TEXT) > len(ANSWERS) // 2, "the key was there to be masked"


def test_nor_do_doctor_a_run_and_its_exports(start: Start, work_folder: Path, server: Server) -> None:
    papers = work_folder / "papers"
    papers.mkdir()
    text = (work_folder / "paper.md").read_text(encoding="utf-8")
    for number in range(len(ANSWERS)):
        (papers / f"p{number}.md").write_text(text.replace("# ", f"# Number {number} of ", 1), encoding="utf-8")
    answers = list(ANSWERS.values())
    server.answer = lambda request: answers[request.number % len(answers)](request)
    env = environment(server)
    logged = ("--max-wait", "0", "-v", "--log-file", "log")
    for words in (
        ("batch", "papers", "-o", "run", *logged),
        ("doctor", *logged),
        ("status", "run", "--failed", "--json"),
        ("export", "run", "--to", "jsonl", "out.jsonl"),
        ("site", "run", "-o", "pages"),
    ):
        said = b"\n".join(part.encode() for part in start(*words, env=env).communicate(timeout=300))
        assert b"Traceback" not in said, words
        assert find_key(said) == "", words
    assert left_behind(work_folder) == {}


@pytest.mark.parametrize(
    "address",
    [
        f"http://127.0.0.1:9/v1?api_key={KEY}",
        f"http://127.0.0.1:9/v1#{KEY}",
        f"http://someone:{KEY}@127.0.0.1:9/v1",
        f"http://someone:{KEY}@[::/v1",
        f"{KEY}@127.0.0.1",
    ],
)
@pytest.mark.parametrize("given", ["option", "variable"])
def test_nor_does_an_address(run: Run, work_folder: Path, address: str, given: str) -> None:
    option = ("--base-url", address) if given == "option" else ()
    env = {"OPENAI_BASE_URL": address} if given == "variable" else {}
    result = run("plan", "paper.md", "--model", "m", *option, "--max-wait", "0", "-v", "--log-file", "log", env=env)
    assert result.exit_code in (1, 2)
    assert find_key(result.output.encode()) == ""
    assert left_behind(work_folder) == {}
