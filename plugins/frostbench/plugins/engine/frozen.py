"""The engine over all backbones of a pack."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from frostbench.plugins.backbones.adapters import adapted
from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.contract.completions import Completion, Failed
from frostbench.plugins.contract.engine import Length, UnanswerableError
from frostbench.plugins.contract.method import Backbones
from frostbench.plugins.contract.prompts import Adapter, Prompt, Score
from frostbench.plugins.engine.model import ModelEngine
from frostbench.plugins.engine.resolve import measure
from frostbench.plugins.engine.score import ScoreEngine, TwoTowers
from frostbench.plugins.engine.settings import EngineSettings
from frostbench.plugins.engine.traits import Traits
from frostbench.plugins.host.settings import read_settings


class FrozenEngine:
    """Answers prompts with the frozen models of a pack.

    One call brings the prompts of many requests and methods; each backbone's prompts are batched
    together, those under an adapter by themselves. An answer does not depend, beyond rounding, on
    the other prompts.

    Attributes:
        settings: Sizes of batches; they may be given as plain values by key.

    Raises:
        ValueError: a setting is unknown or wrong.
    """

    def __init__(
        self,
        backbones: Backbones,
        settings: EngineSettings | Mapping[str, object] | None = None,
    ) -> None:
        self._backbones = backbones
        self.settings = (
            settings
            if isinstance(settings, EngineSettings)
            else read_settings(EngineSettings, settings or {}, "engine")
        )
        self._engines: dict[tuple[str, Adapter | None], ModelEngine] = {}
        self._scorers: dict[str, ScoreEngine] = {}
        self._adapted: dict[tuple[str, Adapter], CausalLM] = {}

    def run(self, prompts: Sequence[Prompt]) -> list[Completion]:
        """One completion a prompt, in order. A prompt that cannot be answered is `Failed`."""
        answers: list[Completion | None] = [None] * len(prompts)
        groups: dict[tuple[str, Adapter | None, bool], list[int]] = {}
        for index, prompt in enumerate(prompts):
            key = prompt.backbone, prompt.adapter, isinstance(prompt.ask, Score)
            groups.setdefault(key, []).append(index)
        for (role, adapter, scores), members in groups.items():
            make = partial(self._scorer, role) if scores else partial(self._engine, role, adapter)
            completions = _run(make, [prompts[index] for index in members])
            for index, completion in zip(members, completions, strict=True):
                answers[index] = completion
        return [answer for answer in answers if answer is not None]

    def measure(self, prompt: Prompt) -> Length:
        """How long a prompt is for its backbone, which is loaded and not run; `Score` has none.

        Raises:
            ValueError: the backbone cannot answer it, for another reason than its length.
            LookupError: there is no such backbone.
            TypeError: it is no language model.
        """
        if isinstance(prompt.ask, Score):
            self._scorer(prompt.backbone)
            return Length(0, 0, None)
        try:
            return measure(prompt, self._language_model(prompt.backbone), prompt.backbone)
        except UnanswerableError as error:
            raise ValueError(str(error)) from error

    def traits(self, role: str, adapter: Adapter | None = None) -> Traits:
        """Which of caches, branches and padding were found to leave a backbone's answers unchanged.

        Raises:
            LookupError: there is no such backbone.
            TypeError: it is no language model.
            ValueError: the adapter cannot be read, or does not fit.
        """
        return self._engine(role, adapter).traits

    def held(self) -> Mapping[tuple[str, Adapter], CausalLM]:
        """The backbones under adapters, which are loaded here."""
        return dict(self._adapted)

    def _engine(self, role: str, adapter: Adapter | None) -> ModelEngine:
        key = role, adapter
        if key not in self._engines:
            lm = self._language_model(role)
            if adapter is not None:
                lm = self._adapted[role, adapter] = adapted(lm, adapter)
            self._engines[key] = ModelEngine(lm, role, self.settings)
        return self._engines[key]

    def _scorer(self, role: str) -> ScoreEngine:
        if role not in self._scorers:
            backbone = self._backbones.get(role)
            if not isinstance(backbone, TwoTowers):
                raise TypeError(
                    f"backbone {role!r} is a {type(backbone).__name__}, which has no towers for "
                    "images and texts; Score asks a CLIP."
                )
            self._scorers[role] = ScoreEngine(backbone, role, self.settings)
        return self._scorers[role]

    def _language_model(self, role: str) -> CausalLM:
        backbone = self._backbones.get(role)
        if not isinstance(backbone, CausalLM):
            raise TypeError(
                f"backbone {role!r} is a {type(backbone).__name__}, which answers no prompts "
                "but Score, if it has two towers; all other asks are for language models."
            )
        return backbone


def _run(
    make: Callable[[], ModelEngine | ScoreEngine], prompts: Sequence[Prompt]
) -> list[Completion]:
    try:
        engine = make()
    except (LookupError, ValueError, TypeError) as error:
        reason = error.args[0] if error.args else type(error).__name__
        return [Failed(str(reason)) for _ in prompts]
    return engine.run(prompts)
