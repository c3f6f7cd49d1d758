"""Run the baseline for `bench.batch`: the `openai` async client, a semaphore, and one unchecked file for each reply.

`python -m bench.bare URL PAPERS OUT CONCURRENCY` prints the times of the first request and of the last written file.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

import openai


async def send_all_papers(url: str, papers: Path, out: Path, concurrency: int) -> None:
    out.mkdir(parents=True)
    allowed = asyncio.Semaphore(concurrency)
    client = openai.AsyncOpenAI(api_key="none", base_url=url, max_retries=0, timeout=600)
    first = time.time()

    async def ask(paper: Path) -> None:
        async with allowed:
            message = {"role": "user", "content": paper.read_text(encoding="utf-8")}
            reply = await client.chat.completions.create(model="bench", messages=[message])
        (out / f"{paper.stem}.txt").write_text(reply.choices[0].message.content, encoding="utf-8")

    await asyncio.gather(*(ask(paper) for paper in sorted(papers.iterdir())))
    sys.stdout.write(json.dumps({"first": first, "last": time.time()}))


if __name__ == "__main__":
    asyncio.run(send_all_papers(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])))
