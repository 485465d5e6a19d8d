"""Greedy generation of a batch."""

from collections import defaultdict
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.contract.completions import Failed, Generated
from frostbench.plugins.engine.reader import Context, Reader
from frostbench.plugins.engine.resolve import ReadyPrompt
from frostbench.plugins.engine.writer import Writer


def generate(
    items: Sequence[ReadyPrompt], reader: Reader, lm: CausalLM, role: str
) -> list[Generated | Failed]:
    """Write the answers of a batch, most likely token by most likely token.

    Of equally likely tokens the one with the lowest id wins. Rows whose answer is whole leave the
    batch when they are half of it.
    """
    writers = [Writer(item, lm) for item in items]
    failures: dict[int, Failed] = {}
    rows = [i for i, writer in enumerate(writers) if not writer.done]
    if rows:
        reading = reader.read([items[i].inputs(lm) for i in rows])
    while rows:
        _write_next(reading, rows, writers, failures, role)
        live = [i for i in rows if not writers[i].done]
        if not live:
            break
        if 2 * len(live) <= len(rows):
            reading = reader.branch(reading, [rows.index(i) for i in live])
            rows = live
        # A row that is whole reads any token, and nobody looks at what it says.
        last = [writers[i].ids[-1] if writers[i].ids else 0 for i in rows]
        reader.extend(reading, torch.tensor(last, device=lm.device)[:, None])
    return [failures.get(i) or writer.finish() for i, writer in enumerate(writers)]


def _write_next(
    reading: Context,
    rows: Sequence[int],
    writers: Sequence[Writer],
    failures: dict[int, Failed],
    role: str,
) -> None:
    """Let each writer that is not done take its next token."""
    logits = reading.last.float()
    total = logits.logsumexp(-1)
    picks = logits.argmax(-1)
    tops = picks.tolist()
    finite = torch.isfinite(total).tolist()
    groups: defaultdict[frozenset[int], list[int]] = defaultdict(list)
    for at, i in enumerate(rows):
        writer = writers[i]
        if writer.done:
            continue
        if not finite[at]:
            writer.end()
            failures[i] = Failed(
                f"backbone {role!r} gave logits that are not finite numbers for token "
                f"{len(writer.ids) + 1} of the answer."
            )
            continue
        choices = writer.choices(tops[at])
        if choices is None:
            continue
        if choices:
            groups[choices].append(at)
        else:
            writer.end()
    for choices, places in groups.items():
        picks[places] = _best(logits[places], choices)
    logprobs = (logits.gather(1, picks[:, None])[:, 0] - total).tolist()
    for at, (i, pick) in enumerate(zip(rows, picks.tolist(), strict=True)):
        if not writers[i].done:
            writers[i].take(pick, logprobs[at])


def _best(logits: Float[Tensor, "b v"], choices: frozenset[int]) -> Tensor:
    """The most likely of the allowed ids in each row."""
    allowed = torch.tensor(sorted(choices), device=logits.device)
    return allowed[logits[:, allowed].argmax(-1)]
