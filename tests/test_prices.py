"""Known prices, unknown prices, and the user's own."""

import subprocess
import sys
from decimal import Decimal

import pytest

from planner.chat import ModelInfo, Usage
from planner.errors import UsageError
from planner.models.pricing import Price, compute_cost, find_context_window, format_usd, parse_price

OPENAI = "https://api.openai.com/v1"
UNKNOWN_HOST = "http://127.0.0.1:8000/v1"
MILLION = Usage(prompt_tokens=1_000_000, completion_tokens=1_000_000)


def model_info(name: str, endpoint: str = OPENAI) -> ModelInfo:
    return ModelInfo("lm-planner", name, name, endpoint)


def test_a_known_model_has_its_price() -> None:
    assert compute_cost(model_info("gpt-4o-mini"), MILLION) == 0.75


def test_cached_tokens_cost_less() -> None:
    cached = Usage(prompt_tokens=1_000_000, completion_tokens=0, cached_tokens=1_000_000)
    assert compute_cost(model_info("gpt-4o-mini"), cached) == 0.075
    more_than_all = Usage(prompt_tokens=10, completion_tokens=0, cached_tokens=1_000_000)
    known = compute_cost(model_info("gpt-4o-mini"), more_than_all)
    assert known is not None
    assert known < 0.00001


@pytest.mark.parametrize(
    ("name", "endpoint"),
    [
        ("gpt-99-imaginary", OPENAI),
        ("my-own-model", UNKNOWN_HOST),
        ("llama3:8b", "http://localhost:11434/v1"),
        ("deepseek-r1", "http://localhost:11434/v1"),
        ("openai/gpt-oss-120b", UNKNOWN_HOST),
        ("extractive", ""),
        ("", ""),
        ("x" * 10_000, UNKNOWN_HOST),
    ],
)
def test_unknown_is_unknown(name: str, endpoint: str) -> None:
    assert compute_cost(model_info(name, endpoint), MILLION) is None
    assert find_context_window(model_info(name, endpoint)) is None


@pytest.mark.parametrize("name", ["gpt-4o-mini", "openai/gpt-4o-mini", "anthropic/claude-3-5-sonnet-20241022"])
def test_a_closed_model_behind_a_gateway_has_its_makers_price(name: str) -> None:
    assert compute_cost(model_info(name, UNKNOWN_HOST), MILLION)


def test_the_same_name_costs_what_its_endpoint_asks() -> None:
    assert compute_cost(model_info("anthropic/claude-3.5-sonnet", "https://openrouter.ai/api/v1"), MILLION)


@pytest.mark.parametrize("usage", [Usage(), Usage(prompt_tokens=5), Usage(completion_tokens=5)])
def test_without_counts_there_is_no_cost(usage: Usage) -> None:
    assert compute_cost(model_info("gpt-4o-mini"), usage) is None
    assert compute_cost(model_info("gpt-4o-mini"), usage, Price(Decimal(1), Decimal(1))) is None


@pytest.mark.parametrize(
    ("cost", "shown"),
    [
        (0.0, "$0.00"),
        (1234.5, "$1,234.50"),
        (0.996, "$1.00"),
        (0.0123, "$0.012"),
        (0.00000123, "$1.2e-06"),
        (None, "cost unknown"),
    ],
)
def test_small_costs_keep_two_digits(cost: float | None, shown: str) -> None:
    assert format_usd(cost) == shown


def test_the_users_price_stands_above_what_is_known() -> None:
    assert compute_cost(model_info("gpt-4o-mini"), MILLION, parse_price("1,2.5")) == 3.5
    assert compute_cost(model_info("my-own-model", UNKNOWN_HOST), MILLION, parse_price(" 0 , .5 ")) == 0.5


@pytest.mark.parametrize("text", ["", "1", "1,2,3", "a,b", "-1,2", "1,", "nan,1", "1e5,1", "inf,1", "１,2", "1\n,2x"])
def test_what_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="IN,OUT"):
        parse_price(text)


def test_windows_are_known_where_the_data_has_them() -> None:
    assert find_context_window(model_info("gpt-4o-mini")) == 128_000


def test_nothing_is_fetched() -> None:
    code = (
        "import socket\n"
        "def refuse(*args): raise AssertionError('the network was touched')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from planner.models.pricing import compute_cost; from planner.chat import ModelInfo, Usage\n"
        f"assert compute_cost(ModelInfo('lm-planner', 'gpt-4o', 'gpt-4o', {OPENAI!r}), Usage(1, 1))\n"
        "import threading; assert threading.active_count() == 1"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
