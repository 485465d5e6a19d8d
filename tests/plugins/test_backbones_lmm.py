"""Multimodal models, held against transformers' own forwards and processors."""

import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from language_models import One, language_model
from multimodal_models import (
    FAMILIES,
    PATCH,
    SIDE,
    lmm,
    model,
    picture,
    processor,
    prompt,
    text_config,
    with_images,
    words,
    written,
)
from PIL import Image as Pillow

from frostbench.plugins.backbones import BackboneEntry, SharedBackbones
from frostbench.plugins.backbones import lmm as lmm_module
from frostbench.plugins.backbones.adapters import LoraSettings, new_adapter, save_adapter
from frostbench.plugins.backbones.lmm import LMM, LmmSettings
from frostbench.plugins.backbones.shared import module_of
from frostbench.plugins.contract.completions import Failed, Generated
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.prompts import Adapter, Choose, Generate, Prompt
from frostbench.plugins.engine import EngineSettings, FrozenEngine
from frostbench.plugins.engine.resolve import resolve
from frostbench.plugins.host.packs import read_pack

SIZES = [(24, 24), (30, 50), (50, 30), (20, 90), (100, 17)]
sizes = st.tuples(st.integers(12, 120), st.integers(12, 120))


def stored(tmp_path, family):
    model(family).save_pretrained(tmp_path)
    processor(family).save_pretrained(tmp_path)
    return BackboneEntry("lmm", "lmm", str(tmp_path))


@pytest.mark.parametrize("family", FAMILIES)
def test_answers_are_those_of_the_models_own_generate(family):
    lm = lmm(family)
    asked = [
        prompt(["a cat ", picture(*size, seed=at), "sat on" + " the" * at], Generate(8))
        for at, size in enumerate(SIZES)
    ]
    asked.append(prompt([picture(30, 50), "and", picture(50, 31), "Output"], Generate(8)))
    asked.append(prompt(["a cat sat"], Generate(8)))
    answers = FrozenEngine(One(lm), EngineSettings(padding=0.5)).run(asked)
    for one, answer in zip(asked, answers, strict=True):
        inputs = written(lm, one)
        out = lm.model.generate(**inputs, max_new_tokens=8, do_sample=False)[0]
        wanted = out[inputs["input_ids"].shape[1] :].tolist()
        wanted = wanted[: wanted.index(2)] if 2 in wanted else wanted
        assert isinstance(answer, Generated), answer
        assert list(answer.ids) == wanted
    assert len({answer.ids for answer in answers}) > 3  # the images matter


@pytest.mark.parametrize("family", FAMILIES)
def test_options_are_scored_as_the_models_own_forward_scores_them(family):
    lm = lmm(family)
    asked = prompt([picture(30, 50), "a"], Choose((" cat", " dog", " mat on")))
    (answer,) = FrozenEngine(One(lm)).run([asked])
    for option, logprob in zip(asked.ask.options, answer.logprobs, strict=True):
        inputs = written(lm, asked)
        more = torch.tensor([lm.encode(option)])
        inputs["input_ids"] = torch.cat([inputs["input_ids"], more], dim=1)
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        with torch.no_grad():
            logits = lm.model(**inputs).logits[0].log_softmax(-1)
        behind = logits[-1 - more.shape[1] : -1]
        assert float(behind.gather(1, more.T).sum()) == pytest.approx(logprob, abs=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
@given(size=sizes)
@settings(max_examples=8)
def test_a_image_takes_the_positions_of_the_processors_image_tokens(family, size):
    lm = lmm(family)
    asked = prompt(["a cat ", picture(*size), "sat"], Generate(0))
    ids = written(lm, asked)["input_ids"][0].tolist()
    before, shown, behind = lm.spans(asked)
    places = [place for place, token in enumerate(ids) if token == lm.image_id]
    assert list(shown) == places
    assert (before.start, behind.stop) == (1, len(ids))
    assert FrozenEngine(One(lm)).measure(asked).tokens == len(ids)
    assert len(lm.features(picture(*size))) == len(places)


def test_without_a_beginning_of_sequence_positions_count_from_the_first_segment():
    lm = lmm("llava")
    asked = Prompt(prompt(["a", picture(9, 9)], Generate(0)).query, Generate(0), bos=False)
    assert [span.start for span in lm.spans(asked)] == [0, len(lm.encode("a"))]
    assert lm.spans_of(asked.pieces, bos=False) == lm.spans(asked)
    assert lm.spans_of(asked.pieces) == lm.spans(replace(asked, bos=True)) != lm.spans(asked)


@given(size=sizes)
@settings(max_examples=8)
def test_the_views_of_llava_next_leave_out_the_newlines_and_nothing_else(size):
    lm = lmm("llava_next")
    image = picture(*size)
    coarse, fine = lm.views(image)
    named = [*coarse.positions(), *fine.positions()]
    features = lm.features(image)
    newline = (features == lm.model.model.image_newline).all(-1)
    assert sorted(named) == (~newline).nonzero()[:, 0].tolist()
    assert (coarse.rows, coarse.columns, fine.stride) == (6, 6, fine.columns + 1)


@pytest.mark.parametrize(
    ("family", "how", "images"),
    [
        ("llava", LmmSettings(), {}),
        ("llava", LmmSettings(), {"do_pad": True}),
        ("llava", LmmSettings(), {"size": {"height": SIDE, "width": SIDE}}),
        ("llava", LmmSettings(pad=True), {}),
        ("llava_next", LmmSettings(), {}),
    ],
)
@pytest.mark.parametrize("size", [(96, 96), (96, 150), (150, 96), (97, 301)])
def test_what_changes_in_an_image_changes_in_the_cell_that_the_view_names(
    family, how, images, size
):
    lm = with_images(family, how, **images)
    dark = Image(torch.full((3, *size), 0.5))
    height, width = size
    for place in [(height * 0.5, width * 0.5), (height * 0.3, width * 0.6), (0.9 * height, 2)]:
        bright = dark.pixels.clone()
        top, left = int(place[0]), int(place[1])
        bright[:, max(0, top - 2) : top + 2, max(0, left - 2) : left + 2] = 1.0
        before, after = (
            torch.as_tensor(lm._process(image)["pixel_values"]).flatten(0, -4)
            for image in (dark, Image(bright))
        )
        change = (after - before).abs().sum(1)
        for view in lm.views(dark):
            left, top, right, bottom = view.box
            y = (place[0] - top) / (bottom - top) * view.rows
            x = (place[1] - left) / (right - left) * view.columns
            if not (0 <= y < view.rows and 0 <= x < view.columns):
                continue  # cropped away
            mass = patches(change[1:] if view.stride > view.columns else change[:1], lm, size)
            assert tuple(mass.shape) == (view.rows, view.columns)
            row, column = divmod(int(mass.argmax()), view.columns)
            assert abs(row + 0.5 - y) <= 1.0, (view, place)
            assert abs(column + 0.5 - x) <= 1.0, (view, place)


def patches(tiles, lm, size):
    """How much changed in each cell, tiles joined and padding cut as the model does it."""
    from transformers.models.llava_next.modeling_llava_next import (
        get_anyres_image_grid_shape,
        unpad_image,
    )

    sums = torch.nn.functional.avg_pool2d(tiles[:, None], PATCH)[:, 0]
    if len(sums) == 1:
        return sums[0]
    down, right = get_anyres_image_grid_shape(size, lm.model.config.image_grid_pinpoints, SIDE)
    side = SIDE // PATCH
    joined = sums.view(down, right, side, side).permute(0, 2, 1, 3)
    joined = joined.reshape(1, down * side, right * side)
    return unpad_image(joined, size)[0]


def test_padding_shows_the_whole_image_as_f_lmm_does():
    lm = with_images("llava", LmmSettings(pad=True))
    image = picture(40, 75)
    (view,) = lm.views(image)
    # 24 pixels for the longer side, int(40 * 24 / 75) = 12 for the shorter, 6 above and below.
    left, top, right, bottom = view.box
    assert (left, right) == (0, 75)
    assert top == pytest.approx(-20)
    assert bottom == pytest.approx(60)
    small = Pillow.fromarray((image.pixels * 255).round().byte().permute(1, 2, 0).numpy())
    small = small.resize((24, 12), Pillow.Resampling.BICUBIC)
    images = lm.processor.image_processor
    made = Pillow.new("RGB", (24, 24), tuple(int(255 * mean) for mean in images.image_mean))
    made.paste(small, (0, 6))
    wanted = images([made], return_tensors="pt")["pixel_values"]
    assert torch.equal(lm._process(image)["pixel_values"], wanted)


def test_padding_is_refused_of_a_model_that_cuts_tiles():
    with pytest.raises(ValueError, match="reads no single square"):
        with_images("llava_next", LmmSettings(pad=True))


class Stretched:
    """An image processor that says it crops and in truth stretches."""

    def __new__(cls):
        from transformers import LlavaImageProcessor

        class Lying(LlavaImageProcessor):
            def _preprocess(self, images, **how):
                how["size"] = how["crop_size"]
                return super()._preprocess(images, **how)

        crop = {"height": SIDE, "width": SIDE}
        return Lying(size={"shortest_edge": SIDE}, crop_size=crop)


def test_a_processor_that_puts_images_elsewhere_is_found_out():
    made = processor("llava")
    made.image_processor = Stretched()
    lm = LMM(model("llava"), made, "liar")
    assert len(lm.views(picture(50, 50))) == 1
    with pytest.raises(ValueError, match="puts an image elsewhere than its settings say"):
        lm.views(picture(30, 60))


def test_a_image_of_one_pixel_is_refused_for_its_size():
    wanted = "an image of 1 x 1 pixels is too small to tell where .* give it at least 4 x 4"
    with pytest.raises(ValueError, match=wanted):
        with_images("llava").views(picture(1, 1))


def paligemma():
    """Attends in both directions to the image and the text before the answer."""
    import transformers as hf

    tokens = words()
    vision = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
    vision |= {"num_attention_heads": 2, "image_size": SIDE, "patch_size": PATCH}
    text = {"vocab_size": len(tokens) + 1200, "hidden_size": 32, "intermediate_size": 48}
    text |= {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    text |= {"head_dim": 8, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    config = hf.PaliGemmaConfig(
        vision_config={**vision, "model_type": "siglip_vision_model", "projection_dim": 32},
        text_config={**text, "model_type": "gemma"},
        image_token_id=tokens.convert_tokens_to_ids("<image>"),
        projection_dim=32,
    )
    images = hf.SiglipImageProcessor(size={"height": SIDE, "width": SIDE})
    images.image_seq_length = (SIDE // PATCH) ** 2
    torch.manual_seed(0)
    network = hf.PaliGemmaForConditionalGeneration(config)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, 0.3)
    return network, hf.PaliGemmaProcessor(images, tokens)


def gemma3():
    """Attends in both directions within an image."""
    import transformers as hf

    tokens = words()
    tokens.add_special_tokens({"additional_special_tokens": ["<image>", "<boi>", "<eoi>"]})
    named = {"image": "<image>", "boi": "<boi>", "eoi": "<eoi>"}
    ids = {name: tokens.convert_tokens_to_ids(token) for name, token in named.items()}
    for name, token in named.items():
        setattr(tokens, f"{name}_token", token)
        setattr(tokens, f"{name}_token_id", ids[name])
    vision = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
    vision |= {"num_attention_heads": 2, "image_size": SIDE, "patch_size": PATCH}
    text = {"vocab_size": len(tokens), "hidden_size": 32, "intermediate_size": 48}
    text |= {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    text |= {"head_dim": 8, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    config = hf.Gemma3Config(
        vision_config=vision,
        text_config=text,
        mm_tokens_per_image=9,
        boi_token_index=ids["boi"],
        eoi_token_index=ids["eoi"],
        image_token_index=ids["image"],
    )
    torch.manual_seed(0)
    network = hf.Gemma3ForConditionalGeneration(config)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, 0.3)
    images = hf.Gemma3ImageProcessor(size={"height": SIDE, "width": SIDE})
    return network, hf.Gemma3Processor(images, tokens, image_seq_length=9)


@pytest.mark.parametrize("made", [paligemma, gemma3])
def test_a_model_that_attends_in_both_directions_is_refused(made):
    with pytest.raises(ValueError, match="reads an image in another way"):
        LMM(*made(), "two ways")


def test_a_processor_that_is_a_tokenizer_alone_is_refused():
    with pytest.raises(ValueError, match="lacks a processor with tokenizer"):
        LMM(model("llava"), words(), "half")


@pytest.mark.parametrize("family", FAMILIES)
def test_it_is_loaded_from_a_folder_with_the_whole_network_under_its_checksum(family, tmp_path):
    shared = SharedBackbones([stored(tmp_path, family)])
    lm = shared.get("lmm")
    assert isinstance(lm, LMM)
    assert any("vision_tower" in name for name in shared.fingerprints("lmm"))
    before = shared.fingerprints("lmm")
    asked = prompt([picture(30, 50), "a cat"], Generate(5))
    (answer,) = FrozenEngine(One(lm)).run([asked])
    assert answer.ids == FrozenEngine(One(lmm(family))).run([asked])[0].ids
    assert not shared.changed("lmm", before)
    assert not any(p.requires_grad for p in module_of(lm).parameters())


def test_the_pack_says_how_images_are_fitted(tmp_path):
    stored(tmp_path / "lmm", "llava")
    entry = {"kind": "lmm", "source": "lmm", "settings": {"pad": True}}
    pack = {"name": "p", "backbones": {"lmm": entry}, "methods": {}, "data": {}}
    (tmp_path / "pack.json").write_text(json.dumps(pack))
    shared = SharedBackbones(read_pack(tmp_path).backbones.values())
    assert shared.get("lmm").settings == LmmSettings(pad=True)


def test_settings_that_a_kind_does_not_have_are_refused(tmp_path):
    entry = BackboneEntry("lmm", "lmm", str(tmp_path), settings={"padd": True})
    with pytest.raises(ValueError, match="pad"):
        SharedBackbones([entry]).get("lmm")
    entry = BackboneEntry("llm", "causal_lm", str(tmp_path), settings={"pad": True})
    with pytest.raises(ValueError, match="no setting named 'pad'; there are device_map"):
        SharedBackbones([entry]).get("llm")
    entry = BackboneEntry("mlm", "masked_lm", str(tmp_path), settings={"pad": True})
    with pytest.raises(ValueError, match="of kind 'masked_lm' has no settings"):
        SharedBackbones([entry]).get("mlm")


def test_a_folder_that_holds_none_says_so(tmp_path):
    with pytest.raises(ValueError, match="no multimodal model at"):
        SharedBackbones([BackboneEntry("lmm", "lmm", str(tmp_path / "nowhere"))]).get("lmm")
    model("llava").save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="no multimodal model can be loaded from"):
        SharedBackbones([BackboneEntry("lmm", "lmm", str(tmp_path))]).get("lmm")


def test_a_text_that_names_an_image_which_is_not_there_is_refused():
    (failed,) = FrozenEngine(One(lmm("llava"))).run([prompt(["a <image> cat"], Generate(2))])
    assert isinstance(failed, Failed)
    assert "put an ImagePiece there" in failed.reason


def test_a_model_of_text_alone_takes_no_images():
    lm = language_model("llama")
    asked = prompt([picture(9, 9), "a"], Generate(2))
    (failed,) = FrozenEngine(One(lm)).run([asked])
    assert isinstance(failed, Failed)
    assert "takes no images" in failed.reason
    with pytest.raises(ValueError, match="takes no images"):
        lm.spans(asked)


def test_a_image_goes_through_the_vision_tower_once_while_it_is_kept(monkeypatch):
    lm = with_images("llava")
    calls = []
    lm.model.model.vision_tower.register_forward_hook(lambda *_: calls.append(1))
    engine = FrozenEngine(One(lm))
    asked = [prompt([picture(30, 50), "a" * n], Generate(1)) for n in range(1, 4)]
    engine.run(asked)
    engine.run(asked)
    assert len(calls) == 1
    monkeypatch.setattr(lmm_module, "CACHED_BYTES", 1)
    engine.run([prompt([picture(30, 50, seed=2), "a"], Generate(1)), *asked])
    assert len(lm._features) == 1


def test_measuring_and_naming_positions_run_no_network():
    lm = with_images("llava_next")
    for part in (lm.model, lm.model.model.vision_tower):
        part.register_forward_pre_hook(lambda *_: 1 / 0)
    asked = prompt([picture(30, 50), "a"], Generate(2))
    assert FrozenEngine(One(lm)).measure(asked).tokens == lm.spans(asked)[-1].stop
    assert len(lm.views(picture(30, 50))) == 2


def test_an_adapter_is_laid_over_a_multimodal_model_as_over_any(tmp_path):
    lm = lmm("llava")
    torch.manual_seed(0)
    made = new_adapter(lm, LoraSettings())
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.5)
            if "lora_" in name:
                parameter.copy_(parameter.half())  # as it is saved
    save_adapter(made, tmp_path)
    plain = prompt([picture(30, 50), "a cat"], Generate(8))
    under = Prompt(plain.query, plain.ask, adapter=Adapter("mine", tmp_path))
    bare, given = FrozenEngine(One(lm)).run([plain, under])
    inputs = written(lm, plain)
    out = made.eval().generate(**inputs, max_new_tokens=8, do_sample=False)[0]
    wanted = out[inputs["input_ids"].shape[1] :].tolist()
    assert list(given.ids) == (wanted[: wanted.index(2)] if 2 in wanted else wanted)
    assert bare.ids != given.ids


def test_positions_in_views_and_texts_are_read_where_they_are_named():
    """An image's features stand in the prompt at the positions that views and spans name."""
    lm = lmm("llava_next")
    image = picture(30, 70)
    asked = prompt(["a cat ", image, "sat"], Generate(0))
    row = resolve(asked, lm, "lmm").inputs(lm)
    _, shown, _ = lm.spans(asked)
    features = lm.features(image)
    for view in lm.views(image):
        assert torch.equal(row[list(view.positions(shown.start))], features[list(view.positions())])
        assert len(view.positions()) == view.rows * view.columns


def deepseek(*, hybrid=False):
    """A random DeepSeek-VL: a SigLIP, of which the middle is shown and nothing cropped away.

    A hybrid one, as that of 7B, sees the image through a SAM besides.
    """
    import transformers as hf

    tokens = words()
    tokens.image_token = "<image>"
    tokens.image_token_id = tokens.convert_tokens_to_ids("<image>")
    tower = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    parts = {
        "text_config": text_config(len(tokens)),
        "vision_config": hf.SiglipVisionConfig(
            **tower, intermediate_size=32, image_size=SIDE, patch_size=PATCH
        ),
        "image_token_id": tokens.image_token_id,
    }
    cells = (SIDE // PATCH) ** 2
    sides = {"size": {"height": SIDE, "width": SIDE}, "min_size": 2}
    torch.manual_seed(0)
    if hybrid:
        fine = 4 * SIDE
        sam = hf.SamVisionConfig(
            **tower,
            image_size=fine,
            patch_size=PATCH,
            output_channels=8,
            mlp_dim=16,
            window_size=4,
            global_attn_indexes=[1],
        )
        config = hf.DeepseekVLHybridConfig(**parts, high_res_vision_config=sam)
        network = hf.DeepseekVLHybridForConditionalGeneration(config)
        images = hf.DeepseekVLHybridImageProcessor(
            **sides, high_res_size={"height": fine, "width": fine}
        )
        processor = hf.DeepseekVLHybridProcessor(images, tokens, num_image_tokens=cells)
    else:
        network = hf.DeepseekVLForConditionalGeneration(hf.DeepseekVLConfig(**parts))
        images = hf.DeepseekVLImageProcessor(**sides)
        processor = hf.DeepseekVLProcessor(images, tokens, num_image_tokens=cells)
    return LMM(network, processor, "deepseek")


@pytest.mark.parametrize("hybrid", [False, True])
@pytest.mark.parametrize(
    ("size", "box"),
    [((24, 24), (0, 0, 24, 24)), ((20, 30), (0, -5, 30, 25)), ((50, 31), (-10, 0, 40, 50))],
)
def test_deepseek_vl_sees_the_whole_image_in_a_padded_square(size, box, hybrid):
    """Its own forward is held against features in place when it is made (`LMM._check`)."""
    lm = deepseek(hybrid=hybrid)
    (view,) = lm.views(picture(*size))
    assert (view.rows, view.columns) == (SIDE // PATCH, SIDE // PATCH)
    assert view.box == pytest.approx(box, abs=1)
    assert len(lm.shown(picture(*size))) == view.rows * view.columns
