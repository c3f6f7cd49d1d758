"""Find the address, the key and the model's name for requests, from the options and the environment."""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from pydantic import SecretStr

from planner.errors import UsageError
from planner.masking import SecretMask, find_credentials

_NO_SECRET: Final = SecretStr("")


@dataclass(frozen=True, slots=True)
class Provider:
    """A known service: its model prefix, its address, and the environment variables for its key and address.

    If `key_variable` is "", the service gets no key, unless the user names a variable.
    """

    prefix: str
    base_url: str
    key_variable: str = ""
    address_variable: str = ""


OPENAI: Final = Provider("openai", "https://api.openai.com/v1", "OPENAI_API_KEY", "OPENAI_BASE_URL")
OPENROUTER: Final = Provider("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY")
OLLAMA: Final = Provider("ollama", "http://localhost:11434/v1", address_variable="OLLAMA_HOST")
_PROXY_VARIABLES: Final = frozenset({"http_proxy", "https_proxy", "all_proxy"})
PROVIDERS: Final[tuple[Provider, ...]] = (OPENAI, OPENROUTER, OLLAMA)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model at an address; `base_url` contains no credentials, and the repr shows neither key nor password.

    `credentials` (`user:password`) are sent with HTTP basic authentication, instead of the key. `key_variable` is the
    environment variable that holds the key. `proxy_credentials` are kept only to hide them in messages.
    """

    model: str
    base_url: str
    key: SecretStr = field(default=_NO_SECRET, repr=False)
    credentials: SecretStr = field(default=_NO_SECRET, repr=False)
    key_variable: str = OPENAI.key_variable
    proxy_credentials: tuple[SecretStr, ...] = field(default=(), repr=False)

    @property
    def host(self) -> str:
        """The host and port of the address."""
        return urlsplit(self.base_url).netloc

    @property
    def authorization(self) -> SecretStr | None:
        """The value of the Authorization header, or None if none is sent."""
        if pair := self.credentials.get_secret_value():
            return SecretStr("Basic " + base64.b64encode(pair.encode()).decode("ascii"))
        key = self.key.get_secret_value()
        return SecretStr(f"Bearer {key}") if key else None

    @property
    def key_source(self) -> str:
        """Words that say where the key or password comes from; "" if neither is sent."""
        if self.authorization is None:
            return ""
        is_password = bool(self.credentials.get_secret_value())
        return "the password in the address" if is_password else f"the key in {self.key_variable}"

    @property
    def mask(self) -> SecretMask:
        """A mask that hides the key and all credentials in a text."""
        pairs = (pair.get_secret_value() for pair in (self.credentials, *self.proxy_credentials))
        return SecretMask([self.key.get_secret_value()], basic_credentials=pairs)


def build_secret_mask(environment: Mapping[str, str], extra_key_variables: Iterable[str] = ()) -> SecretMask:
    """Return a mask that hides the keys and passwords from the environment variables.

    Passwords come from the addresses of endpoints and proxies. `extra_key_variables` are further variables that hold
    keys.
    """
    variables = (*(provider.key_variable for provider in PROVIDERS), *extra_key_variables)
    keys = (environment.get(name, "").strip() for name in variables)
    addresses = (environment.get(provider.address_variable, "") for provider in PROVIDERS)
    pairs = (*find_credentials(addresses), *_find_proxy_credentials(environment))
    return SecretMask(keys, basic_credentials=pairs)


def _find_proxy_credentials(environment: Mapping[str, str]) -> tuple[str, ...]:
    return find_credentials(value for name, value in environment.items() if name.lower() in _PROXY_VARIABLES)


def resolve_endpoint(
    model: str,
    base_url: str | None,
    environment: Mapping[str, str],
    *,
    key_variable: str | None = None,
    requires_key: bool = True,
) -> Endpoint:
    """Return the endpoint of a model.

    A prefix of `model` (`openrouter/…`, `ollama/…`) names a provider. `base_url` takes precedence over a prefix, and a
    prefix over OPENAI_BASE_URL. An address with `user:password@` is used with HTTP basic authentication. `key_variable`
    is the environment variable that holds the key: "" for no key, None to choose it by the address or the prefix. If
    `requires_key` is false, the key may be missing, because nothing will be sent.

    Raises:
        UsageError: if there is no model name, the address is invalid, or a required key is not set.
    """
    if not model.strip():
        raise UsageError("no model given: use --model, as in --model gpt-4o-mini, or set ABLATION_PLANNER_MODEL")
    provider = find_provider_by_prefix(model)
    plain_url, credentials = _parse_address(*_choose_address(provider, base_url, environment))
    host_provider = _find_provider_by_host(plain_url)
    needs_key = bool(requires_key and (host_provider or key_variable))
    if key_variable is None or (host_provider and not key_variable):
        key_variable = (host_provider or provider or OPENAI).key_variable
    key = environment.get(key_variable, "").strip() if key_variable else ""
    if needs_key and not (key or credentials):
        address = host_provider.base_url if host_provider else plain_url
        raise UsageError(
            f"{address} needs a key: set {key_variable}",
            "without a key, use `prompt` and `parse` with a chat window, or the built-in planner (--model extractive)",
        )
    if not (key.isascii() and key.isprintable()):  # a header cannot hold it
        raise UsageError(f"{key_variable} contains invalid characters; was it pasted correctly?")
    return Endpoint(
        _choose_request_name(model, provider, host_provider),
        plain_url,
        SecretStr(key),
        SecretStr(credentials),
        key_variable or OPENAI.key_variable,
        tuple(map(SecretStr, _find_proxy_credentials(environment))),
    )


def find_provider_by_prefix(model: str) -> Provider | None:
    """Return the provider that the prefix of a model's name stands for, None if the prefix is not known."""
    prefix, slash, _ = model.partition("/")
    return next((p for p in PROVIDERS if slash and p.prefix == prefix), None)


def _find_provider_by_host(base_url: str) -> Provider | None:
    """Return the known provider at this address that requires a key, None if there is none."""
    host = urlsplit(base_url).hostname
    return next((p for p in PROVIDERS if p.key_variable and urlsplit(p.base_url).hostname == host), None)


def _choose_request_name(model: str, provider: Provider | None, host_provider: Provider | None) -> str:
    """Return the model name to send, without the prefix of its provider.

    A prefix stays if it belongs to the name, as in `openai/gpt-oss-120b` at a local server or `openrouter/auto`.
    """
    rest = model.partition("/")[2]
    if provider is None or not rest:
        return model
    if provider is OPENAI and host_provider is not OPENAI:
        return model
    if provider is OPENROUTER and "/" not in rest:
        return model
    return rest


def _choose_address(provider: Provider | None, base_url: str | None, environment: Mapping[str, str]) -> tuple[str, str]:
    """Return (address, origin), where origin names the option, the variable or the provider that gave the address."""
    if base_url:
        return base_url, "--base-url"
    chosen = provider or OPENAI
    address = environment.get(chosen.address_variable, "").strip() if chosen.address_variable else ""
    if not address:
        return chosen.base_url, chosen.prefix
    return (_build_ollama_url(address) if chosen is OLLAMA else address), chosen.address_variable


def _build_ollama_url(host: str) -> str:
    """Return the base URL for OLLAMA_HOST: `host`, `host:port`, `:port` or a URL; 0.0.0.0 means localhost."""
    url = urlsplit(host if "://" in host else f"http://{host}")
    try:
        port = url.port or (None if "://" in host else 11434)
    except ValueError:
        return host
    name = url.hostname or "localhost"
    if _is_any_address(name):
        name = "localhost"
    bracketed_name = f"[{name}]" if ":" in name else name
    user, at_sign, _ = url.netloc.rpartition("@")
    netloc = f"{user}{at_sign}{bracketed_name}" + (f":{port}" if port else "")
    return urlunsplit((url.scheme, netloc, url.path.rstrip("/") + "/v1", "", ""))


def find_address_fault(address: str) -> str | None:
    """Return a phrase for the fault of an address, None if it is valid. The phrase shows no password."""
    text = address.strip()
    if any(c.isspace() or not c.isprintable() for c in text) or "\\" in text:
        return "contains a space, a backslash or a control character"
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        return "is not a URL"
    if url.scheme not in ("http", "https"):
        return "must begin with http:// or https://"
    if not url.hostname or port == 0:
        return "has no host or an invalid port"
    return "must not contain ? or #" if url.query or url.fragment else None


def _is_any_address(name: str) -> bool:
    try:
        return ip_address(name).is_unspecified
    except ValueError:
        return False


def _parse_address(address: str, origin: str) -> tuple[str, str]:
    """Return (address without credentials, decoded `user:password` or "").

    Raises:
        UsageError: if the address is invalid; the error names its `origin`.
    """
    if fault := find_address_fault(address):
        raise UsageError(f"{origin}: the address {fault}; it should look like http://localhost:8000/v1")
    url = urlsplit(address.strip())
    pair, _, host = url.netloc.rpartition("@")
    user, _, password = pair.partition(":")
    plain_url = urlunsplit((url.scheme.lower(), host.lower(), url.path.rstrip("/"), "", ""))
    return plain_url, f"{unquote(user)}:{unquote(password)}" if pair else ""
