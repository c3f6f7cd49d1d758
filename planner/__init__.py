"""Plan the ablations that a paper is missing.

The names in `__all__` are imported when they are first used, so that `import planner` is fast.
"""

__version__ = "0.1.0"

TYPE_CHECKING = False  # as in `typing`, which would have to be imported
if TYPE_CHECKING:
    from planner.models.openai_chat.chat import OpenAIChat
    from planner.models.wrappers import RetryingModel
    from planner.papers.load import load_paper
    from planner.planning.first_prompt import PlanSettings
    from planner.planning.plan import PlanResult, plan_paper
    from planner.schema import Task
else:
    _MODULES = {
        "OpenAIChat": "models.openai_chat.chat",
        "PlanResult": "planning.plan",
        "PlanSettings": "planning.first_prompt",
        "RetryingModel": "models.wrappers",
        "Task": "schema",
        "load_paper": "papers.load",
        "plan_paper": "planning.plan",
    }

    def __getattr__(name):
        """Import a name of `__all__` from its module."""
        from importlib import import_module

        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


__all__ = ["OpenAIChat", "PlanResult", "PlanSettings", "RetryingModel", "Task", "load_paper", "plan_paper"]
