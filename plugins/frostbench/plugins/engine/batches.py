"""Which prompts go into which batch."""

from collections.abc import Callable, Sequence

from frostbench.plugins.engine.resolve import ReadyPrompt


def plan(
    items: Sequence[ReadyPrompt], most: Callable[[int], int], padding: float
) -> list[list[int]]:
    """Batches of indices of `items`: by kind, the longest first, common beginnings together.

    `most` says how many rows of a size fit; `padding` is the largest share of a row that may be
    padding, and 0 keeps lengths apart.
    """
    kinds: dict[tuple[type, bool, tuple[int, ...]], list[int]] = {}
    for i, item in enumerate(items):
        kinds.setdefault((type(item.ask), item.ids is None, item.batched_by), []).append(i)
    batches: list[list[int]] = []
    for members in kinds.values():
        members.sort(key=lambda i: (-items[i].length, items[i].ids or (), i))
        batches += _cut([items[i] for i in members], members, most, padding)
    return batches


def _cut(
    items: Sequence[ReadyPrompt], names: Sequence[int], most: Callable[[int], int], padding: float
) -> list[list[int]]:
    batches: list[list[int]] = []
    longest = room = 0
    for item, name in zip(items, names, strict=True):
        fits = batches and room > 0 and item.length >= (1 - padding) * longest
        if not fits:
            batches.append([])
            longest, room = item.length, most(item.room)
        batches[-1].append(name)
        room -= 1
    return batches
