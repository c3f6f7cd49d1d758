"""Both transports of the SDK, where both are installed."""

import openai
import pytest


@pytest.fixture(params=["httpx", "aiohttp"])
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The transport that carries the requests of this test; without aiohttp the SDK says what it says here."""
    if request.param == "aiohttp":
        pytest.importorskip("aiohttp")
    else:
        monkeypatch.setattr(openai, "DefaultAioHttpClient", _missing)
    return str(request.param)


def _missing(**_: object) -> None:
    raise RuntimeError("you must have installed the package with the `aiohttp` extra")
