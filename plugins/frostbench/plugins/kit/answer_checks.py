"""Checks of `prompt` and `decode`."""

from collections.abc import Sequence
from dataclasses import replace

from frostbench.plugins.contract.prompts import Generate, Prompt
from frostbench.plugins.engine.answer import decoded
from frostbench.plugins.kit.requests import requests
from frostbench.plugins.kit.sameness import same
from frostbench.plugins.kit.trial import Recorder, Trial, declined, expect


def prompt_yields_lists_of_prompts(trial: Trial) -> None:
    """Each wave is a list of prompts for backbones that the card names."""
    for request in trial.requests:
        recorder = Recorder(trial.engine)
        try:
            trial.drive([request], recorder)
        finally:
            for prompt in recorder.asked:
                expect(
                    prompt.backbone in trial.method.card.backbones,
                    f"{request.id!r} asks backbone {prompt.backbone!r}, and the card names "
                    f"{', '.join(trial.method.card.backbones) or 'none'}.",
                )


def prompting_repeats_itself(trial: Trial) -> None:
    """The same request leads to the same prompts and the same outcome."""
    for request in trial.requests:
        first, second = Recorder(trial.engine), Recorder(trial.engine)
        one, two = trial.drive([request], first), trial.drive([request], second)
        expect(
            same(first.asked, second.asked),
            f"{request.id!r} asks something else the second time; draw from request.seed alone.",
        )
        expect(same(one, two), f"{request.id!r} has another outcome the second time.")


def samples_are_drawn_from_the_requests_seed(trial: Trial) -> None:
    """A method that samples draws otherwise when the same request has another seed."""
    if not _seeds(trial.asked[0]):
        return
    for request in trial.requests:
        one, other = Recorder(trial.engine), Recorder(trial.engine)
        trial.drive([request], one)
        trial.drive([replace(request, seed=request.seed + 1)], other)
        seeds = _seeds(one.asked)
        expect(
            not seeds or seeds != _seeds(other.asked),
            f"{request.id!r} samples with seed {next(iter(seeds), 0)} whatever the request's seed "
            "is; give Generate a seed that is made of it: seed_of(request.seed, step).",
        )


def _seeds(asked: Sequence[Prompt]) -> list[int]:
    """The seeds of the prompts that are sampled."""
    asks = [prompt.ask for prompt in asked]
    return [ask.seed for ask in asks if isinstance(ask, Generate) and ask.temperature]


def outcomes_do_not_depend_on_company(trial: Trial) -> None:
    """A request alone, with others, in any order: the same outcome."""
    backwards = trial.drive(trial.requests[::-1])[::-1]
    for request, outcome, other in zip(trial.requests, trial.outcomes, backwards, strict=True):
        expect(same(outcome, other), f"{request.id!r} in reverse order ends otherwise.")
        (alone,) = trial.drive([request])
        expect(same(outcome, alone), f"{request.id!r} alone ends otherwise.")


def decode_gives_what_was_asked_for(trial: Trial) -> None:
    """One prediction a request, of the right kind and size, finite and in range."""
    decoded(trial.method, trial.requests, trial.outcomes)


def decode_does_not_depend_on_company(trial: Trial) -> None:
    """A prediction alone, with others, in any order is the same."""
    pairs = list(zip(trial.requests, trial.outcomes, strict=True))
    together = trial.method.decode(trial.requests, trial.outcomes)
    for (request, outcome), prediction in zip(pairs, together, strict=True):
        (alone,) = trial.method.decode([request], [outcome])
        expect(same(alone, prediction), f"{request.id!r} alone gives another prediction.")
    backwards = trial.method.decode(trial.requests[::-1], trial.outcomes[::-1])[::-1]
    expect(same(backwards, together), "in reverse order predictions differ.")


def declined_tasks_are_refused(trial: Trial) -> None:
    """A restoration that the card declines by its task's name fails."""
    card = trial.method.card
    for request in requests()["Restore"] if "Restore" in card.capabilities else ():
        if declined(card, request):
            expect(
                trial.refusal(request) is not None, f"{request.id!r} is answered, though declined."
            )
