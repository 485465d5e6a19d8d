"""The tasks `object_detection`, `instance_segmentation` and `open_vocabulary_detection`."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import torch

from frostbench.eval_suites.detection.scenes import BoxedScenes
from frostbench.eval_suites.detection.settings import (
    SIZES,
    SOME,
    DetectionSettings,
    OpenVocabularySettings,
    detection_card,
    instances_card,
    vocabulary_card,
)
from frostbench.plugins.contract.cards import TaskCard
from frostbench.plugins.contract.datasets import BoxedImage, BoxSet, Thing
from frostbench.plugins.contract.detection import Detect, SegmentInstances
from frostbench.plugins.contract.images import UnreadableError
from frostbench.plugins.contract.predictions import Boxes, Instances, Prediction
from frostbench.plugins.contract.scenes import SceneSet
from frostbench.plugins.contract.seeds import seed_of
from frostbench.plugins.contract.task import Instance, Sample, Task, TrueThings, read_or_not


class ObjectDetection(Task):
    """Boxes for everything in an image that is of one of the named classes (COCO).

    In scenes, methods were trained on the classes, and not on the photographs.
    """

    asking: ClassVar[type[Detect | SegmentInstances]] = Detect
    card = detection_card(DetectionSettings())
    data = DetectionSettings().data
    asks = (SceneSet, BoxSet)
    settings = DetectionSettings
    shortened_by = ("classes", "named")

    def __init__(self, settings: DetectionSettings) -> None:
        self._settings = settings
        self.card = self.carded(settings)
        self.data = settings.data

    @staticmethod
    def carded(settings: DetectionSettings) -> TaskCard:
        """The card under some settings."""
        return detection_card(settings)

    @classmethod
    def suited(cls, settings: DetectionSettings, data: Any) -> DetectionSettings:
        """For photographs, average precision is given for all of COCO's sizes."""
        return settings if isinstance(data, SceneSet) else replace(settings, sizes=SIZES)

    def instances(self, data: Any, limit: int, seed: int) -> Iterator[Sample]:
        """At most `limit` images for each protocol, one protocol after the other.

        `data` gives boxed images itself (`BoxSet`), or scenes to draw them from. All protocols show
        the same images.

        Raises:
            ValueError: a protocol leaves classes unnamed, and there is one class alone.
        """
        if isinstance(data, SceneSet):
            drawn = BoxedScenes(data, self._settings, seed)
            images: Sequence[Any] = drawn
            classes = drawn.classes
        else:
            images, classes = data.boxed(), data.classes
        for protocol in self._settings.protocols:
            named = self._named(classes, seed) if protocol == SOME else classes
            for index in range(min(limit, len(images))):
                make = partial(self._instance, images, index, protocol, named, seed)
                yield read_or_not(f"{self.card.name}-{index:05d}", protocol, make)

    def _instance(
        self, images: Sequence[Any], index: int, protocol: str, named: tuple[str, ...], seed: int
    ) -> Instance:
        boxed: BoxedImage = images[index]
        name = f"{self.card.name}-{boxed.id}"
        request = self.asking(name, boxed.image, named, seed_of(seed, name, protocol))
        self._check(boxed)
        target = TrueThings(
            tuple(one for one in boxed.things if one.name in named),
            tuple(one for one in boxed.things if one.name not in named),
        )
        return Instance(request, target, protocol, boxed.cluster)

    def _check(self, boxed: BoxedImage) -> None:
        """Nothing is checked: boxes are all that is needed."""

    def _named(self, classes: tuple[str, ...], seed: int) -> tuple[str, ...]:
        """The part of the classes that `some_classes` names, in the set's order."""
        if len(classes) < 2:
            raise ValueError(
                f"{SOME!r} leaves classes unnamed, and the data set has {len(classes)}; leave that "
                "one out of `protocols`."
            )
        count = min(len(classes) - 1, max(1, round(self._settings.named * len(classes))))
        chosen = {*random.Random(seed_of(seed, "named classes")).sample(classes, count)}
        return tuple(name for name in classes if name in chosen)

    def controls(self, instances: Sequence[Instance]) -> Mapping[str, Sequence[Prediction]]:
        """`whole_image`: for each named class; `oracle_boxes_random_classes`, each thing once."""
        return {
            "whole_image": [_whole_image(one) for one in instances],
            "oracle_boxes_random_classes": [_true_things(one) for one in instances],
        }


class InstanceSegmentation(ObjectDetection):
    """Masks for everything in an image that is of one of the named classes (COCO)."""

    asking = SegmentInstances
    card = instances_card(DetectionSettings())

    @staticmethod
    def carded(settings: DetectionSettings) -> TaskCard:
        """The card under some settings."""
        return instances_card(settings)

    def _check(self, boxed: BoxedImage) -> None:
        if any(one.mask is None for one in boxed.things):
            raise UnreadableError(
                f"image {boxed.id!r} has things without a mask, and masks are asked for: "
                "the data set has boxes alone."
            )


class OpenVocabularyDetection(ObjectDetection):
    """As object detection, for classes that nothing was trained on.

    A method can find these things only by what the class names mean to it.
    """

    card = vocabulary_card(OpenVocabularySettings())
    data = OpenVocabularySettings().data
    settings = OpenVocabularySettings

    @staticmethod
    def carded(settings: DetectionSettings) -> TaskCard:
        """The card under some settings."""
        return vocabulary_card(settings)


def _whole_image(instance: Instance) -> Prediction:
    request = instance.request
    assert isinstance(request, Detect | SegmentInstances)
    height, width = request.image.size
    count = len(request.classes)
    if isinstance(request, Detect):
        boxes = torch.tensor([[0.0, 0.0, float(width), float(height)]]).expand(count, 4)
        return Boxes(boxes.clone(), request.classes, torch.ones(count))
    masks = torch.ones(count, height, width, dtype=torch.bool)
    return Instances(masks, request.classes, torch.ones(count))


def _true_things(instance: Instance) -> Prediction:
    """All true boxes, or masks, with classes drawn from the request's seed; without crowds."""
    request, target = instance.request, instance.target
    assert isinstance(request, Detect | SegmentInstances)
    assert isinstance(target, TrueThings)
    things: list[Thing] = [one for one in target.things if not one.crowd]
    draw = random.Random(request.seed)
    classes = tuple(draw.choice(request.classes) for _ in things)
    scores = torch.ones(len(things))
    if isinstance(request, Detect):
        boxes = torch.tensor([one.box for one in things], dtype=torch.float32).reshape(-1, 4)
        return Boxes(boxes, classes, scores)
    masks = [one.mask for one in things if one.mask is not None]
    none = torch.zeros(0, *request.image.size, dtype=torch.bool)
    return Instances(torch.stack(masks) if masks else none, classes, scores)
