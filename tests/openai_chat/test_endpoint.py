"""A model's name leads to its address and its key."""

import pytest

from planner.errors import UsageError
from planner.models.openai_chat.endpoint import Endpoint, resolve_endpoint

ENVIRONMENT = {"OPENAI_API_KEY": "sk-openai", "OPENROUTER_API_KEY": "sk-or"}


@pytest.mark.parametrize(
    ("model", "base_url", "more", "name", "address", "key"),
    [
        ("gpt-4o", None, {}, "gpt-4o", "https://api.openai.com/v1", "sk-openai"),
        ("openai/gpt-4o", None, {}, "gpt-4o", "https://api.openai.com/v1", "sk-openai"),
        ("openrouter/x/y", None, {}, "x/y", "https://openrouter.ai/api/v1", "sk-or"),
        ("openrouter/auto", None, {}, "openrouter/auto", "https://openrouter.ai/api/v1", "sk-or"),
        ("x/y", "https://openrouter.ai/api/v1/", {}, "x/y", "https://openrouter.ai/api/v1", "sk-or"),
        ("ollama/llama3:8b", None, {}, "llama3:8b", "http://localhost:11434/v1", ""),
        ("ollama/llama3", "http://gpu:11434/v1", {}, "llama3", "http://gpu:11434/v1", ""),
        ("openai/gpt-oss-120b", "http://gpu:8000/v1", {}, "openai/gpt-oss-120b", "http://gpu:8000/v1", "sk-openai"),
        ("meta/llama", "HTTP://GPU:8000/v1//", {}, "meta/llama", "http://gpu:8000/v1", "sk-openai"),
        ("m", None, {"OPENAI_BASE_URL": "http://gpu/v1"}, "m", "http://gpu/v1", "sk-openai"),
        ("openrouter/x/y", None, {"OPENAI_BASE_URL": "http://g/v1"}, "x/y", "https://openrouter.ai/api/v1", "sk-or"),
        ("m", "http://[::1]:8000/v1", {}, "m", "http://[::1]:8000/v1", "sk-openai"),
    ],
)
def test_a_name_leads_to_an_address_and_a_key(
    model: str, base_url: str | None, more: dict[str, str], name: str, address: str, key: str
) -> None:
    endpoint = resolve_endpoint(model, base_url, ENVIRONMENT | more)
    assert (endpoint.model, endpoint.base_url, endpoint.key.get_secret_value()) == (name, address, key)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("gpu", "http://gpu:11434/v1"),
        ("gpu:8080", "http://gpu:8080/v1"),
        (":8080", "http://localhost:8080/v1"),
        ("0.0.0.0", "http://localhost:11434/v1"),
        ("http://0.0.0.0:99", "http://localhost:99/v1"),
        ("http://[0::0]:99", "http://localhost:99/v1"),
        ("https://ollama.example/", "https://ollama.example/v1"),
        ("[::]:8080", "http://localhost:8080/v1"),
    ],
)
def test_ollama_is_where_its_own_variable_says(host: str, address: str) -> None:
    assert resolve_endpoint("ollama/m", None, {"OLLAMA_HOST": host}).base_url == address


def test_credentials_of_an_address_are_kept_apart_and_decoded() -> None:
    endpoint = resolve_endpoint("m", "https://us%40er:p%3Aw%2F@gpu/v1", ENVIRONMENT)
    assert endpoint.base_url == "https://gpu/v1"
    assert endpoint.host == "gpu"
    assert endpoint.credentials.get_secret_value() == "us@er:p:w/"
    header = endpoint.authorization
    assert header is not None
    assert header.get_secret_value() == "Basic dXNAZXI6cDp3Lw=="


def test_no_secret_shows_in_a_representation() -> None:
    endpoint = resolve_endpoint("m", "https://marker-user:marker-word@gpu/v1", {"OPENAI_API_KEY": "sk-marker"})
    shown = f"{endpoint!r} {endpoint} {endpoint.authorization!r} {endpoint.mask!r} {endpoint.key}"
    assert "marker" not in shown


def test_a_local_server_needs_no_key() -> None:
    assert resolve_endpoint("m", "http://localhost:8000/v1", {}).authorization is None


@pytest.mark.parametrize(
    ("model", "base_url", "variable"),
    [
        ("gpt-4o", None, "OPENAI_API_KEY"),
        ("gpt-4o", "https://api.openai.com/v1", "OPENAI_API_KEY"),
        ("openrouter/x/y", None, "OPENROUTER_API_KEY"),
    ],
)
def test_a_missing_key_is_named(model: str, base_url: str | None, variable: str) -> None:
    with pytest.raises(UsageError, match=variable):
        resolve_endpoint(model, base_url, {})


@pytest.mark.parametrize("key", ["sk-1\nX-Evil: 1", "sk–1", "sk-1\x00"])
def test_a_key_that_no_header_can_hold_is_refused(key: str) -> None:
    with pytest.raises(UsageError, match="OPENAI_API_KEY") as caught:
        resolve_endpoint("gpt-4o", None, {"OPENAI_API_KEY": key})
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "localhost:8000/v1",
        "ftp://gpu/v1",
        "file:///etc/passwd",
        "http://",
        "http:///v1",
        "http://gpu:99999/v1",
        "http://gpu:0/v1",
        "http://[::1/v1",
        "http://gpu/v1?key=marker",
        "http://gpu/v1#x",
        "http://g pu/v1",
        "http://gpu\x1b[31m/v1",
        "http://user:marker@/v1",
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(address: str) -> None:
    with pytest.raises(UsageError, match="--base-url") as caught:
        resolve_endpoint("m", address, ENVIRONMENT)
    assert "marker" not in str(caught.value)


def test_no_model_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="--model"):
        resolve_endpoint("  ", None, ENVIRONMENT)


def test_an_endpoint_can_be_made_by_hand() -> None:
    assert Endpoint("m", "http://gpu/v1").authorization is None
