"""Tokenizes every image once for each method, and keeps the tokens."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence

import torch

from frostbench.bench.runner.visual import VisualTally
from frostbench.bench.store.manifest import TokenizerCounts
from frostbench.bench.store.tokens import Kept, TokenStore
from frostbench.plugins.backbones.energy import Energy, Outlay
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.method import Method, visual_tokens
from frostbench.plugins.contract.tokens import VisualTokens
from frostbench.plugins.contract.validity import check_tokens
from frostbench.plugins.host.containment import Call, contain
from frostbench.plugins.host.errors import describe
from frostbench.plugins.host.limits import limits

# Images whose tokens stay in memory: the rows of a chunk look at the same ones.
_RECENT = 1024


class Tokenizing:
    """One method's `tokenize`, with its cache of kept tokens.

    Which images share a batch depends on which worker is first. If that changes tokens, even in
    their last digits (which the first batch of each size shows), images are tokenized one at a
    time, and `note` is told.

    Attributes:
        counts: what this process has done; an image counts once, however often it is needed.
        tally: how large the tokens of these images are.
    """

    def __init__(
        self,
        method: Method,
        folder: TokenStore,
        device: str,
        batch: int,
        note: Callable[[str], None],
        energy: Energy,
    ) -> None:
        self._method = method
        self._call = Call("method", method.card.name, "tokenize")
        self._kept = folder
        self._device = device
        self._batch = batch
        self._note = note
        self._energy = energy
        self._tried = {1}
        self._seen: set[str] = set()
        self._failed: dict[str, str] = {}
        self._recent: OrderedDict[str, Kept] = OrderedDict()
        self.counts = TokenizerCounts()
        self.tally = VisualTally(method.codes)
        self.mark()

    def mark(self) -> None:
        """Mark the beginning of work that `undo` can take back."""
        self._marked = len(self._kept.made), self.counts, set(self._seen), self.tally.copy()

    def undo(self) -> None:
        """Forget the tokens that were made since the mark, and that they were."""
        since, self.counts, self._seen, self.tally = self._marked
        self._drop(since)

    def forget(self) -> None:
        """Forget all tokens that this process has made."""
        self._drop(0)

    def follow(self, before: "Tokenizing") -> None:
        """Take over from an instance whose method was built again."""
        self._kept.made = [*before._kept.made]
        self.counts, self._seen, self._marked = before.counts, before._seen, before._marked
        self.tally = before.tally
        self._batch, self._tried = before._batch, before._tried

    def retire(self) -> None:
        """Release the method, which is built again later; others can still `follow` this."""
        del self._method
        self._recent.clear()

    def _drop(self, since: int) -> None:
        self._kept.forget(since)
        self._recent.clear()
        self._failed.clear()

    def __call__(self, images: Sequence[Image]) -> dict[Image, Kept | str]:
        """The tokens of each image, or one clause that says why there are none.

        Raises:
            StoreFullError: computed tokens cannot be kept for want of room.
        """
        found: dict[Image, Kept | str] = {}
        missing: list[Image] = []
        for image in dict.fromkeys(images):
            kept = self._failed.get(image.digest) or self._known(image.digest)
            if kept is None:
                missing.append(image)
                continue
            found[image] = kept
            if isinstance(kept, Kept) and image.digest not in self._seen:
                self._saw(image.digest, kept)
                self.counts += TokenizerCounts(cached=1)
        for batch in _batches(missing, self._batch):
            found.update(zip(batch, self._fresh(batch), strict=True))
        return found

    def _alike(self, images: Sequence[Image], tokens: VisualTokens) -> bool:
        """Whether the last image has the same tokens alone; if not, images are never batched."""
        if len(images) in self._tried:
            return True
        self._tried.add(len(images))
        alone = self._tokens(images[-1:]).tensors()
        beside = tokens.split()[-1].tensors()
        if all(torch.equal(one, beside[key]) for key, one in alone.items()):
            return True
        self._batch = 1
        self._note(
            f"{self._call.name}: an image's tokens depend on what stands beside it in a batch, if "
            "only in their last digits; images are tokenized one at a time."
        )
        return False

    def _saw(self, digest: str, kept: Kept) -> None:
        if digest not in self._seen:
            self._seen.add(digest)
            self.tally.add(kept.tokens)

    def _known(self, digest: str) -> Kept | None:
        """Tokens in memory or on the disk."""
        kept = self._recent.get(digest) or self._kept.get(digest)
        return None if kept is None else self._remember(digest, kept)

    def _remember(self, digest: str, kept: Kept) -> Kept:
        self._recent[digest] = kept
        self._recent.move_to_end(digest)
        if len(self._recent) > _RECENT:
            self._recent.popitem(last=False)
        return kept

    def _fresh(self, images: Sequence[Image]) -> list[Kept | str]:
        """Tokens of images of one size; one at a time if the batch fails."""
        if len(images) > self._batch:  # it was told while these were waiting
            return [result for image in images for result in self._fresh([image])]
        outlay = Outlay(self._energy)
        try:
            most = limits().most_seconds * len(images)
            tokens = contain(self._call, self._forward, images, seconds=most)
            if not contain(self._call, self._alike, images, tokens):
                return [result for image in images for result in self._fresh([image])]
        except Exception as error:  # an author's code: its failure is a result
            if len(images) > 1:
                return [result for image in images for result in self._fresh([image])]
            self._failed[images[0].digest] = reason = describe(error)
            return [reason]
        each = outlay.cost().part(1 / len(images))
        batch = [Kept(one, each.seconds, each.joules) for one in tokens.split()]
        digests = [image.digest for image in images]
        self._kept.put(digests, batch)
        for digest, one in zip(digests, batch, strict=True):
            self._saw(digest, one)
        self.counts += TokenizerCounts(images=len(images))
        return [self._remember(digest, kept) for digest, kept in zip(digests, batch, strict=True)]

    def _forward(self, images: Sequence[Image]) -> VisualTokens:
        self.counts += TokenizerCounts(forwards=1)
        return self._tokens(images)

    def _tokens(self, images: Sequence[Image]) -> VisualTokens:
        with torch.no_grad():
            tokens = visual_tokens(self._method, images, self._device)
        check_tokens(tokens, len(images), self._method.codes)
        return VisualTokens.from_tensors(tokens.tensors())


def _batches(images: Sequence[Image], size: int) -> Iterator[list[Image]]:
    """Images of one size together, in the order in which they come."""
    groups: dict[tuple[int, int], list[Image]] = {}
    for image in images:
        groups.setdefault(image.size, []).append(image)
    for group in groups.values():
        for start in range(0, len(group), size):
            yield group[start : start + size]
