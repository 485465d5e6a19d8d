"""A majority vote of in-context examples: an answer made from their answers alone."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from frostbench.eval_suites.controls.draw import draw
from frostbench.plugins.contract.completions import Chosen, Completion, Failed, Generated, Scored
from frostbench.plugins.contract.engine import UnanswerableError
from frostbench.plugins.contract.prompts import (
    Choose,
    Generate,
    Ids,
    Prompt,
    Score,
    Shot,
    Text,
    TokenSets,
    Trie,
)


def vote(prompt: Prompt, shots: Sequence[Shot]) -> Completion:
    """The answer that most of `shots` give.

    Answers with ids are counted position by position, and of equally frequent ids the first shot's
    wins; text between ids does not count, and the completion's text is empty. An answer that has
    ended votes for the end. Answers without ids are counted as whole texts, and the completion
    holds no ids, since no tokenizer is at hand; of equally frequent texts one is drawn by the
    prompt's hash: chance, with as many examples of each class.

    The ask's constraint is kept. With `TokenSets`, only votes for allowed ids count, and where
    there are none an allowed id is drawn; with `Trie` and `Choose`, only votes for one of the
    strings count (blanks around them do not), and where there are none a string is drawn.
    `TokenSets` do not restrict texts: with them the published classification asks for one of the
    labels that the examples show. Several samples are all the same, and under a `Score` all texts
    fit equally.
    """
    if isinstance(prompt.ask, Score):
        return Scored((0.0,) * len(prompt.ask.texts))
    try:
        if not shots:
            raise UnanswerableError(
                "the prompt has no in-context examples, and without a language model the answer "
                "is read from them."
            )
        match prompt.ask:
            case Generate() as ask:
                elected = _generate(prompt, ask, shots)
                return replace(elected, others=(elected,) * (ask.samples - 1))
            case Choose() as ask:
                return _choose(prompt, ask, shots)
            case _:
                raise UnanswerableError(
                    f"a prompt that asks to {type(prompt.ask).__name__} needs a frozen model; "
                    "without one, Generate and Choose are answered."
                )
    except UnanswerableError as error:
        return Failed(str(error))


def _generate(prompt: Prompt, ask: Generate, shots: Sequence[Shot]) -> Generated:
    if any(isinstance(piece, Ids) for shot in shots for piece in shot.answer):
        if isinstance(ask.allowed, Trie):
            raise UnanswerableError(
                "the examples answer with ids and the prompt asks for one of given texts; without "
                "a tokenizer the two cannot be compared."
            )
        return Generated(_ids(prompt, ask, [_ids_of(shot) for shot in shots]), "")
    texts = [_text_of(shot) for shot in shots]
    if isinstance(ask.allowed, Trie):
        return Generated((), _elect(prompt, texts, ask.allowed.strings)[0])
    text = _most_frequent(prompt, texts)
    for stop in ask.stop:
        text = text.partition(stop)[0]
    return Generated((), text)


def _choose(prompt: Prompt, ask: Choose, shots: Sequence[Shot]) -> Chosen:
    """The elected option, with the logarithms of vote shares as log-probabilities.

    One vote is added to each option and half a vote to the elected one, so that a method that
    reads the log-probabilities finds the same winner, and no -inf.
    """
    if any(isinstance(piece, Ids) for shot in shots for piece in shot.answer):
        raise UnanswerableError(
            "the examples answer with ids and the options are texts; without a tokenizer the two "
            "cannot be compared."
        )
    winner, votes = _elect(prompt, [_text_of(shot) for shot in shots], ask.options)
    index = ask.options.index(winner)
    weights = [1.0 + votes[option.strip()] for option in ask.options]
    weights[index] += 0.5
    return Chosen(index, tuple(math.log(weight / sum(weights)) for weight in weights))


def _ids(prompt: Prompt, ask: Generate, answers: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    sets = ask.allowed.sets if isinstance(ask.allowed, TokenSets) else None
    length = ask.max_new_tokens if sets is None else min(ask.max_new_tokens, len(sets))
    said: list[int] = []
    for place in range(length):
        # None stands for the end of an answer.
        votes = Counter(answer[place] if place < len(answer) else None for answer in answers)
        if sets is not None:
            votes = Counter({vote: n for vote, n in votes.items() if vote in sets[place]})
            if not sets[place]:
                break
        winner = votes.most_common(1)[0][0] if votes else None
        if winner is None and sets is not None:
            winner = draw(prompt, sorted(sets[place]), f"allowed id {place}")
        if winner is None:
            break
        said.append(winner)
    return tuple(said)


def _elect(
    prompt: Prompt, texts: Sequence[str], options: Sequence[str]
) -> tuple[str, Counter[str]]:
    """The option with most votes, and the votes of each option, stripped of outer blanks."""
    by_name = {option.strip(): option for option in reversed(options)}
    votes = Counter(text.strip() for text in texts if text.strip() in by_name)
    return by_name[_most_frequent(prompt, list(votes.elements()) or list(by_name))], votes


def _most_frequent(prompt: Prompt, texts: Sequence[str]) -> str:
    """The most frequent text; of equally frequent ones, one drawn by the prompt's hash."""
    votes = Counter(texts)
    most = max(votes.values())
    return draw(prompt, sorted(text for text, n in votes.items() if n == most), "text")


def _ids_of(shot: Shot) -> tuple[int, ...]:
    ids: list[int] = []
    for piece in shot.answer:
        if isinstance(piece, Ids):
            ids += piece.ids
        elif not isinstance(piece, Text):
            raise UnanswerableError(_unreadable(shot))
    return tuple(ids)


def _text_of(shot: Shot) -> str:
    texts: list[str] = []
    for piece in shot.answer:
        if not isinstance(piece, Text):
            raise UnanswerableError(_unreadable(shot))
        texts.append(piece.text)
    return "".join(texts)


def _unreadable(shot: Shot) -> str:
    kinds = sorted({type(piece).__name__ for piece in shot.answer} - {"Text", "Ids"})
    return (
        f"the examples answer with {' and '.join(kinds)}; without a language model ids and texts "
        "can be counted, and nothing else."
    )
