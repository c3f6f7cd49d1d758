"""The boundary to models: what names a prompt and a request."""

import hashlib
import json

from hypothesis import given
from hypothesis import strategies as st

from planner.chat import Message, ModelCard, Prompt


def canonical(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@given(st.lists(st.text(st.characters(categories=["L", "N", "P", "S", "Z", "Cc", "Cs", "Co"]))))
def test_a_prompt_is_named_by_the_json_of_its_messages(texts: list[str]) -> None:
    prompt = Prompt(tuple(Message("user", text) for text in texts), "")
    assert prompt.sha256 == canonical([["user", text] for text in texts])


def test_a_request_is_named_by_all_that_decides_its_answer() -> None:
    prompt = Prompt((Message("user", "What is missing?"),), "", sample=2)
    card = ModelCard("lm-planner", "m", "gpt/m", "http://gpu/v1", (("temperature", 1e-05), ("top_p", 0.9)))
    parameters = [["temperature", 1e-05], ["top_p", 0.9]]
    assert card.identity(prompt) == canonical(["http://gpu/v1", "gpt/m", parameters, prompt.sha256, 2])
