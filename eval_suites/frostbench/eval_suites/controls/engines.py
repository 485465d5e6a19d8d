"""Engines that answer prompts without a language model."""

from collections import Counter
from collections.abc import Sequence

from frostbench.eval_suites.controls.draw import draw
from frostbench.eval_suites.controls.vote import vote
from frostbench.plugins.contract.completions import Completion, Failed
from frostbench.plugins.contract.prompts import Ids, Piece, Prompt, Shot, Text


class MajorityVote:
    """Gives the answer that most in-context examples have; see `vote`.

    In `oracle_context` the true token is shown in 6 of 10 examples on average, so this control
    solves the published restorations almost perfectly: a method shows that it uses its language
    model by beating it.
    """

    def run(self, prompts: Sequence[Prompt]) -> list[Completion]:
        """One completion a prompt, in order; `Failed` where a prompt cannot be answered."""
        return [vote(prompt, prompt.shots) for prompt in prompts]


class TokenOverlap:
    """Gives the answer of the example whose shown tokens overlap most with the query's.

    The overlap is the size of the multiset intersection: of the ids, where any are shown;
    otherwise of the character trigrams of each text, since words of an image come glued together.
    Where texts are marked as visual, only those count; otherwise pieces that stand in the query and
    in every example do not count. Of equally near examples one is drawn by the prompt's hash.
    """

    def run(self, prompts: Sequence[Prompt]) -> list[Completion]:
        """One completion a prompt, in order; `Failed` where a prompt cannot be answered."""
        return [self._answer(prompt) for prompt in prompts]

    def _answer(self, prompt: Prompt) -> Completion:
        if not prompt.shots:
            return vote(prompt, ())
        shown = [prompt.query, *(shot.shown for shot in prompt.shots)]
        bags = _bags(shown)
        if bags is None:
            return Failed(
                "the examples show neither ids nor texts; overlap of visual tokens can be counted "
                "for discrete ones only."
            )
        query, *examples = bags
        overlaps = [(query & example).total() for example in examples]
        best = max(overlaps)
        nearest: list[Shot] = [
            shot for shot, overlap in zip(prompt.shots, overlaps, strict=True) if overlap == best
        ]
        return vote(prompt, (draw(prompt, nearest, "nearest example"),))


def _bags(shown: Sequence[Sequence[Piece]]) -> list[Counter[str | int]] | None:
    """For each list of pieces, the multiset of what counts in it; None where nothing counts."""
    if any(isinstance(piece, Ids) for pieces in shown for piece in pieces):
        return [
            Counter(i for piece in pieces if isinstance(piece, Ids) for i in piece.ids)
            for pieces in shown
        ]
    texts = [[piece for piece in pieces if isinstance(piece, Text)] for pieces in shown]
    if not any(texts):
        return None
    marked = [[text.text for text in row if text.visual] for row in texts]
    if any(marked):
        return [Counter(trigram for text in row for trigram in _trigrams(text)) for row in marked]
    plain = [[text.text for text in row] for row in texts]
    glue = set(plain[0]).intersection(*plain[1:])
    return [
        Counter(trigram for text in row if text not in glue for trigram in _trigrams(text))
        for row in plain
    ]


def _trigrams(text: str) -> list[str]:
    """Runs of three characters, the text's start and end marked by a blank; "ab" is " ab", "ab ".

    >>> _trigrams("lion")
    [' li', 'lio', 'ion', 'on ']
    """
    padded = f" {text.strip()} "
    return [padded[i : i + 3] for i in range(len(padded) - 2)]
