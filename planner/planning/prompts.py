"""Render prompts from strict Jinja templates.

A paper's text is a value and never a template. The same paper, task and `k` always give the same bytes, so a paid
request is recognised later.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from jinja2 import DictLoader, StrictUndefined, TemplateError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from planner.chat import Message, Prompt
from planner.details import REQUESTED_DETAILS, choose_candidate_limit
from planner.errors import PromptError
from planner.files import describe_os_error, read_bounded_file
from planner.papers.paper import Excerpt
from planner.schema import PLAN_FIELDS, Task

_REASK_TEMPLATE: Final = "reask.jinja"
_MAX_TEMPLATE_BYTES: Final = 1_000_000
_MAX_REPLY_CHARS: Final = 20_000
_MAX_FINDING_CHARS: Final = 400
_MAX_FINDINGS: Final = 20


@dataclass(frozen=True, slots=True)
class PromptTemplates:
    """The prompt templates in a folder; if `folder` is None, the templates of the program."""

    folder: Path | None = None

    def render_prompt(
        self, system: str, user: str, /, required_later_templates: Iterable[str] = (), **values: object
    ) -> Prompt:
        """Render a prompt from the template `system` and the template `user`, each given by its file name.

        `required_later_templates` are needed by later messages. They must exist, and they are part of the prompt's
        template hash.

        Raises:
            PromptError: if a template is missing or faulty, or uses unknown variables.
        """
        needed = self._collect_sources([system, user])
        sources = needed | self._collect_sources(required_later_templates)
        _check_variables(needed, values)
        messages = (
            Message("system", _render_template(needed, system, values)),
            Message("user", _render_template(needed, user, values)),
        )
        return Prompt.from_messages(messages, _hash_texts(*(part for item in sorted(sources.items()) for part in item)))

    def render_template(self, name: str, /, **values: object) -> str:
        """Render one template.

        Raises:
            PromptError: as in `render_prompt`.
        """
        sources = self._collect_sources([name])
        _check_variables(sources, values)
        return _render_template(sources, name, values)

    def _collect_sources(self, names: Iterable[str]) -> dict[str, str]:
        """Return the sources of the named templates and of all templates that they include, by name."""
        waiting, sources = list(names), dict[str, str]()
        while waiting:
            name = waiting.pop()
            if name not in sources:
                sources[name] = self._read_source(name)
                waiting += _find_included_templates(name, sources[name])
        return sources

    def _read_source(self, name: str) -> str:
        """Return the source of a template; a file that has not changed is not read again."""
        if self.folder is None:
            return _read_template_cached(_find_shipped_folder(), name)
        try:
            facts = (self.folder / name).stat()
        except OSError:
            return _read_template(self.folder, name)
        return _read_template_cached(self.folder, name, facts.st_mtime_ns, facts.st_size)


@cache
def _find_shipped_folder() -> Path:
    installed, checkout = (Path(__file__).parents[level] / "prompts" for level in (1, 2))
    return installed if installed.is_dir() else checkout


def _read_template(folder: Path, name: str) -> str:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise PromptError(f"{name}: a template must be inside {folder}")
    try:
        return read_bounded_file(path, _MAX_TEMPLATE_BYTES).decode("utf-8")
    except FileNotFoundError:
        raise PromptError(f"{path}: template not found; copy all shipped templates into the folder") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PromptError(f"{path}: cannot be read as UTF-8 text: {describe_os_error(error)}") from error


@lru_cache(maxsize=64)
def _read_template_cached(folder: Path, name: str, *_facts: int) -> str:
    return _read_template(folder, name)


def render_first_prompt(
    excerpt: Excerpt,
    task: Task,
    k: int,
    templates: Path | None = None,
    required_later_templates: Sequence[str] = (),
    *,
    with_details: bool = False,
) -> Prompt:
    """Render the prompt that asks for at most `k` ablations of a paper.

    `required_later_templates` are needed by later messages and must exist. If `with_details` is true, the prompt also
    asks for details such as chances, and allows more than `k` ablations. If the folder `templates` has no template that
    asks for details, the prompt does not ask for them.

    Raises:
        PromptError: if a template is missing or faulty, or uses unknown variables.
    """
    user = f"{task.value}-details.user.jinja"
    if not with_details or (templates is not None and not (templates / user).exists()):
        user = f"{task.value}.user.jinja"
    return PromptTemplates(templates).render_prompt(
        f"{task.value}.system.jinja",
        user,
        required_later_templates=(_REASK_TEMPLATE, *required_later_templates),
        task=task.value,
        title=excerpt.title,
        abstract=excerpt.abstract,
        text=excerpt.text,
        k=k,
        candidates=choose_candidate_limit(task, k),
        fields=PLAN_FIELDS,
        details=REQUESTED_DETAILS,
        fence=derive_absent_end_marker((excerpt.title, excerpt.abstract, excerpt.text)),
    )


def render_reask_prompt(
    prompt: Prompt, reply: str, findings: Sequence[str], invalid_reply_count: int = 1, templates: Path | None = None
) -> Prompt:
    """Render the prompt that names the faults of an invalid reply and asks again.

    `invalid_reply_count` is the number of invalid replies so far. A template may show it, so that no two prompts are
    equal.

    Raises:
        PromptError: as in `render_prompt`.
    """
    shown = [_shorten(" ".join(finding.split()), _MAX_FINDING_CHARS) for finding in findings[:_MAX_FINDINGS]]
    more = len(findings) - len(shown)
    return render_follow_up_prompt(
        prompt, reply, _REASK_TEMPLATE, templates, findings=shown, more=more, failures=invalid_reply_count
    )


def render_follow_up_prompt(
    prompt: Prompt, reply: str, template: str, templates: Path | None, **values: object
) -> Prompt:
    """Render the prompt after a reply: the messages of the first prompt, the reply, and a new message.

    `template` gives the new message. The middle of a very long reply is left out.

    Raises:
        PromptError: as in `render_prompt`.
    """
    opening = tuple(message for message in prompt.messages[:2] if message.role != "assistant")
    answer = Message("assistant", _shorten(reply, _MAX_REPLY_CHARS) if reply.strip() else "(no text)")
    request = Message("user", PromptTemplates(templates).render_template(template, **values))
    return replace(prompt, messages_json=Prompt.from_messages((*opening, answer, request)).messages_json)


def derive_absent_end_marker(texts: Sequence[str]) -> str:
    """Return a word that marks the end of untrusted texts; it is made from these texts but occurs in none of them."""
    word = _hash_texts(*texts)[:16]
    while any(word in text for text in texts):
        word = _hash_texts(word)[:16]
    return word


# Compiling a template takes ten times as long as rendering it, and a run renders the same templates for every paper.
_template_cache: Final = lru_cache(maxsize=64)


@_template_cache
def _create_environment(sources: tuple[tuple[str, str], ...]) -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        loader=DictLoader(dict(sources)),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _render_template(sources: Mapping[str, str], name: str, values: Mapping[str, object]) -> str:
    try:
        return _create_environment(tuple(sorted(sources.items()))).get_template(name).render(values).strip()
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise PromptError(f"{name}: {error}") from error


@_template_cache
def _parse_template(name: str, source: str) -> nodes.Template:
    try:
        return _create_environment(()).parse(source, name)
    except TemplateError as error:
        raise PromptError(f"{name}: {error}") from error


@_template_cache
def _find_included_templates(name: str, source: str) -> tuple[str, ...]:
    return tuple(other for other in meta.find_referenced_templates(_parse_template(name, source)) if other is not None)


@_template_cache
def _find_variables(name: str, source: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return (variables that a template uses but does not set, variables that the template sets)."""
    tree = _parse_template(name, source)
    own = frozenset(node.name for node in tree.find_all(nodes.Name) if node.ctx != "load")
    return frozenset(meta.find_undeclared_variables(tree)), own


def _check_variables(sources: Mapping[str, str], values: Mapping[str, object]) -> None:
    """Raise PromptError if a template uses a variable that neither `values` nor any template sets."""
    found = [_find_variables(name, source) for name, source in sources.items()]
    asked = frozenset[str]().union(*(asks for asks, _ in found))
    own = frozenset[str]().union(*(sets for _, sets in found))
    if missing := sorted(asked - own - values.keys()):
        offered = ", ".join(sorted(values))
        raise PromptError(f"{', '.join(sources)}: unknown variables: {', '.join(missing)} (available: {offered})")


def _shorten(text: str, max_chars: int) -> str:
    """Return the text; if it is too long, replace its middle with a line that counts the omitted characters."""
    if len(text) <= max_chars:
        return text
    half = max_chars // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half} characters left out …]\n{text[-half:]}"


def _hash_texts(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
