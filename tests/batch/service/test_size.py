"""Many requests: split as the service demands, and never held in memory together."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.batch.service.conftest import ServeBatches
from tests.conftest import ROOT


def carry(folder: Path, url: str, requests: int) -> Any:
    folder.mkdir()
    command = [sys.executable, "-m", "tests.batch.service.carry", str(folder), url, str(requests)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def test_a_thousand_requests_are_carried(serve_batches: ServeBatches, tmp_path: Path) -> None:
    carried = carry(tmp_path / "run", serve_batches().url, 1000)
    assert (carried["parts"], carried["replies"]) == (1, 1000)


@pytest.mark.slow
def test_120_000_requests_are_carried_in_the_memory_of_50_000(serve_batches: ServeBatches, tmp_path: Path) -> None:
    url = serve_batches().url
    one = carry(tmp_path / "one", url, 50_000)
    many = carry(tmp_path / "many", url, 120_000)
    assert (one["parts"], many["parts"]) == (1, 3)
    assert many["replies"] == 120_000
    assert many["peak"] <= 1.3 * one["peak"]
    assert many["peak"] <= 200, "MB"
