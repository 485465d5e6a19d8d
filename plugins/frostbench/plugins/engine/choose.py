"""Scoring of options: the log-probability of each option after the prompt that they share."""

from collections.abc import Sequence

import torch

from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.contract.completions import Chosen, Failed
from frostbench.plugins.contract.prompts import Choose
from frostbench.plugins.engine.reader import Context, Reader
from frostbench.plugins.engine.resolve import ReadyPrompt


def choose(
    items: Sequence[ReadyPrompt], reader: Reader, lm: CausalLM, role: str, most_rows: int
) -> list[Chosen | Failed]:
    """Score the options of a batch of prompts.

    A prompt is read once. The logits after the prompt score the first token of every option;
    options that go on are read after branches of it, at most `most_rows` at a time. Padding comes
    after an option, where no causal model can see it. Sums are in float32.
    """
    reading = reader.read([item.inputs(lm) for item in items])
    first = reading.last.float().log_softmax(-1)
    scores = [
        {ids: float(first[at, ids[0]]) for ids in dict.fromkeys(item.strings.values())}
        for at, item in enumerate(items)
    ]
    longer = [(at, ids) for at, options in enumerate(scores) for ids in options if len(ids) > 1]
    longer.sort(key=lambda row: len(row[1]))
    for start in range(0, len(longer), most_rows):
        rows = longer[start : start + most_rows]
        rests = _rests(rows, reading, reader, lm)
        for (at, ids), rest in zip(rows, rests, strict=True):
            scores[at][ids] += rest
    return [_chosen(item, scores[at], role) for at, item in enumerate(items)]


def _rests(
    rows: Sequence[tuple[int, tuple[int, ...]]], reading: Context, reader: Reader, lm: CausalLM
) -> list[float]:
    """The log-probability of each option's tokens after its first."""
    longest = max(len(ids) for _, ids in rows)
    padded = torch.zeros(len(rows), longest, dtype=torch.long)
    inside = torch.zeros(len(rows), longest - 1, dtype=torch.bool)
    for i, (_, ids) in enumerate(rows):
        padded[i, : len(ids)] = torch.tensor(ids)
        inside[i, : len(ids) - 1] = True
    padded, inside = padded.to(lm.device), inside.to(lm.device)
    branch = reader.branch(reading, [at for at, _ in rows])
    logprobs = reader.extend(branch, padded[:, :-1]).float().log_softmax(-1)
    picked = logprobs.gather(2, padded[:, 1:, None])[:, :, 0]
    return picked.where(inside, 0.0).sum(-1).tolist()


def _chosen(item: ReadyPrompt, scores: dict[tuple[int, ...], float], role: str) -> Chosen | Failed:
    assert isinstance(item.ask, Choose)
    options = [item.strings[option] for option in item.ask.options]
    logprobs = [scores[ids] / (len(ids) if item.ask.mean else 1) for ids in options]
    if any(value != value for value in logprobs):
        return Failed(f"backbone {role!r} gave logits that are not finite numbers for an option.")
    return Chosen(logprobs.index(max(logprobs)), tuple(logprobs))
