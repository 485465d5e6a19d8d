import importlib.util
from pathlib import Path

import pytest
import torch

from frostbench.plugins import (
    Caption,
    Generate,
    Generated,
    LabelledImage,
    Score,
    Scored,
    Setup,
    Text,
    Texts,
    VisualTokens,
)
from frostbench.plugins.kit import toys
from frostbench.plugins.kit.pytest import conformance_tests
from frostbench.plugins.kit.requests import images

FILE = Path(__file__).parents[2] / "examples" / "mils" / "mils" / "__init__.py"
spec = importlib.util.spec_from_file_location("mils", FILE)
mils = importlib.util.module_from_spec(spec)
spec.loader.exec_module(mils)

test_mils_keeps_the_contract = conformance_tests(mils.Mils)


def read(waves, scores, written):
    """Answer a loop's prompts; what was asked of the scorer, of the generator, and the outcome."""
    scored, generated, completion = [], [], None
    try:
        while True:
            (prompt,) = waves.send(completion)
            if isinstance(prompt.ask, Score):
                scored.append(prompt.ask.texts)
                completion = [Scored(tuple(scores[text] for text in prompt.ask.texts))]
            else:
                generated.append(prompt)
                first, *others = (Generated((), text) for text in next(written))
                completion = [Generated((), first.text, others=tuple(others))]
    except StopIteration as stop:
        return scored, generated, stop.value


def test_the_best_texts_are_fed_back_and_none_is_scored_twice():
    asked, shown = images()[:2]
    method = mils.Mils(toys.backbones().get("clip"), ("cat", "dog"), mils.MilsSettings(kept=2))
    tokens = {
        asked: VisualTokens({"texts": Texts((("cat", "dog"),))}),
        shown: VisualTokens({"texts": Texts((("owl", "cat"),))}),
    }
    request = Caption("c", asked, (LabelledImage(shown, "an owl."),), seed=3)
    scores = {"cat": 0.9, "dog": 0.1, "a cat.": 0.5, "a bat.": 0.3, "a hat.": 0.6, "a rat.": 0.2}
    written = iter([("a cat. ", " a bat."), ("a cat.", "a hat."), ("", "a rat.")])
    scored, generated, said = read(method.prompt(request, tokens), scores, written)
    assert scored == [("cat", "dog"), ("a cat.", "a bat."), ("a hat.",), ("a rat.",)]
    fed = [piece.text for prompt in generated for piece in prompt.query if piece.visual]
    assert fed == ["cat, dog", "cat, a cat.", "cat, a hat."]
    assert said == "a hat."  # "cat" fits better, and the generator did not write it
    (shot,) = generated[0].shots
    assert shot.shown[1] == Text("owl, cat", visual=True)
    assert len({prompt.ask.seed for prompt in generated}) == 3
    assert all(isinstance(prompt.ask, Generate) for prompt in generated)


def test_the_bank_is_a_file_of_texts_and_each_image_keeps_those_that_fit(tmp_path):
    file = tmp_path / "bank.txt"
    file.write_text("a red house\n\n a cat \nan owl\n")
    clip = toys.backbones().get("clip")
    settings = {"bank": str(file), "kept": 2}
    method = mils.Mils.build(Setup(toys.backbones(), settings=settings))
    assert method.bank == ("a red house", "a cat", "an owl")
    image = images()[0]
    kept = method.tokenize(image.pixels[None], torch.tensor([image.size])).texts("texts")[0]
    seen = clip.encode_image(image.pixels[None], normalise=True)[0]
    cosines = dict(
        zip(method.bank, (clip.encode_text(method.bank, True) @ seen).tolist(), strict=True)
    )
    assert list(kept) == sorted(cosines, key=cosines.__getitem__, reverse=True)[:2]
    with pytest.raises(ValueError, match=r"kept=4 of the 3 texts in .*bank.txt"):
        mils.Mils.build(Setup(toys.backbones(), settings={**settings, "kept": 4}))
