"""Generation of a batch: greedy, or drawn from a seed."""

from collections import defaultdict
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.contract.completions import Failed, Generated
from frostbench.plugins.engine.reader import Context, Reader
from frostbench.plugins.engine.resolve import ReadyPrompt, samples_of
from frostbench.plugins.engine.writer import Writer, joined


def generate(
    items: Sequence[ReadyPrompt], reader: Reader, lm: CausalLM, role: str, most_rows: int
) -> list[Generated | Failed]:
    """Write the answers of a batch, token by token.

    A prompt is read once; where several samples are wanted of one, they are written after branches
    of it, at most `most_rows` at a time.
    """
    writers = [[Writer(item, lm, sample) for sample in range(samples_of(item))] for item in items]
    asked = [i for i, several in enumerate(writers) if not several[0].done]
    if asked:
        reading = reader.read([items[i].inputs(lm) for i in asked])
        rows = [(at, writer) for at, i in enumerate(asked) for writer in writers[i]]
        if len(rows) == len(asked):
            _write(reading, [writer for _, writer in rows], reader, lm, role)
        else:
            for start in range(0, len(rows), most_rows):
                some = rows[start : start + most_rows]
                branch = reader.branch(reading, [at for at, _ in some])
                _write(branch, [writer for _, writer in some], reader, lm, role)
    return [joined([writer.finish() for writer in several]) for several in writers]


def _write(
    reading: Context, writers: Sequence[Writer], reader: Reader, lm: CausalLM, role: str
) -> None:
    """Let each writer finish its answer, after its batch row of `reading`.

    Batch rows whose answer is complete leave the batch when they are half of it.
    """
    while True:
        _write_next(reading, writers, role)
        live = [row for row, writer in enumerate(writers) if not writer.done]
        if not live:
            return
        if 2 * len(live) <= len(writers):
            reading = reader.branch(reading, live)
            writers = [writers[row] for row in live]
        # A complete row reads any token, and its output is ignored.
        last = [writer.ids[-1] if writer.ids else 0 for writer in writers]
        reader.extend(reading, torch.tensor(last, device=lm.device)[:, None])


def _write_next(reading: Context, writers: Sequence[Writer], role: str) -> None:
    """Let each writer that is not done take its next token.

    Of equally good tokens the one with the lowest id wins.
    """
    logits = reading.last.float()
    total = logits.logsumexp(-1)
    finite = torch.isfinite(total).tolist()
    scores = _drawn(logits, writers)
    picks = scores.argmax(-1)
    tops = picks.tolist()
    groups: defaultdict[frozenset[int], list[int]] = defaultdict(list)
    for row, writer in enumerate(writers):
        if writer.done:
            continue
        if not finite[row]:
            writer.fail(
                f"backbone {role!r} gave logits that are not finite numbers for token "
                f"{len(writer.ids) + 1} of the answer."
            )
            continue
        choices = writer.choices(tops[row])
        if choices is None:
            continue
        if choices:
            groups[choices].append(row)
        else:
            writer.end()
    for choices, places in groups.items():
        picks[places] = _best(scores[places], choices)
    logprobs = (logits.gather(1, picks[:, None])[:, 0] - total).tolist()
    for row, (writer, pick) in enumerate(zip(writers, picks.tolist(), strict=True)):
        if not writer.done:
            writer.take(pick, logprobs[row])


def _drawn(logits: Float[Tensor, "b v"], writers: Sequence[Writer]) -> Float[Tensor, "b v"]:
    """Logits whose largest is the token to take: unchanged, or with noise where a token is drawn.

    With Gumbel noise times the temperature, the largest of any set of tokens is a draw from it. The
    noise is made for each row by itself, so that no draw depends on the rows beside it; and as one
    number changes a draw only if two tokens come out equal, rounding seldom does.
    """
    rows = [row for row, writer in enumerate(writers) if writer.draws and not writer.done]
    if not rows:
        return logits
    noise = torch.stack([writers[row].noise(logits.shape[1]) for row in rows])
    scores = logits.clone()
    scores[rows] += noise.to(logits.device)
    return scores


def _best(scores: Float[Tensor, "b v"], choices: frozenset[int]) -> Tensor:
    """The best of the allowed ids in each row."""
    allowed = torch.tensor(sorted(choices), device=scores.device)
    return allowed[scores[:, allowed].argmax(-1)]
