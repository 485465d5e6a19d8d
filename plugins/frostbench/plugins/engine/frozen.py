"""The engine over all backbones of a pack."""

from collections.abc import Sequence

from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.completions import Completion, Failed
from frostbench.plugins.engine.model import ModelEngine
from frostbench.plugins.engine.settings import EngineSettings
from frostbench.plugins.engine.traits import Traits
from frostbench.plugins.method import Backbones
from frostbench.plugins.prompts import Prompt


class FrozenEngine:
    """Answers prompts with the frozen models of a pack.

    The prompts of many requests, of many methods, come in one call; each backbone's are batched
    together. An answer does not depend, beyond rounding, on the prompts beside it.
    """

    def __init__(self, backbones: Backbones, settings: EngineSettings | None = None) -> None:
        self._backbones = backbones
        self._settings = settings or EngineSettings()
        self._engines: dict[str, ModelEngine] = {}

    def run(self, prompts: Sequence[Prompt]) -> list[Completion]:
        """One completion a prompt, in order. A prompt that cannot be answered is `Failed`."""
        answers: list[Completion | None] = [None] * len(prompts)
        by_role: dict[str, list[int]] = {}
        for index, prompt in enumerate(prompts):
            by_role.setdefault(prompt.backbone, []).append(index)
        for role, members in by_role.items():
            completions = self._run(role, [prompts[index] for index in members])
            for index, completion in zip(members, completions, strict=True):
                answers[index] = completion
        return [answer for answer in answers if answer is not None]

    def traits(self, role: str) -> Traits:
        """What was found to leave a backbone's answers as they are: caches, branches, padding.

        Raises:
            LookupError: there is no such backbone.
            TypeError: it is no language model.
        """
        return self._engine(role).traits

    def _run(self, role: str, prompts: Sequence[Prompt]) -> list[Completion]:
        try:
            engine = self._engine(role)
        except (LookupError, ValueError, TypeError) as error:
            reason = error.args[0] if error.args else type(error).__name__
            return [Failed(str(reason)) for _ in prompts]
        return engine.run(prompts)

    def _engine(self, role: str) -> ModelEngine:
        if role not in self._engines:
            backbone = self._backbones.get(role)
            if not isinstance(backbone, CausalLM):
                raise TypeError(
                    f"backbone {role!r} is a {type(backbone).__name__}, which answers no prompts; "
                    "this engine asks language models."
                )
            self._engines[role] = ModelEngine(backbone, role, self._settings)
        return self._engines[role]
