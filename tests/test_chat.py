"""The boundary to models: what names a prompt and a request."""

import hashlib
import json
import pickle

from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from planner.chat import Completion, Message, ModelInfo, Prompt


def canonical(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


TEXTS = st.text(st.characters(categories=["L", "N", "P", "S", "Z", "Cc", "Cs", "Co"]))


@given(st.lists(TEXTS))
def test_a_prompt_is_named_by_the_json_of_its_messages(texts: list[str]) -> None:
    prompt = Prompt.from_messages(Message("user", text) for text in texts)
    repaired = [text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace") for text in texts]
    assert prompt.sha256 == canonical([{"role": "user", "content": text} for text in repaired])
    assert [message.content for message in prompt.messages] == repaired
    assert prompt.message_count == len(texts)


@given(TEXTS)
def test_any_reply_can_be_stored(text: str) -> None:
    stored = TypeAdapter(Completion)
    reply = Completion(text, text, text, text, model=text, request_id=text, raw={text: [text]}, notes=(text,))
    assert stored.validate_json(stored.dump_json(reply)) == reply
    assert (len(reply.notes) == 2) == (reply.text != text)


def test_a_prompt_travels_as_what_is_sent_and_what_is_known_of_it() -> None:
    prompt = Prompt.from_messages([Message("system", "Be brief."), Message("user", "What is missing?")], "t", sample=2)
    state = pickle.loads(pickle.dumps(prompt)).__dict__
    assert {"sha256", "message_count", "min_tokens"} < state.keys()
    assert "messages" not in state, "the text would travel twice"
    again = pickle.loads(pickle.dumps(prompt))
    assert again == prompt
    assert again.messages == prompt.messages
    assert (again.sha256, again.message_count, again.min_tokens) == (prompt.sha256, 2, 5)


def test_a_request_is_named_by_all_that_decides_its_answer() -> None:
    prompt = Prompt.from_messages((Message("user", "What is missing?"),), "", sample=2)
    info = ModelInfo("lm-planner", "m", "gpt/m", "http://gpu/v1", (("temperature", 1e-05), ("top_p", 0.9)))
    parameters = [["temperature", 1e-05], ["top_p", 0.9]]
    assert info.identify_request(prompt) == canonical(["http://gpu/v1", "gpt/m", parameters, prompt.sha256, 2])
