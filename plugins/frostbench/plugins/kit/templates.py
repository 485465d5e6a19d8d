"""Texts of the files that `frostbench new-plugin` writes; `@NAME@` and the like are filled in."""

README = """# @NAME@

A method for [frostbench](https://pypi.org/project/frostbench/), the bench on which frozen-model
vision methods meet on equal terms.

    pip install --editable .
    frostbench check @NAME@          # does it keep the contract?
    frostbench run methods=[@NAME@]  # score it on the mini pack

`@MODULE@.py` holds the whole method. As written it names the mean colour of each cell of an 8x8
grid; put your own tokenizer in its place:

- `card` says what the method is; a request type that it does not name shows a dash.
- `tokenize` turns images into visual tokens. Fingerprint whatever they depend on: tokens are kept
  under (image, fingerprint).
- `shown` gives the part of a prompt that stands for one image, `lending` the language model's ids
  that stand for codes; the prompts themselves are the published ones of V2L-Tokenizer.
- `render` turns codes back into images.

A method that is not a grid of codes starts from `frostbench.plugins.Method` and writes `prompt` and
`decode` itself. Weights come from `setup.weights`, a folder that the pack names; settings from
`setup.settings`, the user's `method.@NAME@.*`.

Without installing, the file alone will do: `frostbench run plugins=[@MODULE@.py] methods=[@NAME@]`.
"""

PYPROJECT = """[build-system]
requires = ["hatchling>=1.25"]
build-backend = "hatchling.build"

[project]
name = "@NAME@"
version = "0.1.0"
description = "The method @NAME@ for frostbench"
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["frostbench"]

[project.optional-dependencies]
test = ["pytest"]

[project.entry-points.frostbench]
@NAME@ = "@MODULE@"

[tool.hatch.build.targets.wheel]
only-include = ["@MODULE@.py"]

[tool.pytest.ini_options]
testpaths = ["tests"]
"""

METHOD = '''"""@NAME@: the mean colour of each cell, named."""

import torch
from frostbench.plugins import Card, Grid, Method, Setup, Text, VisualTokens, hookimpl
from frostbench.plugins.parts.prompting import DiscreteMethod, DiscretePrompting
from frostbench.plugins.parts.tokenizing.fingerprint import fingerprint
from frostbench.plugins.parts.prompting.language import Language
from frostbench.plugins.parts.prompting.token_map import lend
from frostbench.plugins.host.settings import read_settings
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

CELLS = 8  # along each side
PALETTE = {
    "black": (0.05, 0.05, 0.05),
    "gray": (0.5, 0.5, 0.5),
    "silver": (0.75, 0.75, 0.75),
    "white": (0.97, 0.97, 0.97),
    "red": (0.85, 0.15, 0.15),
    "brown": (0.45, 0.28, 0.15),
    "orange": (0.95, 0.55, 0.15),
    "yellow": (0.95, 0.87, 0.25),
    "green": (0.2, 0.6, 0.25),
    "olive": (0.45, 0.5, 0.2),
    "teal": (0.15, 0.5, 0.5),
    "blue": (0.2, 0.4, 0.85),
    "navy": (0.1, 0.15, 0.4),
    "sky": (0.6, 0.8, 0.95),
    "purple": (0.5, 0.25, 0.6),
    "pink": (0.95, 0.65, 0.75),
}


class @CLASS@(DiscreteMethod):
    """One colour a cell, out of sixteen."""

    card = Card(
        name="@NAME@",
        paper="none: an example",
        summary="the mean colour of each cell, named",
        capabilities=frozenset({"Classify", "Reconstruct", "Restore"}),
        backbones=("llm",),
        reasons={"Caption": "sixteen colours make no sentence"},
    )

    def __init__(self, language: Language, prompting: DiscretePrompting) -> None:
        self.language = language
        self.prompting = prompting
        # The last ids of a vocabulary are ordinary tokens; the first are often special.
        first = language.vocabulary_size - len(PALETTE)
        self.lending = lend(len(PALETTE), language.vocabulary_size, "offset", first)
        self.palette = torch.tensor(list(PALETTE.values()))
        self.names = list(PALETTE)

    @classmethod
    def build(cls, setup: Setup) -> "@CLASS@":
        """Take the pack's language model and the user's settings."""
        prompting = read_settings(DiscretePrompting, setup.settings, "method.@NAME@")
        return cls(setup.backbones.get("llm"), prompting)

    @classmethod
    def toy(cls) -> "@CLASS@":
        """The method itself: it has no weights."""
        from frostbench.plugins.kit import toys

        return cls(toys.backbones().get("llm"), DiscretePrompting())

    @property
    def fingerprint(self) -> str:
        """Of the grid and the palette."""
        return fingerprint(method=self.card.name, cells=CELLS, palette=repr(PALETTE))

    def tokenize(self, images: Float[Tensor, "b 3 h w"], sizes: Int[Tensor, "b 2"]) -> VisualTokens:
        """The colour nearest to the mean of each cell."""
        pairs = zip(images, sizes.tolist(), strict=True)
        means = torch.stack([adaptive_avg_pool2d(i[:, :h, :w], CELLS) for i, (h, w) in pairs])
        distances = (means.movedim(1, -1)[..., None, :] - self.palette).square().sum(-1)
        return VisualTokens({self.grid_part: Grid(distances.argmin(-1))})

    def shown(self, tokens: VisualTokens) -> tuple[Text, ...]:
        """The names of the colours, row by row."""
        (rows,) = self.words(tokens).values()
        return (Text("; ".join(" ".join(row) for row in rows)),)

    def render(self, tokens: VisualTokens) -> Float[Tensor, "b 3 h w"]:
        """Flat cells of the colours."""
        return self.palette[tokens.grid(self.grid_part)].movedim(-1, 1)

    def words(self, tokens: VisualTokens) -> dict[str, list[list[str]]]:
        """The colours of one image, row by row."""
        rows = tokens.grid(self.grid_part)[0].tolist()
        return {self.grid_part: [[self.names[code] for code in row] for row in rows]}


@hookimpl
def frostbench_methods() -> list[type[Method]]:
    """Offer the method to the bench."""
    return [@CLASS@]
'''

TESTS = """import torch
from frostbench.plugins.kit.pytest import conformance_tests
from @MODULE@ import PALETTE, @CLASS@

test_the_method_keeps_the_contract = conformance_tests(@CLASS@)


def test_a_flat_picture_comes_back_in_its_own_colour():
    method = @CLASS@.toy()
    for colour in PALETTE.values():
        image = torch.tensor(colour)[None, :, None, None].expand(1, 3, 32, 24)
        tokens = method.tokenize(image, torch.tensor([[32, 24]]))
        assert torch.equal(method.render(tokens)[0, :, 0, 0], torch.tensor(colour))
"""
