"""What all rows of a chunk share: stored targets, and images and words for the gallery."""

from collections.abc import Callable, Mapping, Sequence

from frostbench.bench.runner.instances import Chunk
from frostbench.bench.runner.items import Attempt
from frostbench.bench.runner.rows import Entrant
from frostbench.bench.store.blobs import Blobs
from frostbench.bench.store.values import store_target, target_as_stored
from frostbench.plugins.contract.asked import asked_of
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.method import Method
from frostbench.plugins.contract.requests import Restore
from frostbench.plugins.contract.task import Instance, Target
from frostbench.plugins.contract.tokens import VisualTokens
from frostbench.plugins.host.containment import Call, contain
from frostbench.plugins.host.errors import describe


class Shown:
    """What all rows of a chunk share: targets as stored, and images and words to look at."""

    def __init__(
        self, task: str, chunk: Chunk, blobs: Blobs, gallery: int, note: Callable[[str], None]
    ) -> None:
        self.chunk = chunk
        self.targets: list[Target] = [target_as_stored(one.target) for one in chunk.instances]
        self.stored = [store_target(target, blobs) for target in self.targets]
        self._task, self._note = task, note
        self._shown = max(0, gallery - chunk.start)
        self.pictures = [
            _images(instance, blobs) if index < self._shown else {}
            for index, instance in enumerate(chunk.instances)
        ]
        self.asked = [
            asked_of(instance.request) if index < self._shown else ("", ())
            for index, instance in enumerate(chunk.instances)
        ]
        self.words: dict[Entrant, list[Mapping[str, Sequence[Sequence[str]]]]] = {}

    def show(self, row: Entrant, items: Sequence[Attempt]) -> None:
        """Store the words of a method's own row."""
        if row.control is None:
            self.words[row] = [self._words(item) for item in items]

    def _words(self, item: Attempt) -> Mapping[str, Sequence[Sequence[str]]]:
        """The words of the request's image, if this sample is in the gallery."""
        image = item.request.image
        shown = self.chunk.instances[: self._shown]
        if image not in item.tokens or not any(item.instance is one for one in shown):
            return {}
        try:
            call = Call("method", item.row.method, "words")
            return contain(call, _words, item.method, item.tokens[image])
        except Exception as error:  # an author's code; the sample itself is sound
            self._note(
                f"{item.row.title}, words, task {self._task!r}, sample "
                f"{item.request.id!r}: {describe(error)}."
            )
            return {}


def _words(method: Method, tokens: VisualTokens) -> Mapping[str, Sequence[Sequence[str]]]:
    return {
        str(part): [[str(word) for word in row] for row in rows]
        for part, rows in method.words(tokens).items()
    }


def _images(instance: Instance, blobs: Blobs) -> Mapping[str, str]:
    request = instance.request
    if not isinstance(request, Restore):
        return {"input": blobs.put_image(request.image.pixels)}
    images = {"corrupted": blobs.put_image(request.image.pixels)}
    if isinstance(instance.target, Image):
        images["input"] = blobs.put_image(instance.target.pixels)
    return images
