"""The work of an isolated method's process: it answers calls of the verbs, one by one.

The run asks `[verb, seconds, done with, arguments]`. The answer is `["made", value]`, or
`["failed", sentence, whether memory was short]`. Outcomes and generators stay here; the run refers
to them by numbers.
"""

import itertools
import signal
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket
from typing import Any, TypeAlias

import torch
from torch import Tensor

from frostbench.bench.isolation.codec import MessageError, MessageReader, MessageWriter
from frostbench.bench.isolation.wire import Wire
from frostbench.bench.runner.frozen import ChangedError, Watch
from frostbench.bench.runner.plan import FrozenBackbones, PlannedMethod
from frostbench.plugins.backbones.devices import is_out_of_memory
from frostbench.plugins.contract.completions import Completion
from frostbench.plugins.contract.method import Method, ReadsWhole
from frostbench.plugins.contract.prompts import Prompt, Regress
from frostbench.plugins.contract.requests import Request
from frostbench.plugins.contract.validity import check_predictions, check_tokens, check_wave
from frostbench.plugins.engine.resolve import Feed, feed_identity
from frostbench.plugins.host.containment import Call, contain
from frostbench.plugins.host.errors import describe
from frostbench.plugins.host.limits import Limits, limited

Opening: TypeAlias = Callable[[], tuple[FrozenBackbones, PlannedMethod]]
"""Opens, in the method's process, what it is built from. It is pickled on its way there."""


@dataclass(frozen=True)
class Serve:
    """The whole work of a process, which the nursery runs."""

    opening: Opening
    device: str
    threads: int
    limits: Limits

    def __call__(self, connection: socket) -> None:
        """Answer until the run is gone."""
        sys.argv = [""]
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run is told, and ends this process
        with suppress(OSError):  # not on every system: out of memory, this one ends
            Path("/proc/self/oom_score_adj").write_text("1000")
        torch.set_num_threads(self.threads)
        serving = _Serving(self.opening)
        reader = MessageReader([self.device.partition(":")[0]])
        writer = MessageWriter(serving.feeds.number)
        wire = Wire(connection)
        with limited(self.limits), suppress(EOFError, OSError):
            while True:
                answer = serving.answer(reader.read(wire.receive()))
                try:
                    message = writer.write(answer)
                except Exception as error:  # raised for what the method returned
                    reason = error if isinstance(error, MessageError) else describe(error)
                    said = f"what it made cannot leave its process: {reason}"
                    message = writer.write(["failed", said, False])
                wire.send(message)


class _Feeds:
    """The functions in prompts that are being answered, by number."""

    def __init__(self) -> None:
        self._numbers: dict[object, int] = {}
        self._feeds: dict[int, Feed] = {}
        self._users: dict[int, int] = {}
        self._next = itertools.count()

    def number(self, feed: Feed) -> int:
        """The number of a feed, the same for one that is in use."""
        number = self._numbers.setdefault(feed_identity(feed), next(self._next))
        self._feeds[number] = feed
        return number

    def use(self, feeds: Sequence[Feed]) -> list[int]:
        """Keep feeds until they are released; their numbers."""
        numbers = [self.number(feed) for feed in feeds]
        for number in numbers:
            self._users[number] = self._users.get(number, 0) + 1
        return numbers

    def release(self, numbers: Sequence[int]) -> None:
        """Forget feeds that are no longer used."""
        for number in numbers:
            self._users[number] -= 1
            if not self._users[number]:
                del self._users[number]
                del self._numbers[feed_identity(self._feeds.pop(number))]

    def __getitem__(self, number: int) -> Feed:
        return self._feeds[number]


@dataclass
class _Waves:
    """A generator of `prompt` that has not ended, and the feeds of its last wave."""

    waves: Generator[Any, Any, Any]
    feeds: list[int] = field(default_factory=list)


class _Serving:
    """A method, and its objects that the run knows by number."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._name = ""
        self._methods: dict[str, Method] = {}
        self._waves: dict[int, _Waves] = {}
        self._outcomes: dict[int, Any] = {}
        self._watch: Watch | None = None
        self.feeds = _Feeds()
        self._verbs: Mapping[str, Callable[..., Any]] = {
            "open": self._open,
            "build": self._build,
            "control": self._control,
            "tokenize": self._tokenize,
            "prompt": self._prompt,
            "advance": self._advance,
            "feed": self._feed,
            "decode": self._decode,
            "words": self._words,
            "neighbours": self._neighbours,
        }

    def answer(self, message: Any) -> list[Any]:
        """The answer to a message."""
        verb, seconds, done_with, arguments = message
        for number in done_with:
            self._outcomes.pop(number, None)
            self._close(number)
        call = Call("method", self._name, verb)
        try:
            with torch.set_grad_enabled(verb in ("build", "control")):
                made = contain(call, self._verbs[verb], *arguments, seconds=seconds)
            if verb in ("build", "control", "tokenize", "decode") and self._watch is not None:
                self._watch.check((self._name,), thorough=True)
        except ChangedError as error:
            changed = f"it changed what is frozen, in its own process: {error.changes[0]}"
            return ["failed", changed, False]
        except Exception as error:  # an author's code: its failure is a result
            cause = error.__cause__ or error
            return ["failed", describe(error), is_out_of_memory(cause)]
        return ["made", made]

    def _open(self) -> None:
        backbones, self._planned = self._opening()
        self._name = self._planned.card.name
        self._watch = Watch(backbones)
        self._watch.load(self._planned.card.backbones)

    def _build(self) -> Any:
        method = self._planned.build()
        if not isinstance(method, Method):
            raise TypeError(f"build returned a {type(method).__name__}, not a Method")
        self._methods[""] = method
        notes = [str(sentence) for sentence in method.notes]
        return [notes, method.fingerprint, isinstance(method, ReadsWhole), *_facts(method)]

    def _control(self, name: str) -> Any:
        made = self._methods[""].control(name)
        if not isinstance(made, Method):
            raise TypeError(f"control returned a {type(made).__name__}, not a Method")
        self._methods[name] = made
        return _facts(made)

    def _tokenize(
        self, images: Tensor, sizes: Tensor, wholes: Sequence[Tensor] | None = None
    ) -> Any:
        method = self._methods[""]
        if wholes is not None:
            assert isinstance(method, ReadsWhole)
            tokens = method.tokenize_whole(images, sizes, wholes)
        else:
            tokens = method.tokenize(images, sizes)
        check_tokens(tokens, len(images), method.codes)
        return tokens

    def _prompt(self, number: int, key: str, request: Request, tokens: Any) -> Any:
        waves = self._methods[key].prompt(request, tokens)
        if not isinstance(waves, Generator):
            kind = "None" if waves is None else f"a {type(waves).__name__}"
            raise TypeError(f"prompt returned {kind}, not a generator (it has to yield)")
        self._waves[number] = _Waves(waves)
        return self._step(number, None)

    def _advance(self, number: int, completions: list[Completion]) -> Any:
        return self._step(number, completions)

    def _step(self, number: int, completions: list[Completion] | None) -> Any:
        """The next wave, or nothing once there is an outcome."""
        going = self._waves[number]
        self.feeds.release(going.feeds)
        going.feeds = []
        try:
            wave = next(going.waves) if completions is None else going.waves.send(completions)
        except StopIteration as stop:
            del self._waves[number]
            self._outcomes[number] = stop.value
            return None
        except BaseException:
            del self._waves[number]
            raise
        check_wave(wave)
        going.feeds = self.feeds.use(_feeds_of(wave))
        return wave

    def _close(self, number: int) -> None:
        going = self._waves.pop(number, None)
        if going is not None:
            self.feeds.release(going.feeds)
            with suppress(Exception):
                contain(Call("method", self._name, "prompt"), going.waves.close)

    def _feed(self, number: int, features: Tensor) -> Any:
        return self.feeds[number](features)

    def _decode(self, key: str, requests: Sequence[Request], numbers: Sequence[int]) -> Any:
        outcomes = [self._outcomes[number] for number in numbers]
        return check_predictions(self._methods[key].decode(requests, outcomes), requests)

    def _words(self, tokens: Any) -> Any:
        return _texts(self._methods[""].words(tokens))

    def _neighbours(self, images: Tensor, sizes: Tensor, count: int) -> Any:
        return [
            {str(part): [_rows(row) for row in rows] for part, rows in one.items()}
            for one in self._methods[""].neighbours(images, sizes, count)
        ]


def _facts(method: Method) -> list[Any]:
    return [
        {str(part): int(count) for part, count in method.codes.items()},
        [str(name) for name in method.shortened_by],
    ]


def _feeds_of(wave: Sequence[Prompt]) -> list[Feed]:
    return [prompt.ask.feed for prompt in wave if isinstance(prompt.ask, Regress)]


def _texts(words: Mapping[str, Sequence[Sequence[str]]]) -> dict[str, list[list[str]]]:
    return {str(part): _rows(rows) for part, rows in words.items()}


def _rows(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[str(word) for word in row] for row in rows]
