"""Conformance: what the contract asks of every method, tried on its toy.

`check(MyMethod)` needs no pack and no weights; it takes seconds. Only what the card declares is
tried; a run refuses the rest.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from frostbench.plugins.contract.cards import REQUEST_TYPES, Card
from frostbench.plugins.contract.images import as_batch
from frostbench.plugins.contract.method import Method
from frostbench.plugins.host.containment import Call, contain
from frostbench.plugins.host.errors import cut, describe
from frostbench.plugins.host.limits import TOY_LIMITS, Limits, limited
from frostbench.plugins.kit import answer_checks, token_checks, toys
from frostbench.plugins.kit.requests import requests
from frostbench.plugins.kit.sameness import same
from frostbench.plugins.kit.trial import BrokenPromiseError, Trial, expect


@dataclass(frozen=True)
class Result:
    """The result of one check: its sentence, whether it holds, and if not, why."""

    name: str
    ok: bool
    detail: str = ""


def check(method_class: type[Method], most: Limits = TOY_LIMITS) -> list[Result]:
    """Try every check on the method's toy, with toy backbones and the real engine.

    A check that takes more than `most` does not hold, and nothing is tried after it.
    """
    trial = Trial(method_class, most)
    return [result_of(trial, name) for name in CHECKS]


def result_of(trial: Trial, name: str) -> Result:
    """Try the check called `name`."""
    if trial.overrun:
        return Result(name, False, f"not tried, since the method takes too long ({trial.overrun})")
    try:
        with limited(trial.most):
            contain(Call("method", trial.name, name), CHECKS[name], trial)
    except BrokenPromiseError as broken:
        return _broken(trial, name, cut(str(broken)))
    except Exception as error:  # the author's code: its failure is a result
        return _broken(trial, name, describe(error))
    return Result(name, True)


def _broken(trial: Trial, name: str, why: str) -> Result:
    """What does not hold; after a limit was met, no other check is tried."""
    if any(f"({limit})" in why for limit in ("most_waves", "most_seconds")):
        trial.overrun = name
    return Result(name, False, why)


def the_card_says_what_the_method_is(trial: Trial) -> None:
    """A name, a paper, capabilities, and backbones that exist."""
    card = getattr(trial.method_class, "card", None)
    expect(isinstance(card, Card), f"`card` is no Card but {type(card).__name__}.")
    assert isinstance(card, Card)
    expect(bool(card.paper), "the card names no paper; a link or a line that cites it will do.")
    expect(bool(card.capabilities), f"the card declares none of {', '.join(REQUEST_TYPES)}.")
    strange = set(card.backbones) - set(toys.roles())
    expect(
        not strange,
        f"it needs backbones {sorted(strange)}; there are toys for {', '.join(toys.roles())}. "
        "A kind of backbone offers more by its attribute `toys`, and a test by toys.offer.",
    )


def the_toy_is_always_the_same(trial: Trial) -> None:
    """Two toys give the same tokens and the same fingerprint."""
    other = trial.method_class.toy()
    expect(isinstance(other, trial.method_class), "toy() returns no instance of the class.")
    hidden = [name for name in vars(other) if callable(getattr(Method, name, None))]
    expect(not hidden, f"its attribute {', '.join(hidden)} hides the method's own of that name.")
    one, two = trial.method.fingerprint, other.fingerprint
    expect(one == two, f"two toys have fingerprints {one[:12]}... and {two[:12]}...; seed them.")
    expect(
        len(one) >= 16 and set(one) <= set("0123456789abcdef"),
        f"the fingerprint {one!r} is no hex digest.",
    )
    batch = as_batch(trial.images)
    expect(same(trial.method.tokenize(*batch), other.tokenize(*batch)), "their tokens differ.")


def controls_are_made_and_keep_the_same_promises(trial: Trial) -> None:
    """Each control that the card names answers, from the method's tokens, as a method does."""
    for name, control in trial.controls.items():
        expect(bool(control.requests), f"the control {name!r} answers nothing.")
        for promise in PROMISES_OF_CONTROLS:
            try:
                promise(control)
            except BrokenPromiseError as broken:
                raise BrokenPromiseError(f"the control {name!r}: {broken}") from broken
    try:
        trial.method.control("no control of this name")
    except LookupError:
        return
    raise BrokenPromiseError("control() makes something of a name that no card has.")


def requests_are_left_as_they_were(trial: Trial) -> None:
    """No image, mask or token is written to."""
    fresh = requests()
    known = {one.id: one for several in fresh.values() for one in several}
    tokens = trial.tokenize(trial.images)
    kept = dict(zip(trial.images, tokens.split(), strict=True))
    trial.method.decode(trial.requests, trial.outcomes)
    for request in trial.requests:
        expect(same(request, known[request.id]), f"{request.id!r} was changed.")
    expect(same(dict(trial.tokens), kept), "visual tokens were changed.")


def backbones_are_left_as_they_were(trial: Trial) -> None:
    """Frozen means frozen: the toys' weights are unchanged."""
    trial.method.decode(trial.requests, trial.outcomes)
    after = toys.checksums()
    changed = [role for role in after if after[role] != trial.before[role]]
    expect(not changed, f"the method writes to {', '.join(changed)}.")


PROMISES_OF_CONTROLS = (
    answer_checks.prompt_yields_lists_of_prompts,
    answer_checks.prompting_repeats_itself,
    answer_checks.outcomes_do_not_depend_on_company,
    answer_checks.decode_gives_what_was_asked_for,
    answer_checks.decode_does_not_depend_on_company,
)

CHECKS: Mapping[str, Callable[[Trial], None]] = {
    function.__name__.replace("_", " "): function
    for function in (
        the_card_says_what_the_method_is,
        the_toy_is_always_the_same,
        token_checks.tokenize_gives_one_row_an_image,
        token_checks.tokens_do_not_depend_on_the_batch,
        token_checks.the_whole_of_a_whole_image_is_the_image,
        token_checks.tokenize_repeats_itself_and_changes_nothing,
        token_checks.tokens_survive_being_kept,
        token_checks.a_changed_weight_changes_the_key,
        token_checks.words_are_rows_of_texts,
        token_checks.neighbours_begin_with_the_words,
        answer_checks.prompt_yields_lists_of_prompts,
        answer_checks.prompting_repeats_itself,
        answer_checks.samples_are_drawn_from_the_requests_seed,
        answer_checks.outcomes_do_not_depend_on_company,
        answer_checks.decode_gives_what_was_asked_for,
        answer_checks.decode_does_not_depend_on_company,
        answer_checks.declined_tasks_are_refused,
        controls_are_made_and_keep_the_same_promises,
        requests_are_left_as_they_were,
        backbones_are_left_as_they_were,
    )
}
