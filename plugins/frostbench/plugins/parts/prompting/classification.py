"""Prompts for few-shot classification in context, as V2L-Tokenizer writes them.

Zhu et al., CVPR 2024, https://arxiv.org/abs/2403.07874; texts and quirks are those of the published
`eval_understanding.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, assert_never

from frostbench.plugins.contract.completions import Chosen, Completion, Generated
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.method import Waves
from frostbench.plugins.contract.prompts import (
    Ask,
    Choose,
    Generate,
    Piece,
    Prompt,
    Shot,
    Text,
    TokenSets,
    Trie,
)
from frostbench.plugins.contract.requests import Classify
from frostbench.plugins.parts.prompting.language import Language

INPUT = Text("###\nInput: < ")
OUTPUT = Text(" >\nOutput: ")


@dataclass(frozen=True)
class ClassificationSettings:
    """How the question is put, and how the answer is read.

    Attributes:
        decoding: What holds the answer to the options where the prompt names them (induction).
            "trie": one option, whole; a prediction is then one of the labels or none of them.
            "union": as published, position by position the tokens of any option, so that parts of
            two names can mix. "choose": the option of the highest log-probability.
        quirky_brackets: The published opening repeats "[" before every option.
        max_new_tokens: Tokens generated at most, without induction and with "union".
    """

    decoding: Literal["trie", "union", "choose"] = "trie"
    quirky_brackets: bool = True
    max_new_tokens: int = 16


def classification(
    request: Classify,
    shown: Callable[[Image], tuple[Piece, ...]],
    settings: ClassificationSettings,
    language: Language,
) -> Waves:
    """One wave of one prompt; the outcome is the answer's text.

    `shown` gives an image's pieces: its words glued into one text, or ids.
    """
    shots = tuple(
        Shot((INPUT, *shown(example.image), OUTPUT), (Text(example.text),))
        for example in request.examples
    )
    prompt = Prompt(
        opening=(Text(opening(request.options, settings)),) if request.induction else (),
        shots=shots * (request.repeats + 1),
        query=(INPUT, *shown(request.image), OUTPUT),
        ask=ask(request, settings, language),
    )
    (completion,) = yield [prompt]
    return answer(completion, request)


def opening(options: tuple[str, ...], settings: ClassificationSettings) -> str:
    r"""The induction: "output is one of ['cat' or ['dog']", options in sorted order.

    >>> opening(("dog", "cat"), ClassificationSettings())
    "For each of the following input output pairs, output is one of ['cat' or ['dog']\n"
    """
    quoted = [f"'{option}'" for option in sorted(set(options))]
    between = " or [" if settings.quirky_brackets else " or "
    named = between.join(quoted)
    return f"For each of the following input output pairs, output is one of [{named}]\n"


def ask(request: Classify, settings: ClassificationSettings, language: Language) -> Ask:
    """Free generation of one line without induction; otherwise held to the options."""
    if not request.induction:
        return Generate(settings.max_new_tokens, stop=("\n", "###"))
    match settings.decoding:
        case "trie":
            # The trie itself ends the answer: no option is longer than its tokens and the end.
            longest = max(len(language.encode(option)) for option in request.options)
            return Generate(longest + 1, allowed=Trie(request.options))
        case "union":
            sets = union(request.options, language)[: settings.max_new_tokens]
            return Generate(len(sets), allowed=TokenSets(sets))
        case "choose":
            return Choose(request.options)
        case _:
            assert_never(settings.decoding)


def union(options: tuple[str, ...], language: Language) -> tuple[frozenset[int], ...]:
    """For each position, the tokens that any option has there; the end of each option after it.

    The published masks go on to 16 positions and allow nothing after the longest name, which then
    yields id 0; here generation ends with the longest name.
    """
    end = [] if language.eos_id is None else [language.eos_id]
    rows = [[*language.encode(option), *end] for option in options]
    longest = max(map(len, rows))
    return tuple(
        frozenset(row[place] for row in rows if place < len(row)) for place in range(longest)
    )


def answer(completion: Completion, request: Classify) -> str:
    """The label that a completion says; nothing is mended in it but blanks at its ends."""
    match completion:
        case Chosen(index=index):
            return request.options[index]
        case Generated(text=text):
            return text.strip()
        case _:
            raise TypeError(f"a classification is answered by a text, not by {completion!r}.")
