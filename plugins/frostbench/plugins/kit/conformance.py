"""Conformance: what the contract asks of every method, tried on its toy.

`check(MyMethod)` needs no pack and no weights; it takes seconds. Only what the card declares is
tried, and that the rest is refused.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from frostbench.plugins.contract.cards import REQUEST_TYPES, Card
from frostbench.plugins.contract.completions import Completion
from frostbench.plugins.contract.engine import Engine
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.method import Method, Tokens
from frostbench.plugins.contract.prompts import Prompt
from frostbench.plugins.contract.requests import Request, Restore, images_of
from frostbench.plugins.contract.tokens import VisualTokens, join
from frostbench.plugins.engine.waves import Outcome, drive
from frostbench.plugins.host.errors import describe
from frostbench.plugins.kit import toys
from frostbench.plugins.kit.flaws import flaw
from frostbench.plugins.kit.requests import images, requests
from frostbench.plugins.kit.sameness import same

NEIGHBOURS = 3  # nearest words of each token that are asked for


@dataclass(frozen=True)
class Result:
    """What became of one check: its sentence, whether it holds, and if not, why."""

    name: str
    ok: bool
    detail: str = ""


class BrokenPromiseError(Exception):
    """A promise of the contract does not hold; the message says what was seen."""


def check(method_class: type[Method]) -> list[Result]:
    """Try every check on the method's toy, with toy backbones and the real engine."""
    trial = Trial(method_class)
    return [trial.result(name) for name in CHECKS]


@dataclass
class _Recorder:
    """An engine that remembers what it was asked."""

    engine: Engine
    asked: list[Prompt] = field(default_factory=list)

    def run(self, prompts: Sequence[Prompt]) -> list[Completion]:
        """Pass the prompts on."""
        self.asked += prompts
        return self.engine.run(prompts)


class Trial:
    """A method's toy with requests to try it on; what checks share is computed once."""

    def __init__(self, method_class: type[Method]) -> None:
        self.method_class = method_class
        self.before = toys.checksums()

    def result(self, name: str) -> Result:
        """Try the check called `name`."""
        try:
            CHECKS[name](self)
        except BrokenPromiseError as broken:
            return Result(name, False, str(broken))
        except Exception as error:  # the author's code: its failure is a result
            return Result(name, False, describe(error))
        return Result(name, True)

    @cached_property
    def method(self) -> Method:
        """The toy."""
        return self.method_class.toy()

    @cached_property
    def engine(self) -> Engine:
        """The engine, with the toy backbones."""
        return toys.engine()

    @cached_property
    def requests(self) -> list[Request]:
        """Requests of the types that the card declares, without tasks that it declines by name."""
        card, by_type = self.method.card, requests()
        declared = [one for kind in sorted(card.capabilities) for one in by_type[kind]]
        return [one for one in declared if not _declined(card, one)]

    @cached_property
    def controls(self) -> dict[str, "Trial"]:
        """A trial of each control that the method makes itself, on the method's own tokens."""
        trials = {}
        for name in self.method.card.controls:
            made = self.method.control(name)
            _expect(
                isinstance(made, Method),
                f"control({name!r}) returned a {type(made).__name__}, not a Method.",
            )
            trial = Trial(type(made))
            trial.method, trial.images, trial.tokens = made, self.images, self.tokens
            trials[name] = trial
        return trials

    @cached_property
    def images(self) -> list[Image]:
        """Every image of the requests, or, where there is none, some images."""
        seen = dict.fromkeys(image for one in self.requests for image in images_of(one))
        return list(seen) or images()

    @cached_property
    def tokens(self) -> Tokens:
        """The tokens of every image."""
        return dict(zip(self.images, self.tokenize(self.images).split(), strict=True))

    @cached_property
    def outcomes(self) -> list[Any]:
        """What the requests' prompts led to."""
        return self.drive(self.requests)

    def tokenize(self, images: Sequence[Image]) -> VisualTokens:
        """The tokens of a batch of images."""
        return self.method.tokenize(*padded(images))

    def waves(self, request: Request) -> Any:
        """The request's generator, with the tokens of its own images and no others."""
        return self.method.prompt(request, {i: self.tokens[i] for i in images_of(request)})

    def drive(self, several: Sequence[Request], engine: Engine | None = None) -> list[Any]:
        """The outcomes of requests that run together."""
        outcomes = drive([self.waves(one) for one in several], engine or self.engine)
        return [_value(one, outcome) for one, outcome in zip(several, outcomes, strict=True)]


def _value(request: Request, outcome: Outcome) -> Any:
    if outcome.error is not None:
        raise BrokenPromiseError(
            f"request {request.id!r} ({_kind(request)}) failed: {outcome.error}"
        )
    return outcome.value


def _declined(card: Card, request: Request) -> bool:
    """Whether the card says by a task's name why the method does not answer this restoration."""
    return isinstance(request, Restore) and request.corruption in card.reasons


def _kind(request: Request) -> str:
    return type(request).__name__


def padded(
    images: Sequence[Image], fill: float = 0.0
) -> tuple[Float[Tensor, "b 3 h w"], Int[Tensor, "b 2"]]:
    """Images as one batch, padded at the bottom and at the right, and their sizes."""
    sizes = torch.tensor([image.size for image in images])
    height, width = sizes.amax(0).tolist()
    batch = torch.full((len(images), 3, height, width), fill)
    for row, image in zip(batch, images, strict=True):
        row[:, : image.size[0], : image.size[1]] = image.pixels
    return batch, sizes


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise BrokenPromiseError(otherwise)


def the_card_says_what_the_method_is(trial: Trial) -> None:
    """A name, a paper, capabilities, and backbones that exist."""
    card = getattr(trial.method_class, "card", None)
    _expect(isinstance(card, Card), f"`card` is no Card but {type(card).__name__}.")
    assert isinstance(card, Card)
    _expect(bool(card.paper), "the card names no paper; a link or a line that cites it will do.")
    _expect(bool(card.capabilities), f"the card declares none of {', '.join(REQUEST_TYPES)}.")
    strange = set(card.backbones) - set(toys.ROLES)
    _expect(
        not strange,
        f"it needs backbones {sorted(strange)}; the kit has toys for {', '.join(toys.ROLES)}.",
    )


def the_toy_is_always_the_same(trial: Trial) -> None:
    """Two toys give the same tokens and the same fingerprint."""
    other = trial.method_class.toy()
    _expect(isinstance(other, trial.method_class), "toy() returns no instance of the class.")
    one, two = trial.method.fingerprint, other.fingerprint
    _expect(one == two, f"two toys have fingerprints {one[:12]}... and {two[:12]}...; seed them.")
    _expect(
        len(one) >= 16 and set(one) <= set("0123456789abcdef"),
        f"the fingerprint {one!r} is no hex digest.",
    )
    batch = padded(trial.images)
    _expect(same(trial.method.tokenize(*batch), other.tokenize(*batch)), "their tokens differ.")


def tokenize_gives_one_row_an_image(trial: Trial) -> None:
    """The batch axis of every part has as many rows as there are images."""
    tokens = trial.tokenize(trial.images)
    _expect(isinstance(tokens, VisualTokens), f"it returns {type(tokens).__name__}.")
    _expect(bool(tokens.parts), "the visual tokens have no part.")
    expected = len(trial.images)
    for name, part in tokens.parts.items():
        rows = len(VisualTokens({name: part}))
        _expect(rows == expected, f"part {name!r} has {rows} rows for {expected} images.")


def tokens_do_not_depend_on_the_batch(trial: Trial) -> None:
    """An image alone, in a batch, in any order, padded with anything: the same tokens."""
    images = trial.images
    together = trial.tokenize(images).split()
    for image, tokens in zip(images, together, strict=True):
        _expect(same(trial.tokenize([image]).split()[0], tokens), f"{image.name!r} alone differs.")
    backwards = trial.tokenize(images[::-1]).split()[::-1]
    _expect(same(backwards, together), "in reverse order they differ.")
    white = trial.method.tokenize(*padded(images, fill=1.0)).split()
    _expect(same(white, together), "they depend on the padding outside of `sizes`.")


def tokenize_repeats_itself_and_changes_nothing(trial: Trial) -> None:
    """Twice the same, and the batch is left as it was."""
    batch, sizes = padded(trial.images)
    kept, kept_sizes = batch.clone(), sizes.clone()
    first, second = trial.method.tokenize(batch, sizes), trial.method.tokenize(batch, sizes)
    _expect(same(first, second), "a second call gives other tokens.")
    _expect(torch.equal(batch, kept) and torch.equal(sizes, kept_sizes), "it changes the images.")


def tokens_survive_being_kept(trial: Trial) -> None:
    """Split and joined, stored and read back, they are what they were."""
    tokens = trial.tokenize(trial.images)
    _expect(same(join(tokens.split()), tokens), "split and joined, they differ.")
    _expect(
        same(VisualTokens.from_tensors(tokens.tensors()), tokens),
        "stored and read back, they differ; keep them on the CPU, and names without '/'.",
    )


def words_are_rows_of_texts(trial: Trial) -> None:
    """What people are shown is text, in rows, for parts that exist; "part/1" is its layer 1."""
    for image, tokens in trial.tokens.items():
        for name, rows in trial.method.words(tokens).items():
            part = name.partition("/")[0]
            _expect(part in tokens.parts, f"{name!r} is none of {', '.join(tokens.parts)}.")
            _expect(
                all(isinstance(word, str) for row in rows for word in row),
                f"the words of {image.name!r}, part {name!r}, are not all texts.",
            )


def neighbours_begin_with_the_words(trial: Trial) -> None:
    """The nearest word of each token is the token's own, or a part has no neighbours at all."""
    several = trial.method.neighbours(*padded(trial.images), NEIGHBOURS)
    shown, given = len(trial.images), len(several)
    _expect(shown == given, f"{shown} images get the neighbours of {given}.")
    for image, parts in zip(trial.images, several, strict=True):
        words = trial.method.words(trial.tokens[image])
        for name, rows in parts.items():
            where = f"the neighbours of {image.name!r}, part {name!r},"
            _expect(name in words, f"{where} are of no part that has words.")
            _expect(
                [len(row) for row in rows] == [len(row) for row in words[name]],
                f"{where} are not in the rows of its words.",
            )
            cells = [cell for row in rows for cell in row]
            _expect(
                all(isinstance(word, str) for cell in cells for word in cell),
                f"{where} are not all texts.",
            )
            _expect(
                all(0 < len(cell) <= NEIGHBOURS for cell in cells),
                f"{where} are not 1 to {NEIGHBOURS} for each token.",
            )
            firsts = [cell[0] for cell in cells]
            _expect(
                firsts == [word for row in words[name] for word in row],
                f"{where} do not begin with the words.",
            )


def prompt_yields_lists_of_prompts(trial: Trial) -> None:
    """Each wave is a list of prompts for backbones that the card names."""
    for request in trial.requests:
        waves = trial.waves(request)
        try:
            wave = next(waves)
            while True:
                _expect(isinstance(wave, list), f"{request.id!r}: a wave is no list.")
                for prompt in wave:
                    _expect(isinstance(prompt, Prompt), f"{request.id!r}: {prompt!r} is no Prompt.")
                    _expect(
                        prompt.backbone in trial.method.card.backbones,
                        f"{request.id!r} asks backbone {prompt.backbone!r}, and the card names "
                        f"{', '.join(trial.method.card.backbones) or 'none'}.",
                    )
                wave = waves.send(trial.engine.run(wave))
        except StopIteration:
            pass


def prompting_repeats_itself(trial: Trial) -> None:
    """The same request leads to the same prompts and the same outcome."""
    for request in trial.requests:
        first, second = _Recorder(trial.engine), _Recorder(trial.engine)
        one, two = trial.drive([request], first), trial.drive([request], second)
        _expect(
            same(first.asked, second.asked),
            f"{request.id!r} asks something else the second time; draw from request.seed alone.",
        )
        _expect(same(one, two), f"{request.id!r} has another outcome the second time.")


def outcomes_do_not_depend_on_company(trial: Trial) -> None:
    """A request alone, with others, in any order: the same outcome."""
    backwards = trial.drive(trial.requests[::-1])[::-1]
    for request, outcome, other in zip(trial.requests, trial.outcomes, backwards, strict=True):
        _expect(same(outcome, other), f"{request.id!r} in reverse order ends otherwise.")
        (alone,) = trial.drive([request])
        _expect(same(outcome, alone), f"{request.id!r} alone ends otherwise.")


def decode_gives_what_was_asked_for(trial: Trial) -> None:
    """One prediction a request, of the right kind and size, finite and in range."""
    predictions = trial.method.decode(trial.requests, trial.outcomes)
    expected, given = len(trial.requests), len(predictions)
    _expect(expected == given, f"{expected} requests get {given} predictions.")
    for request, prediction in zip(trial.requests, predictions, strict=True):
        problem = flaw(request, prediction)
        _expect(problem is None, f"{request.id!r}: {problem}")


def decode_does_not_depend_on_company(trial: Trial) -> None:
    """A prediction alone, with others, in any order is the same."""
    pairs = list(zip(trial.requests, trial.outcomes, strict=True))
    together = trial.method.decode(trial.requests, trial.outcomes)
    for (request, outcome), prediction in zip(pairs, together, strict=True):
        (alone,) = trial.method.decode([request], [outcome])
        _expect(same(alone, prediction), f"{request.id!r} alone gives another prediction.")
    backwards = trial.method.decode(trial.requests[::-1], trial.outcomes[::-1])[::-1]
    _expect(same(backwards, together), "in reverse order predictions differ.")


def other_requests_are_refused(trial: Trial) -> None:
    """A request of a type that the card does not name fails, and the error names the type."""
    for kind, several in requests().items():
        if kind in trial.method.card.capabilities:
            continue
        images = images_of(several[0])
        tokens = dict(zip(images, trial.tokenize(images).split(), strict=True))
        (outcome,) = drive([trial.method.prompt(several[0], tokens)], trial.engine)
        _expect(outcome.error is not None, f"a {kind} request is answered, undeclared.")
        _expect(kind in str(outcome.error), f"a {kind} request ends in {outcome.error!r}.")


def declined_tasks_are_refused(trial: Trial) -> None:
    """A restoration that the card declines by its task's name fails."""
    card = trial.method.card
    for request in requests()["Restore"] if "Restore" in card.capabilities else ():
        if _declined(card, request):
            images = images_of(request)
            tokens = dict(zip(images, trial.tokenize(images).split(), strict=True))
            (outcome,) = drive([trial.method.prompt(request, tokens)], trial.engine)
            _expect(outcome.error is not None, f"{request.id!r} is answered, though declined.")


def controls_are_made_and_keep_the_same_promises(trial: Trial) -> None:
    """Each control that the card names answers, from the method's tokens, as a method does."""
    for name, control in trial.controls.items():
        _expect(bool(control.requests), f"the control {name!r} answers nothing.")
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
        _expect(same(request, known[request.id]), f"{request.id!r} was changed.")
    _expect(same(dict(trial.tokens), kept), "visual tokens were changed.")


def backbones_are_left_as_they_were(trial: Trial) -> None:
    """Frozen means frozen: the toys' weights are those of before."""
    trial.method.decode(trial.requests, trial.outcomes)
    after = toys.checksums()
    changed = [role for role in after if after[role] != trial.before[role]]
    _expect(not changed, f"the method writes to {', '.join(changed)}.")


PROMISES_OF_CONTROLS = (
    prompt_yields_lists_of_prompts,
    prompting_repeats_itself,
    outcomes_do_not_depend_on_company,
    decode_gives_what_was_asked_for,
    decode_does_not_depend_on_company,
)

CHECKS: Mapping[str, Callable[[Trial], None]] = {
    function.__name__.replace("_", " "): function
    for function in (
        the_card_says_what_the_method_is,
        the_toy_is_always_the_same,
        tokenize_gives_one_row_an_image,
        tokens_do_not_depend_on_the_batch,
        tokenize_repeats_itself_and_changes_nothing,
        tokens_survive_being_kept,
        words_are_rows_of_texts,
        neighbours_begin_with_the_words,
        prompt_yields_lists_of_prompts,
        prompting_repeats_itself,
        outcomes_do_not_depend_on_company,
        decode_gives_what_was_asked_for,
        decode_does_not_depend_on_company,
        other_requests_are_refused,
        declined_tasks_are_refused,
        controls_are_made_and_keep_the_same_promises,
        requests_are_left_as_they_were,
        backbones_are_left_as_they_were,
    )
}
