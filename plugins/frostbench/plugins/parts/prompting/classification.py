"""Prompts for few-shot classification in context, as V2L-Tokenizer writes them.

Zhu et al., CVPR 2024, https://arxiv.org/abs/2403.07874; texts and quirks are those of the published
`eval_understanding.py`. The style "sentence" is that of Frozen, whose images are vectors:
Tsimpoukelli et al., NeurIPS 2021, https://arxiv.org/abs/2106.13884.
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

SENTENCE = " This is a"
ASKED = " Question: What is this? Answer: This is a"
INPUT = Text("###\nInput: < ")
OUTPUT = Text(" >\nOutput: ")


@dataclass(frozen=True)
class ClassificationSettings:
    """How the question is asked, and how the answer is read.

    Attributes:
        decoding: What restricts the answer to the options where the prompt names them (induction).
            "trie": one whole option; a prediction is then one of the labels or none of them.
            "union": as published, position by position the tokens of any option, so that parts of
            two names can mix. "choose": the option of the highest log-probability.
        quirky_brackets: The published opening repeats "[" before every option.
        max_new_tokens: Tokens generated at most, without induction and with "union".
        style: "frame" is V2L-Tokenizer's; "sentence" is Frozen's, an image and "This is a dax."
    """

    decoding: Literal["trie", "union", "choose"] = "trie"
    quirky_brackets: bool = True
    max_new_tokens: int = 16
    style: Literal["frame", "sentence"] = "frame"


def classification(
    request: Classify,
    shown: Callable[[Image], tuple[Piece, ...]],
    settings: ClassificationSettings,
    language: Language,
) -> Waves:
    """One wave of one prompt; the outcome is the answer's text.

    `shown` gives an image's pieces: its words glued into one text, or ids.
    """
    framed = settings.style == "frame"

    def asked(image: Image, after: str) -> tuple[Piece, ...]:
        return (INPUT, *shown(image), OUTPUT) if framed else (*shown(image), Text(after))

    shots = tuple(
        Shot(
            asked(example.image, SENTENCE), (Text(example.text if framed else f" {example.text}."),)
        )
        for example in request.examples
    )
    prompt = Prompt(
        opening=(Text(opening(request.options, settings)),) if request.induction else (),
        shots=shots * (request.repeats + 1),
        query=asked(request.image, ASKED),
        ask=ask(request, settings, language),
    )
    (completion,) = yield [prompt]
    return answer(completion, request)


def opening(options: tuple[str, ...], settings: ClassificationSettings) -> str:
    r"""The induction: "output is one of ['cat' or ['dog']", options in sorted order.

    >>> opening(("dog", "cat"), ClassificationSettings())
    "For each of the following input output pairs, output is one of ['cat' or ['dog']\n"
    """
    if settings.style == "sentence":
        return f"Answer with {' or '.join(sorted(set(options)))}."
    quoted = [f"'{option}'" for option in sorted(set(options))]
    between = " or [" if settings.quirky_brackets else " or "
    named = between.join(quoted)
    return f"For each of the following input output pairs, output is one of [{named}]\n"


def ask(request: Classify, settings: ClassificationSettings, language: Language) -> Ask:
    """Free generation of one line without induction; otherwise restricted to the options."""
    framed = settings.style == "frame"
    if not request.induction:
        return Generate(settings.max_new_tokens, stop=("\n", "###") if framed else (".", "\n"))
    options = request.options if framed else tuple(f" {option}" for option in request.options)
    match settings.decoding:
        case "trie":
            # The trie itself ends the answer: none is longer than the longest option and the end.
            longest = max(len(language.encode(option)) for option in options)
            return Generate(longest + 1, allowed=Trie(options))
        case "union":
            sets = union(options, language)[: settings.max_new_tokens]
            return Generate(len(sets), allowed=TokenSets(sets))
        case "choose":
            return Choose(options)
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
    """The label in a completion; only blanks at its ends are removed."""
    match completion:
        case Chosen(index=index):
            return request.options[index]
        case Generated(text=text):
            return text.strip()
        case _:
            raise TypeError(f"a classification is answered by a text, not by {completion!r}.")
