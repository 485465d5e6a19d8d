"""LiMBeR: a linear map from an image encoder's features to a language model's embeddings.

Merullo et al., "Linearly Mapping from Image to Text Space", ICLR 2023,
https://arxiv.org/abs/2209.15162. Encoder and language model stay frozen; the map alone is trained,
on captions. With `pooling` and `hidden` it is the map of ClipCap as well (Mokady et al.,
https://arxiv.org/abs/2111.09734): an MLP over one pooled feature.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from frostbench.plugins import (
    Card,
    Conversion,
    Converted,
    Converter,
    PublishedFile,
    Recipe,
    Report,
    Workshop,
    hookimpl,
)
from frostbench.plugins.contract.cards import CONTINUOUS
from frostbench.plugins.host.settings import read_settings
from frostbench.plugins.parts.prefix import PrefixMethod, PrefixSettings
from frostbench.plugins.parts.prompting import (
    AnswerSettings,
    CaptionSettings,
    ClassificationSettings,
    TextPrompting,
)

FROSTBENCH_CONTRACT = "1.1"

# Images come before the text, captions after "A picture of"; questions and labels as Frozen has
# them (Tsimpoukelli et al., https://arxiv.org/abs/2106.13884).
PUBLISHED = TextPrompting(
    ClassificationSettings(style="sentence"),
    CaptionSettings(style="prefix"),
    AnswerSettings(style="prefix"),
)


class Limber(PrefixMethod):
    """Section 3: each cell of CLIP's last map, before it is pooled, becomes one vector."""

    card = Card(
        name="limber",
        paper="https://arxiv.org/abs/2209.15162",
        summary="features of a frozen image encoder through a linear map, before the text",
        capabilities=frozenset({"Classify", "Caption", "Answer"}),
        backbones=("llm", "clip"),
        trained=("map",),
        trained_on="the pack's captioned base scenes; published: CC3M",
        reasons=CONTINUOUS,
        discrete=False,
    )
    defaults = PrefixSettings(pooling="cells", vectors=1, prompting=PUBLISHED)

    @classmethod
    def toy(cls):
        from frostbench.plugins.kit import toys

        return cls.between(toys.backbones())


@dataclass(frozen=True)
class ProjectionSettings:
    """Facts that the authors' file does not contain.

    Attributes:
        pooling: "cells" for CLIP (RN50x16) and BEiT, "pooled" for NF-ResNet.
        llm_width: Width of the language model that it was trained with, GPT-J's.
    """

    pooling: str = "cells"
    llm_width: int = 4096


def convert(conversion: Conversion) -> Converted:
    """The authors' `proj.ckpt`: weight and bias of the linear layer.

    Raises:
        ValueError: the file holds something else, or vectors of another width.
    """
    from frostbench.plugins.backbones.published import read_state
    from frostbench.plugins.parts.training.folder import save

    path = conversion.files["projection"]
    own = read_settings(ProjectionSettings, conversion.settings, "frostbench convert limber")
    state = read_state(path, ())
    if set(state) != {"weight", "bias"} or state["weight"].dim() != 2:
        raise ValueError(f"{path} holds no linear layer but {', '.join(sorted(state))}.")
    rows, width = state["weight"].shape
    if rows % own.llm_width:
        raise ValueError(
            f"{path} makes {rows} numbers of a feature, which are no vectors of {own.llm_width}; "
            "give llm_width, that of the language model's embeddings."
        )
    sizes = read_settings(
        PrefixSettings,
        {"width": width, "llm_width": own.llm_width, "vectors": rows // own.llm_width}
        | {"pooling": own.pooling},
        "frostbench convert limber",
    )
    kept = {f"layers.0.{name}": tensor for name, tensor in state.items()}
    save(conversion.out, replace(sizes, prompting=PUBLISHED), kept, conversion.precision)
    return Converted(kept)


def train(workshop: Workshop) -> Report:
    """Section 3.1, on the captions of a pack; with the pooled feature, which has the classes."""
    from frostbench.plugins.parts.prefix.training import PrefixTraining, train_map

    # The small language model has read no "A picture of".
    wording = replace(PUBLISHED, caption=CaptionSettings(style="prefix", lead=""))
    sizes = PrefixSettings(pooling="pooled", vectors=4, prompting=wording)
    own = PrefixTraining(map=sizes, shots=3, each=12, steps=900, rate=3e-3)
    return train_map(workshop, "limber", own)


@hookimpl
def frostbench_methods() -> Iterable[type[Limber]]:
    """Offer the method."""
    return [Limber]


@hookimpl
def frostbench_recipes() -> Iterable[Recipe]:
    """Offer the training of the map."""
    summary = "LiMBeR: a linear map, on captions"
    return [Recipe("limber", ("data", "llm", "clip"), train, summary)]


@hookimpl
def frostbench_converters() -> Iterable[Converter]:
    """Offer to read the authors' projections."""
    file = PublishedFile("projection", "a map (proj.ckpt), as limber_weights/ has it")
    return [
        Converter("limber", (file,), convert, "LiMBeR's linear map", "pooling=pooled, llm_width=N")
    ]
