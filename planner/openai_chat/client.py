"""The SDK's client as this program uses it: no retries of its own, no redirects, a bounded pool."""

from typing import Final

import httpx2
import openai

from planner.openai_chat.endpoint import OPENAI, Endpoint

_CONNECT_SECONDS: Final = 30.0


def client_of(endpoint: Endpoint, *, timeout: float, connections: int) -> openai.AsyncOpenAI:
    """A client of one endpoint; `timeout` is in seconds of silence. Proxies are those of the environment."""
    bound = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
    silence = httpx2.Timeout(timeout, connect=min(timeout, _CONNECT_SECONDS), pool=None)
    return openai.AsyncOpenAI(
        api_key="sent in each request",
        admin_api_key="",
        base_url=endpoint.base_url,
        max_retries=0,
        timeout=silence,
        http_client=openai.DefaultAsyncHttpxClient(limits=bound, timeout=silence, follow_redirects=False),
    )


def headers_of(endpoint: Endpoint) -> dict[str, str | openai.Omit]:
    """Who asks: nobody where there is no key; an OpenAI organisation of the environment is OpenAI's business only."""
    authorization = endpoint.authorization
    who: dict[str, str | openai.Omit] = {
        "Authorization": authorization.get_secret_value() if authorization else openai.Omit()
    }
    if endpoint.base_url != OPENAI.base_url:
        who |= {"OpenAI-Organization": openai.Omit(), "OpenAI-Project": openai.Omit()}
    return who
