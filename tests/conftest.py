"""The base of every test: no network, a clean environment, and the shared folder where there is one."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no fault of the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

pytest_plugins = ["tests.server.fixtures"]

ROOT = Path(__file__).parents[1]
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class NetworkError(AssertionError):
    """A test tried to leave this machine."""


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    real_connect, real_lookup = socket.socket.connect, socket.getaddrinfo

    def connect(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] not in _LOOPBACK:
            raise NetworkError(f"a test tried to reach {address[0]}")
        real_connect(self, address)  # type: ignore[arg-type]

    def lookup(host: object, *args: object, **kwargs: object) -> object:
        name = host.decode() if isinstance(host, bytes) else host
        if name is not None and name not in _LOOPBACK:
            raise socket.gaierror(socket.EAI_NONAME, f"a test looked up {name}")
        return real_lookup(host, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", lookup)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No key, address, model or setting of the developer's reaches a test, and no file of it the developer's home."""
    for name in list(os.environ):
        if name.startswith(("OPENAI_", "OPENROUTER_", "OLLAMA_", "ABLATION_PLANNER_")) or name.lower().endswith(
            "_proxy"
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared folder of real papers and trajectories; the test is skipped, saying so, where there is none."""
    folder = Path(os.environ.get("PLANNER_SHARED", ROOT.parent / "shared"))
    if not (folder / "trajectories").is_dir():
        pytest.skip(f"no shared papers and trajectories at {folder} (PLANNER_SHARED)")
    return folder
