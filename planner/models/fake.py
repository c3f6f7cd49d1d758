"""A model for tests, which gives prepared answers and sends nothing."""

from typing import Self

from planner.chat import LM_PLANNER, Completion, ModelInfo, Prompt, Usage


class FakeModel:
    """A model that answers each request with the next prepared answer, and keeps the prompts in `prompts`.

    An answer is the text of a reply, a whole completion, or an exception to raise. The model is an async context
    manager, as `OpenAIChat` is.
    """

    def __init__(self, *answers: str | Completion | Exception, name: str = "fake") -> None:
        self.info = ModelInfo(LM_PLANNER, name, name, endpoint="http://nowhere/v1")
        self.prompts: list[Prompt] = []
        self._answers = answers

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Do nothing, since no connection is open."""

    async def complete(self, prompt: Prompt) -> Completion:
        """Return or raise the next answer; a text becomes a completion with 100 prompt and 10 completion tokens.

        Raises:
            AssertionError: if there are more requests than answers.
        """
        self.prompts.append(prompt)
        if len(self.prompts) > len(self._answers):
            raise AssertionError(
                f"the fake model has {len(self._answers)} answers, but got request {len(self.prompts)}"
            )
        answer = self._answers[len(self.prompts) - 1]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, str):
            return Completion(answer, finish_reason="stop", usage=Usage(100, 10), model=self.info.name)
        return answer
