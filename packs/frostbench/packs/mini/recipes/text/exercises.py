"""Text-only exercises in the prompt formats of the bench, for a small language model to learn from.

A frozen language model serves vision when it matches by content within its context: it repeats,
votes, copies and looks up. Each exercise asks for one of these with random tokens and random
words; no image, and nothing derived from one, is in them. Formats: V2L-Tokenizer, sections 5.1
(word lists with labels) and 5.3 (noisy repeats) of the evaluation code.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any

INPUT = "###\nInput: < "
OUTPUT = " >\nOutput: "
NOISE = tuple(0.50 - 0.03 * example for example in range(10))  # V2L 5.3: 0.50, 0.47, ..., 0.23
_END_WEIGHT = 0.2  # weight of the "###" that ends an answer; the answer's own tokens have 1


@dataclass(frozen=True)
class ExerciseRow:
    """One training row: ids, and how much each counts as a target (0: not at all).

    The last `answer` ids are the answer to the row's question, what stands before them is the
    prompt. `options` are the answers to choose from, including the right one; empty for free
    answers.
    """

    ids: tuple[int, ...]
    weights: tuple[float, ...]
    answer: int
    options: tuple[tuple[int, ...], ...] = ()


class PieceRows:
    """Segments of text and ids become one row: each text is tokenised alone, as the bench does."""

    def __init__(self, tokenizer: Any) -> None:
        """Take a tokenizer of transformers; its special tokens are added by name only."""
        self.bos: int = tokenizer.bos_token_id
        self.size: int = len(tokenizer)
        self.encode: Callable[[str], tuple[int, ...]] = lru_cache(50_000)(
            lambda text: tuple(tokenizer(text, add_special_tokens=False).input_ids)
        )
        special = set(tokenizer.all_special_ids)
        strings = {i: tokenizer.decode([i]) for i in range(self.size) if i not in special}
        self.tokens: tuple[int, ...] = tuple(strings)
        self.strings: tuple[str, ...] = tuple(
            string
            for string in strings.values()
            if string.strip() and string.isascii() and string.isprintable()
        )


class _Draft:
    """A row in the making."""

    def __init__(self, pieces: PieceRows) -> None:
        self.pieces = pieces
        self.ids = [pieces.bos]
        self.weights = [0.0]

    def add(self, piece: str | Sequence[int], weight: float = 0.0) -> None:
        ids = self.pieces.encode(piece) if isinstance(piece, str) else piece
        self.ids += ids
        self.weights += [weight] * len(ids)

    def example(
        self, given: str | Sequence[int], output: str | Sequence[int], weight: float
    ) -> None:
        """One example; `weight` is how much its output counts as a target."""
        self.add(INPUT)
        self.add(given)
        self.add(OUTPUT)
        self.add(output, weight)

    def weigh_ends(self) -> None:
        """Give the "###" after each weighted output its small weight."""
        for at in range(1, len(self.ids)):
            if self.weights[at - 1] == 1.0 and self.weights[at] == 0.0:
                self.weights[at] = _END_WEIGHT

    def row(self, answer: int, options: tuple[tuple[int, ...], ...] = ()) -> ExerciseRow:
        return ExerciseRow(tuple(self.ids), tuple(self.weights), answer, options)


@dataclass(frozen=True)
class Repeats:
    """Chunks of random ids that come again after random gaps.

    A chunk that was seen before can be predicted from its second id on. A row has about `length`
    ids.
    """

    length: int = 96
    chunks: int = 4

    def row(self, random: Random, pieces: PieceRows) -> ExerciseRow:
        """One row; the answer is the last chunk without its first id."""
        chunks = [
            tuple(random.choices(pieces.tokens, k=random.randint(3, 8))) for _ in range(self.chunks)
        ]
        draft = _Draft(pieces)
        seen: list[tuple[int, ...]] = []
        chunk = chunks[0]
        while len(draft.ids) < self.length or chunk not in seen[:-1]:
            draft.add(random.choices(pieces.tokens, k=random.randint(0, 4)))
            again = seen and (len(draft.ids) >= self.length or random.random() < 0.6)
            chunk = random.choice(seen if again else chunks)
            draft.add(chunk[:1])
            draft.add(chunk[1:], 1.0 if chunk in seen else 0.0)
            seen.append(chunk)
        return draft.row(len(chunk) - 1)


@dataclass(frozen=True)
class RestorationExercise:
    """Ten noisy examples and a query, as V2L 5.3 asks for restored tokens.

    `oracle`: all examples show one answer, with each token replaced by a random one at falling
        rates (`noise` times 0.50 ... 0.23), and the input is disturbed in the same way; the answer
        is what the examples agree on. Otherwise (`held_out`) each example has an answer of its own,
        the end of its
    input up to noise, and so has the query.
    """

    inputs: int = 2
    outputs: int = 2
    examples: int = 10
    noise: float = 1.0
    oracle: bool = True
    span: int = 0  # ids are drawn from this many neighbours; 0 or more than there are: from all

    def row(self, random: Random, pieces: PieceRows) -> ExerciseRow:
        """One row; earlier examples count as targets as far as they can be predicted."""
        pool = self._pool(random, pieces)
        draft = _Draft(pieces)
        draft.add(
            f"Learning a new language and predict the {self.outputs} tokens"
            " following the examples.\n"
        )
        rates = [self.noise * NOISE[i * len(NOISE) // self.examples] for i in range(self.examples)]
        given, answer = self._oracle(random, pool) if self.oracle else ([], [])
        for place, rate in enumerate(rates):
            if self.oracle:
                shown, output = _disturbed(random, given, answer, pool, rate)
                draft.example(shown, output, 0.0)
            else:
                shown, output = self._held_out(random, pool, rate)
                draft.example(shown, output, 1.0 if place >= 1 else 0.0)
        if not self.oracle:
            given, answer = self._held_out(random, pool, rates[-1])
        draft.example(given, answer, 1.0)
        draft.weigh_ends()
        return draft.row(len(answer))

    def _pool(self, random: Random, pieces: PieceRows) -> Sequence[int]:
        if not 0 < self.span <= len(pieces.tokens):
            return pieces.tokens
        start = random.randrange(len(pieces.tokens) - self.span + 1)
        return pieces.tokens[start : start + self.span]

    def _oracle(self, random: Random, pool: Sequence[int]) -> tuple[list[int], list[int]]:
        """Input and answer: at equal length, a corrupted image's tokens and the clean ones."""
        answer = random.choices(pool, k=self.outputs)
        if self.inputs != self.outputs:
            return random.choices(pool, k=self.inputs), answer
        kept = random.choice((0.0, 0.3, 0.6, 1.0))
        return [i if random.random() < kept else random.choice(pool) for i in answer], answer

    def _held_out(
        self, random: Random, pool: Sequence[int], rate: float
    ) -> tuple[list[int], list[int]]:
        answer = random.choices(pool, k=self.outputs)
        before = max(self.inputs - self.outputs, 0)
        noisy = [random.choice(pool) if random.random() < rate / 2 else i for i in answer]
        given = [*random.choices(pool, k=before), *noisy]
        return given[-self.inputs :], answer


def _disturbed(
    random: Random,
    given: list[int],
    answer: list[int],
    pool: Sequence[int],
    rate: float,
) -> tuple[list[int], list[int]]:
    """Both with tokens replaced at `rate`; of equal length, at the same places by the same ids."""
    if len(given) == len(answer):
        shown, output = list(given), list(answer)
        for place in range(len(answer)):
            if random.random() < rate:
                shown[place] = output[place] = random.choice(pool)
        return shown, output
    shown, output = (
        [random.choice(pool) if random.random() < rate else i for i in part]
        for part in (given, answer)
    )
    return shown, output


@dataclass(frozen=True)
class WordLists:
    """Few-shot classification of word lists, as V2L 5.1 shows images to a language model.

    A class is a pool of words; an example is `words` of them, with `noise` of these replaced by
    others and the order perturbed; the words are glued. The query is of one of the classes.
    """

    ways: int = 2
    shots: int = 1
    words: int = 5
    noise: float = 0.3
    rounds: int = 0  # further examples after the first query, each a target of its own
    simple_labels: bool = False

    def row(self, random: Random, pieces: PieceRows, names: Sequence[str]) -> ExerciseRow:
        """One row; the answer is the query's label, and every label seen before is a target."""
        labels = self._labels(random, pieces, names)
        lists = self.lists(random, pieces)
        glue = self._glue(random, pieces)
        draft = _Draft(pieces)
        if random.random() < 0.7:
            joined = " or ".join(f"['{label}'" for label in sorted(labels))
            draft.add(f"For each of the following input output pairs, output is one of {joined}]\n")
        order = [way for way in range(self.ways) for _ in range(self.shots)]
        if random.random() < 0.8:
            random.shuffle(order)
        order += [random.randrange(self.ways) for _ in range(self.rounds + 1)]
        seen: set[int] = set()
        for way in order:
            draft.example(glue(lists(way)), labels[way], 1.0 if way in seen else 0.0)
            seen.add(way)
        draft.weigh_ends()
        options = tuple(pieces.encode(label) for label in labels)
        return draft.row(len(options[order[-1]]), options)

    def _labels(self, random: Random, pieces: PieceRows, names: Sequence[str]) -> list[str]:
        """Distinct names, or single tokens in simple exercises."""
        labels: list[str] = []
        while len(labels) < self.ways:
            drawn = random.random()
            if self.simple_labels or drawn < 0.2:
                label = random.choice(pieces.strings).strip()
            elif drawn < 0.7:
                label = random.choice(names)
            else:
                words = random.choices(pieces.strings, k=random.randint(1, 3))
                label = " ".join(word.strip() for word in words)
            if label not in labels and len(label.split()) <= 3:
                labels.append(label)
        return labels

    def _glue(
        self, random: Random, pieces: PieceRows
    ) -> Callable[[list[str]], str | tuple[int, ...]]:
        """How words become a text: as they are, without their blanks, or one id each."""
        drawn = random.random()
        if drawn < 0.1:
            return lambda words: tuple(pieces.encode(word)[0] for word in words)
        if drawn < 0.35:
            return lambda words: "".join(word.replace(" ", "") for word in words)
        return "".join

    def lists(self, random: Random, pieces: PieceRows) -> Callable[[int], list[str]]:
        """A function that draws a list of the class it is given."""
        others = _vocabulary(random, pieces, 2 * self.words) if random.random() < 0.5 else []
        size = self.words + random.randint(0, max(1, self.words // 3)) if self.noise else self.words
        pools = [_vocabulary(random, pieces, size) for _ in range(self.ways)]
        if others and self.noise:
            for pool in pools:
                pool[-1] = random.choice(others)  # classes share some words

        def draw(way: int) -> list[str]:
            pool = pools[way]
            ranked = sorted(range(size), key=lambda place: place / size + random.random())
            chosen = [pool[place] for place in ranked[: self.words]]
            for place in range(self.words):
                if random.random() < self.noise:
                    other = others or _vocabulary(random, pieces, 1)
                    chosen[place] = random.choice(other)
            return chosen

        return draw


def _vocabulary(random: Random, pieces: PieceRows, count: int) -> list[str]:
    """Words as in V2L's expansion: one to three strings of tokens, glued; some nested."""
    words: list[str] = []
    while len(words) < count:
        drawn = random.random()
        if words and drawn < 0.15:
            words.append(random.choice(words[-3:]) + random.choice(pieces.strings))
        else:
            parts = 1 if drawn < 0.6 else 2 if drawn < 0.85 else 3
            words.append("".join(random.choices(pieces.strings, k=parts)))
    return words
