"""Training examples for restoring masked words: the method's prompts with their answers."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.engine.resolve import resolve
from frostbench.plugins.parts.hiding import hide, random_cells
from frostbench.plugins.parts.prompting.masked import MaskedSettings, covered_cells, masked_prompt
from frostbench.plugins.parts.prompting.shared_vocabulary import SharedVocabulary
from frostbench.v2l.model import V2LTokenizer


@dataclass(frozen=True)
class Masking:
    """What is hidden, and how it is asked for; a method must ask with the same prompt.

    Attributes:
        prompt: The prompt.
        share: Share of cells that are hidden; 30 % in the paper.
        cell: Side of a cell in pixels.
    """

    prompt: MaskedSettings = field(default_factory=MaskedSettings)
    share: float = 0.3
    cell: int = 8

    def draw(self, height: int, width: int, seed: int) -> Bool[Tensor, "{height} {width}"]:
        """The hidden pixels of one image."""
        return random_cells(height, width, self.cell, self.share, seed)

    def covered(
        self, hidden: Bool[Tensor, "h w"], grid: Int[Tensor, "rows columns"]
    ) -> Bool[Tensor, "rows columns"]:
        """The cells of a grid that are hidden."""
        rows, columns = grid.shape
        return covered_cells(hidden, rows, columns, self.prompt.hidden_share)


@dataclass(frozen=True, eq=False)
class Exercises:
    """Prompts with their whole answers, as ids; all of one length.

    `inputs` are the prompt and all of the answer but its last id, `answers` the whole answer, and
    `hidden` says which of it is to be learned.
    """

    inputs: Int[Tensor, "n length"]
    answers: Int[Tensor, "n cells"]
    hidden: Bool[Tensor, "n cells"]

    def __len__(self) -> int:
        return len(self.inputs)


@torch.no_grad()
def make_exercises(
    batches: Iterator[Float[Tensor, "b 3 h w"]],
    tokenizer: V2LTokenizer,
    shared_words: SharedVocabulary,
    lm: CausalLM,
    masking: Masking,
) -> Exercises:
    """One exercise for each image, in [-1, 1], with cells drawn for each.

    The words shown are those of the image whose hidden pixels are grey, with the mask where they
    are hidden. To be learned are the words that the clean image has there; visible words are to
    be repeated as they are shown.
    """
    inputs: list[Tensor] = []
    answers: list[Tensor] = []
    covers: list[Tensor] = []
    rows = torch.tensor(shared_words.rows, device=tokenizer.tok_embeddings.weight.device)
    for images in batches:
        height, width = images.shape[2:]
        hidden = [masking.draw(height, width, len(inputs) + i) for i in range(len(images))]
        pairs = zip((images + 1) / 2, hidden, strict=True)
        grey = torch.stack([hide(image, gone.to(image.device)) for image, gone in pairs])
        clean = tokenizer.encode_local(images, rows).cpu()
        shown = tokenizer.encode_local(grey * 2 - 1, rows).cpu()
        for own, wanted, gone in zip(shown, clean, hidden, strict=True):
            covered = masking.covered(gone, own)
            ids = shared_words.token_map.ids_of(own)
            prompt = masked_prompt(
                ids, covered.flatten().tolist(), shared_words.token_map, masking.prompt
            )
            read = resolve(prompt, lm, prompt.backbone).ids
            assert read is not None
            said = shared_words.token_map.ids_of(torch.where(covered, wanted, own))
            inputs.append(torch.tensor([*read, *said[:-1]]))
            answers.append(torch.tensor(said))
            covers.append(covered.flatten())
    return Exercises(
        torch.stack(inputs).to(lm.device),
        torch.stack(answers).to(lm.device),
        torch.stack(covers).to(lm.device),
    )


@dataclass(frozen=True, eq=False)
class WordLikeness:
    """How alike words look to the decoder, so that a word which looks right is not entirely wrong.

    `points` are the words' rows of the projected codebook, and `ids` their tokens. A word at the
    squared distance `alike` from the right one counts 1/e of it.
    """

    points: Float[Tensor, "words d"]
    ids: Int[Tensor, " words"]
    alike: float

    def loss(
        self, said: Float[Tensor, "n vocabulary"], wanted: Int[Tensor, " n"]
    ) -> Float[Tensor, ""]:
        """Mean cross entropy with the words that look like the right ones."""
        place = torch.zeros(said.shape[1], dtype=torch.long, device=said.device)
        place[self.ids] = torch.arange(len(self.ids), device=said.device)
        distances = torch.cdist(self.points[place[wanted]], self.points).square()
        shares = (-distances / self.alike).softmax(-1)
        return -(shares * said.log_softmax(-1)[:, self.ids]).sum(-1).mean()


def answered(
    model: Any,
    exercises: Exercises,
    rows: Int[Tensor, " b"],
    *,
    bfloat16: bool,
    looks: WordLikeness | None = None,
) -> tuple[Float[Tensor, ""], float]:
    """The mean loss over hidden cells, and the share whose word is the model's first choice.

    Before each cell the model has read the right words of all cells before it. With `looks`, words
    that look like the right one count in part; otherwise only the right one does.
    """
    inputs, wanted = exercises.inputs[rows], exercises.answers[rows]
    hidden = exercises.hidden[rows]
    with torch.autocast(inputs.device.type, torch.bfloat16, enabled=bfloat16):
        logits = model(input_ids=inputs, logits_to_keep=wanted.shape[1]).logits
    said = logits[hidden].float()
    right = (said.argmax(-1) == wanted[hidden]).float().mean()
    if looks is not None:
        return looks.loss(said, wanted[hidden]), float(right)
    return functional.cross_entropy(said, wanted[hidden]), float(right)
