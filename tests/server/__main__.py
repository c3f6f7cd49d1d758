"""The server as a process, to try the program with: prints its base address, and answers each prompt with a plan.

`python -m tests.server --latency 2 --pieces 50` gives every reply after two seconds, in 50 pieces when streamed. It
ends with Ctrl-C, or with stdin if that is a pipe. `--size` sends so many characters that are no plan, for measurements.
"""

import argparse
import os
import re
import signal
import stat
import sys
from hashlib import sha256

from tests.scripted import contract
from tests.server.http import Request, Response
from tests.server.replies import as_asked, body
from tests.server.server import Server

METRICS = ("accuracy", "F1", "BLEU", "MAE", "AUROC", "perplexity", "regret")
MODELS = ("trial-large", "trial-small")
HELP = """\
Models: {models}, or any other name; each plans in its own way. In another terminal:
  ablation-planner plan paper.pdf --model {first} --base-url {address}
Ctrl-C ends the server."""
_HEADING = re.compile(r"^(?:#+ +)?\d+\.\d+\.? +(\S.{3,50})$", re.MULTILINE)


def write_plan(request: Request) -> str:
    """A plan about headings of the paper; which of them depends on the prompt and on the model."""
    paper = request.prompt.partition("=== BEGIN PAPER")[2] or request.prompt
    headings = sorted(set(_HEADING.findall(paper))) or ["the main component", "the training schedule"]
    headings.sort(key=lambda heading: sha256(f"{request.json['model']} {heading}".encode()).digest())
    metric = next((name for name in METRICS if name in paper), "the main metric")
    ablations = [
        {
            "name": f"Without {heading}",
            "ablated_part": heading,
            "action": "REMOVE",
            "metrics": [metric],
            "reason": f"The paper credits {heading}, and this trial server knows no better.",
            "chance": 60,
        }
        for heading in headings[:2]
    ]
    return contract("A plan of the trial server, which reads headings only.", ablations)


def count_tokens(request: Request, text: str) -> dict[str, int]:
    sent, received = len(request.prompt) // 4, len(text) // 4
    return {"prompt_tokens": sent, "completion_tokens": received, "total_tokens": sent + received}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.server")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before the first byte")
    parser.add_argument("--size", type=int, help="characters of each reply, which is no plan then")
    parser.add_argument("--pieces", type=int, default=3, help="chunks of a streamed reply")
    parser.add_argument("--port", type=int, default=0, help="port; one that is free, if it is left out")
    options = parser.parse_args()

    def answer(request: Request) -> Response:
        if request.method == "GET":
            return body({"object": "list", "data": [{"id": name, "object": "model"} for name in MODELS]})
        if options.size is None:
            text = write_plan(request)
            how = {"model": request.json["model"], "usage": count_tokens(request, text)}
        else:
            text, how = ("word " * options.size)[: options.size], {}
        pieces = {"pieces": options.pieces} if request.json.get("stream") else {}
        return as_asked(request, text, **how, **pieces).late(options.latency)

    is_piped, ends = stat.S_ISFIFO(os.fstat(0).st_mode), {signal.SIGINT, signal.SIGTERM}
    if not is_piped:
        signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # in the thread of the server too, as `sigwait` needs it
    with Server(answer, port=options.port) as server:
        sys.stdout.write(server.base_url + "\n")
        sys.stdout.flush()
        if sys.stderr.isatty():
            sys.stderr.write(HELP.format(models=", ".join(MODELS), first=MODELS[0], address=server.base_url) + "\n")
        if is_piped:
            sys.stdin.read()
        else:
            signal.sigwait(ends)


if __name__ == "__main__":
    main()
