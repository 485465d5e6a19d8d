"""What a model does right, found out by trying it on a few tokens before it is used.

Whether left padding or a cache changes a model's answers depends on its layers and on the version
of transformers: short convolutions and recurrent states see pads unless the class hides them. So
nothing is assumed of a class: each feature is tried once, and is not used where it is not exact.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.linalg import vector_norm

from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.engine.forward import States
from frostbench.plugins.engine.packed import halo_of, packed_states
from frostbench.plugins.engine.reader import CachedReader, WholeReader

# Relative to the logits' spread. In float32 rounding is about 1e-6, and biases of convolutions that
# see pads made 2e-2. Half precision rounds as coarsely as that, so only gross faults show.
TOLERANCE = {torch.float64: 1e-4, torch.float32: 1e-4}
HALF_TOLERANCE = 0.1
LONG, SHORT = 11, 4


@dataclass(frozen=True)
class Traits:
    """Which ways of reading leave a model's answers unchanged.

    Attributes:
        caches: One token more, from a cache whose rows were picked from another.
        continues: Several tokens more at once, from such a cache.
        pads: Rows of unequal length, padded at the left.
    """

    caches: bool
    continues: bool
    pads: bool


@torch.inference_mode()
def probe(lm: CausalLM) -> Traits:
    """Try the model on a few tokens, some 50 ms for a small one."""
    room = lm.context_length
    long = LONG if room is None else min(LONG, room - 1)
    short = min(SHORT, long - 2)
    if short < 1:
        return Traits(caches=False, continues=False, pads=False)
    draw = torch.Generator().manual_seed(0)
    ids = torch.randint(lm.vocabulary_size, (2, long + 1), generator=draw).to(lm.device)
    wanted = torch.stack([_whole(lm, row) for row in ids])
    caches = _holds(lambda: _goes_on(lm, ids, wanted, short, continues=False))
    return Traits(
        caches=caches,
        continues=caches and _holds(lambda: _goes_on(lm, ids, wanted, short, continues=True)),
        pads=caches and _holds(lambda: _pads(lm, ids, wanted, short)),
    )


def packing_halo(lm: CausalLM) -> int | None:
    """The halo with which `packed_states` gives the model's own answers; None where none does."""
    halo = halo_of(lm.model) if hasattr(lm.model, "get_decoder") else 0
    return halo if _holds(lambda: _packs(lm, halo)) else None


@torch.inference_mode()
def _packs(lm: CausalLM, halo: int) -> bool:
    """Whether three groups after one prompt equal each by itself and with other neighbours."""
    length = max(LONG, halo + 1)
    room = lm.context_length
    if room is not None and length + 2 > room:
        length = room - 2
    draw = torch.Generator().manual_seed(0)
    ids = torch.randint(lm.vocabulary_size, (length + 8,), generator=draw)
    embeddings = lm.embed(ids.tolist())
    prompt, groups = embeddings[:length], embeddings[length:].view(4, 2, -1)
    packed = packed_states(lm.model, prompt[None], groups[None, :3], halo).groups[0]
    alone = States(lm)
    rows = torch.cat([prompt.expand(3, -1, -1), groups[:3]], dim=1)
    wanted = torch.cat([alone.after(alone(row[None], use_cache=False)) for row in rows])
    # In half precision that is coarse, but tokens that a group does not see change no bit of it.
    others = packed_states(lm.model, prompt[None], groups[None, [3, 1, 3]], halo).groups[0]
    apart = (packed[1] - others[1]).abs().max() <= TOLERANCE[torch.float32] * packed[1].abs().max()
    return bool(apart) and _close(packed, wanted[:, length:])


def _whole(lm: CausalLM, row: Int[Tensor, " n"]) -> Float[Tensor, "n v"]:
    """The logits after every token of a row, read alone and without a cache."""
    reader = WholeReader(lm)
    reading = reader.read([row[:1]])
    first = reading.last[:, None]
    return torch.cat([first, reader.extend(reading, row[None, 1:])], dim=1)[0]


def _goes_on(
    lm: CausalLM,
    ids: Int[Tensor, "b n"],
    wanted: Float[Tensor, "b n v"],
    short: int,
    *,
    continues: bool,
) -> bool:
    reader = CachedReader(lm, continues=continues)
    trunk = reader.read(list(ids[:, :short]))
    right = _close(trunk.last, wanted[:, short - 1])
    for rows in ([1, 0, 0], [0]):  # the second branch finds the trunk as it was
        reading = reader.branch(trunk, rows)
        rest = reader.extend(reading, ids[rows, short:-1])
        last = reader.extend(reading, ids[rows, -1:])
        right = right and _close(torch.cat([rest, last], dim=1), wanted[rows, short:])
    return right


def _pads(
    lm: CausalLM, ids: Int[Tensor, "b n"], wanted: Float[Tensor, "b n v"], short: int
) -> bool:
    reader = CachedReader(lm, continues=False)
    reading = reader.read([ids[0, :-1], ids[1, :short]])
    if wanted.dtype not in TOLERANCE and _has_states(reading.memory):
        return False  # a trial could not tell, see HALF_TOLERANCE
    right = _close(reading.last, torch.stack([wanted[0, -2], wanted[1, short - 1]]))
    logits = reader.extend(reading, torch.stack([ids[0, -1:], ids[1, short : short + 1]]))
    return right and _close(logits[:, 0], torch.stack([wanted[0, -1], wanted[1, short]]))


def _has_states(cache: object) -> bool:
    """Whether a cache holds states of convolutions or recurrences beside keys and values."""
    layers = getattr(cache, "layers", None)
    if layers is None:
        return True
    return any(hasattr(layer, "conv_states") for layer in layers)


def _close(given: Float[Tensor, "*rows v"], wanted: Float[Tensor, "*rows v"]) -> bool:
    tolerance = TOLERANCE.get(wanted.dtype, HALF_TOLERANCE)
    given, wanted = given.float(), wanted.float()
    spread = vector_norm(wanted - wanted.mean(-1, keepdim=True), dim=-1)
    error = vector_norm(given - wanted, dim=-1)
    return bool((error <= tolerance * spread).all())


def _holds(trial: Callable[[], bool]) -> bool:
    """Whether a trial succeeds; a class that refuses what is tried cannot do it."""
    try:
        return trial()
    except (NotImplementedError, RuntimeError, ValueError, TypeError, AttributeError, IndexError):
        return False
