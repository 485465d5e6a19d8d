"""Figures of a small language model, on fresh exercises and on held-out text."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import torch

from frostbench.packs.mini.recipes.text import corpus as text
from frostbench.packs.mini.recipes.text.exercises import (
    ExerciseRow,
    PieceRows,
    RestorationExercise,
    WordLists,
)
from frostbench.packs.mini.recipes.text.plain_text import PlainText

FEW_SHOT = {
    "2-way 1-shot": WordLists(ways=2, shots=1, words=8, noise=0.2),
    "5-way 1-shot": WordLists(ways=5, shots=1, words=8, noise=0.2),
}
MORE_FEW_SHOT = {
    "5-way 1-shot, 5 words": WordLists(ways=5, shots=1, words=5, noise=0.2),
    "5-way 1-shot, 21 words": WordLists(ways=5, shots=1, words=21, noise=0.2),
    "5-way 3-shot": WordLists(ways=5, shots=3, words=8, noise=0.2),
}
RESTORATION = {
    "noisy repeat 2 to 2": RestorationExercise(2, 2),
    "noisy repeat 16 to 2": RestorationExercise(16, 2),
    "copy 2 to 2": RestorationExercise(2, 2, noise=0.0, oracle=False),
    "copy last 2 of 16": RestorationExercise(16, 2, noise=0.0, oracle=False),
}


@torch.no_grad()
def measure(
    model: Any,
    pieces: PieceRows,
    reader: PlainText,
    rows: int = 50,
    few_shot: Mapping[str, WordLists] = FEW_SHOT,
) -> dict[str, float]:
    """Figures in [0, 1] by name, each over `rows` fresh exercises, and the text's loss in nats.

    "chosen": the right label has the highest summed log-probability of all. "greedy": each of its
    ids is the likeliest. Restoration counts ids one by one.
    """
    random = Random("figures")
    figures: dict[str, float] = {}
    model.eval()
    with torch.autocast(model.device.type, torch.bfloat16):
        for name, task in few_shot.items():
            made = [task.row(random, pieces, text.names()) for _ in range(rows)]
            answers = [answered(model, row) for row in made]
            figures[f"{name} chosen"] = sum(chosen for chosen, _ in answers) / rows
            figures[f"{name} greedy"] = sum(greedy for _, greedy in answers) / rows
        for name, restoration in RESTORATION.items():
            made = [restoration.row(random, pieces) for _ in range(rows)]
            figures[name] = sum(restored(model, [row]) for row in made) / rows
        made = [reader.row(random, 256, held_out=True) for _ in range(20)]
        ids = torch.tensor([row.ids for row in made], device=model.device)
        figures["text loss"] = float(model(input_ids=ids, labels=ids).loss)
    model.train()
    return figures


def restored(model: Any, rows: Sequence[ExerciseRow]) -> float:
    """The share of the answers' ids that are likeliest after those before; rows of one length."""
    ids = torch.tensor([row.ids for row in rows], device=model.device)
    answer = rows[0].answer
    logits = model(input_ids=ids[:, :-1], use_cache=False, logits_to_keep=answer).logits
    return float((logits.argmax(-1) == ids[:, -answer:]).float().mean())


def answered(model: Any, row: ExerciseRow) -> tuple[bool, bool]:
    """Whether the answer is the likeliest option, and whether greedy decoding gives it."""
    prompt, answer = row.ids[: -row.answer], row.ids[-row.answer :]
    longest = max(len(option) for option in row.options)
    ids = torch.tensor(
        [(*prompt, *option, *[0] * (longest - len(option))) for option in row.options],
        device=model.device,
    )
    logits = model(input_ids=ids[:, :-1], use_cache=False, logits_to_keep=longest).logits
    logs = logits.float().log_softmax(-1)
    taken = logs.gather(-1, ids[:, -longest:, None])[..., 0]
    sums = [float(taken[place, : len(option)].sum()) for place, option in enumerate(row.options)]
    right = row.options.index(answer)
    likeliest = logs[right, : len(answer)].argmax(-1).tolist()
    return sums.index(max(sums)) == right, tuple(likeliest) == answer
