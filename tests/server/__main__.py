"""The server as a process: prints its base address and answers until stdin closes.

`python -m tests.server --latency 1 --pieces 200` gives every reply after a second, in 200 pieces when streamed.
"""

import argparse
import sys

from tests.server.http import Request, Response
from tests.server.replies import as_asked
from tests.server.server import Server


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.server")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before the first byte")
    parser.add_argument("--size", type=int, default=8000, help="characters of each reply")
    parser.add_argument("--pieces", type=int, default=3, help="chunks of a streamed reply")
    options = parser.parse_args()
    text = ("word " * options.size)[: options.size]

    def answer(request: Request) -> Response:
        how = {"pieces": options.pieces} if request.json.get("stream") else {}
        return as_asked(request, text, **how).late(options.latency)

    with Server(answer) as server:
        sys.stdout.write(server.base_url + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
