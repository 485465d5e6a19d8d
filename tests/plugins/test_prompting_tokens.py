"""Whole prompts as the published code tokenises them, piece for piece.

The sequences were written down from eval_denoising_generation.py and eval_understanding.py of
V2L-Tokenizer, run over the same SentencePiece model.
"""

import pytest
import torch
import transformers
from sentencepiece_world import SAID, write_llama

from frostbench.plugins.backbones.causal_lm import CausalLM
from frostbench.plugins.backbones.sentencepieces import converted, sentencepiece_at
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.prompts import Text
from frostbench.plugins.contract.requests import Classify, LabelledImage, OracleContext, Restore
from frostbench.plugins.engine.resolve import resolve
from frostbench.plugins.parts.prompting.classification import (
    ClassificationSettings,
    classification,
    union,
)
from frostbench.plugins.parts.prompting.restoration import WindowSettings, restoration
from frostbench.plugins.parts.prompting.token_map import TokenMap

CLEAN, BLURRED, OTHER = (Image(torch.full((3, 8, 8), i / 10)) for i in range(3))
GRIDS = {
    CLEAN: torch.arange(220, 236).view(4, 4),
    BLURRED: torch.arange(240, 256).view(4, 4),
}
SHOWN = {CLEAN: "redcatsmat", BLURRED: "dogon", OTHER: "Tcat"}
LEARN = (
    "<s> ▁ Le ar n ing ▁a ▁ ne w ▁l an gu ag e ▁and ▁p red i ct ▁the ▁ 2 ▁t ok en s ▁following "
    "▁the ▁e x am pl es . ⏎"
)
CHOOSE = (
    "<s> ▁F or ▁e ac h ▁of ▁the ▁following ▁ in put ▁output ▁p ai rs , ▁output ▁ is ▁o ne ▁of ▁[ ' "
    "c r an e ' ▁o r ▁[ ' g re at _ w h it e _ s h ar k ' <0x5D> ⏎"
)
INPUT, OUTPUT = "▁###⏎ Input : ▁< ▁", "▁▁ >⏎ Output : ▁"
CRANE, SHARK = "▁c r an e", "▁g re at _ w h it e _ s h ar k"


@pytest.fixture(scope="module")
def pieces(tmp_path_factory):
    return sentencepiece_at(write_llama(tmp_path_factory.mktemp("llama")) / "tokenizer.model")


@pytest.fixture(scope="module")
def lm(pieces, tmp_path_factory):
    folder = write_llama(tmp_path_factory.mktemp("llama"))
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
    config = transformers.LlamaConfig(vocab_size=420, num_attention_heads=2, **sizes)
    model = transformers.LlamaForCausalLM(config)
    return CausalLM(model, converted(folder / "tokenizer.model", pieces, SAID))


def read(prompt, lm, pieces):
    """The pieces of a prompt; codes, which are bytes that no text has, as their numbers."""
    ids = resolve(prompt, lm, "llm").ids
    return " ".join(
        str(i) if 220 <= i < 256 else pieces.id_to_piece(i).replace("\n", "⏎") for i in ids
    ).replace("<0x0A>", "⏎")


def first(waves):
    return next(waves)[0]


def restored(hidden, length=None):
    request = Restore("r", BLURRED, "t", OracleContext(CLEAN, 1), hidden, seed=0)
    settings = WindowSettings(step=2, prompt_length=length, rates=(0.0,))
    codes = TokenMap(tuple(range(420)), 420)
    return first(restoration(request, lambda image: (GRIDS[image],), codes, settings))


def test_a_restoration_shows_clean_codes_for_degraded_ones(lm, pieces):
    wanted = f"{LEARN} {INPUT} 240 241 {OUTPUT} 220 221 {INPUT} 240 241 {OUTPUT}"
    assert read(restored(None), lm, pieces) == wanted


def test_filling_in_shows_the_codes_before_a_window(lm, pieces):
    hidden = torch.zeros(8, 8, dtype=torch.bool)
    hidden[4:] = True
    before = "224 225 226 227"
    wanted = f"{LEARN} {INPUT} {before} {OUTPUT} 228 229 {INPUT} {before} {OUTPUT}"
    assert read(restored(hidden, length=4), lm, pieces) == wanted


def test_a_classification_names_its_classes_and_shows_glued_words(lm, pieces):
    examples = (LabelledImage(CLEAN, "great_white_shark"), LabelledImage(BLURRED, "crane"))
    request = Classify("c", OTHER, examples, ("crane", "great_white_shark"))
    settings = ClassificationSettings(decoding="union")
    prompt = first(classification(request, lambda image: (Text(SHOWN[image]),), settings, lm))
    shark = f"{INPUT} ▁ red c at s m at {OUTPUT} {SHARK}"
    crane = f"{INPUT} ▁dog o n {OUTPUT} {CRANE}"
    assert read(prompt, lm, pieces) == f"{CHOOSE} {shark} {crane} {INPUT} ▁ <0x54> c at {OUTPUT}"
    sets = [{pieces.id_to_piece(i) for i in one} for one in union(request.options, lm)]
    assert sets[:5] == [{"▁c", "▁g"}, {"r", "re"}, {"an", "at"}, {"e", "_"}, {"</s>", "w"}]
