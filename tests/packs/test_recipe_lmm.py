import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from frostbench.packs.mini.recipes.lmm.figures import name_maps, pointed
from frostbench.packs.mini.recipes.lmm.lessons import (
    DESCRIBE,
    IMAGE,
    ConversationWriter,
    Lessons,
    Turn,
    conversation,
)
from frostbench.packs.mini.recipes.lmm.recipe import (
    CellNames,
    MultimodalTraining,
    build,
    pace,
    read,
    read_language_model,
    see,
    train,
)
from frostbench.packs.mini.scenes.scenes import Scenes
from frostbench.packs.mini.scenes.training_images import stack
from frostbench.packs.mini.scenes.wording import with_article
from frostbench.plugins.backbones.entry import BackboneEntry
from frostbench.plugins.backbones.lmm import LMM
from frostbench.plugins.contract.images import Image, to_pillow
from frostbench.plugins.contract.recipe import Workshop
from frostbench.plugins.host.packs import embedded_pack

MINI = embedded_pack("mini")
TINY = {
    "width": "16",
    "layers": "1",
    "heads": "2",
    "inner": "16",
    "stock": "4",
    "naming": "2",
    "steps": "4",
    "images": "2",
    "conversations": "2",
    "figures_scenes": "2",
    "log_every": "1",
}
SMALL = MultimodalTraining(width=16, layers=1, heads=2, inner=16)


@pytest.fixture(scope="module")
def scenes():
    return Scenes(MINI / "data")


@pytest.fixture(scope="module")
def language():
    return read_language_model(MINI / "llama")


@pytest.fixture(scope="module")
def tokenizer(language):
    return language[1]


@pytest.fixture(scope="module")
def model(language, scenes):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build(SMALL, *language, scenes.settings.side).eval()


@pytest.fixture(scope="module")
def lessons(scenes, tokenizer):
    return Lessons(scenes, tokenizer, 8, 12, seed=0)


def workshop(at, **settings):
    (at / "pack").mkdir(parents=True)
    for part in ("data", "llama"):
        (at / "pack" / part).symlink_to(MINI / part)
    return Workshop(at / "pack", at / "scratch", settings={**TINY, **settings})


def test_a_training_leaves_a_multimodal_model_that_loads_from_its_folder_alone(tmp_path, scenes):
    from transformers import AutoProcessor

    shop = workshop(tmp_path)
    report = train(shop)
    assert report.steps == 4
    json.dumps(report.settings)
    for split in ("base", "validation", "novel"):
        for kind in ("what", "where", "whether", "how many", "names", "pointing"):
            assert 0 <= report.figures[f"{kind} [{split}]"] <= 1
    folder = shop.pack / "lmm"
    lmm = LMM.load(BackboneEntry("lmm", "lmm", str(folder)))
    picture = scenes.scene("base", 0, 0).pixels
    image = Image(stack([picture])[0])
    (view,) = lmm.views(image)
    assert (view.rows, view.columns) == (8, 8)
    processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
    text = f"USER: {IMAGE}\nwhat is there? ASSISTANT:"
    inputs = processor(images=to_pillow(image.pixels), text=text, return_tensors="pt")
    assert inputs.input_ids[0, 0] == processor.tokenizer.bos_token_id
    torch.testing.assert_close(inputs.pixel_values[0], 4 * image.pixels - 2)
    with torch.no_grad():
        assert lmm.model(**inputs).logits.isfinite().all()


def test_a_training_stopped_midway_and_resumed_equals_one_that_ran_through(tmp_path):
    through = workshop(tmp_path / "through")
    train(through)
    halted = workshop(tmp_path / "halted", minutes="0")
    assert train(halted).steps == 1
    train(replace(halted, settings=TINY))
    files = [shop.pack / "lmm" / "model.safetensors" for shop in (through, halted)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_the_language_model_rests_while_cells_are_named(tmp_path, language):
    shop = workshop(tmp_path, naming="2", steps="2")
    train(shop)
    state = torch.load(shop.scratch / "lmm.pt", weights_only=True)["parts"]["model"]
    for name, tensor in language[0].model.state_dict().items():
        kept = state[f"model.language_model.{name}"]
        assert torch.equal(kept[: len(tensor)], tensor[: len(kept)])


def test_packed_turns_are_read_as_if_each_were_alone(model, tokenizer, scenes):
    made = [scenes.scene("base", 0, number) for number in range(3)]
    draw = np.random.default_rng(0)
    rows = [conversation(scene, draw) for scene in made]
    reader = ConversationWriter(tokenizer, 64)
    packed = reader.write(rows)
    with torch.no_grad():
        features = see(model, stack([scene.pixels for scene in made]))
        together = read(model, features, packed)
        for row, turns in enumerate(rows):
            for number, turn in enumerate(turns, 1):
                alone = reader.write([[turn]])
                text = f"USER: {IMAGE * 64}\n{turn.question} ASSISTANT: {turn.answer}"
                assert tokenizer(text).input_ids == alone.ids[0, :-1].tolist()
                states = read(model, features[row : row + 1], alone)
                torch.testing.assert_close(
                    together[row][packed.turns[row] == number],
                    states[0][alone.turns[0] == 1],
                    atol=1e-4,
                    rtol=1e-4,
                )


def test_only_answers_and_their_ends_are_asked_for(tokenizer):
    turns = [Turn("what", "what is on the left?", "owl"), Turn("caption", DESCRIBE, "an owl.")]
    reading = ConversationWriter(tokenizer, 4).write([turns, turns[:1]])
    assert tokenizer.decode(reading.ids[0][reading.asked[0]]) == " owl<eos> an owl.<eos>"
    assert tokenizer.decode(reading.ids[1][reading.asked[1]]) == " owl<eos>"


def test_what_cells_show_adds_up_and_rolls_with_the_image(lessons, scenes):
    still = lessons.make(0, 6, speaking=True)
    assert torch.allclose(still.shown.sum(-1), torch.ones(6, 64))
    placed = [glyph for number in range(12) for glyph in scenes.scene("base", 0, number).placed]
    area = np.mean([glyph.mask.numpy().mean() for glyph in placed])
    assert 0 < area < 0.9
    moved = lessons.make(1, 6, speaking=False)
    assert torch.allclose(moved.shown.sum(-1), torch.ones(6, 64))
    assert moved.reading.asked.sum() == 0
    again = lessons.make(1, 6, speaking=False)
    assert torch.equal(moved.pixels, again.pixels)
    assert torch.equal(moved.shown, again.shown)


def test_conversations_name_all_glyphs_and_say_no_as_often_as_yes(scenes):
    draw = np.random.default_rng(0)
    said = []
    for number in range(12):
        scene = scenes.scene("base", 0, number)
        for _ in range(20):
            turns = conversation(scene, draw)
            told = turns[0].answer
            for glyph in scene.placed:
                before, after = f"{glyph.name} {glyph.place}", with_article(glyph.name)
                assert (before if turns[0].kind == "caption" else f"{glyph.place} {after}") in told
            known = {question.text: question.answers for question in scene.questions}
            assert all(turn.answer in known[turn.question] for turn in turns[1:])
            said += [turn.answer for turn in turns if turn.kind == "whether"]
    assert np.mean([answer == "yes" for answer in said]) == pytest.approx(0.5, abs=0.1)


def test_cells_like_their_names_lose_little_and_no_word_is_moved(tokenizer, model):
    names = CellNames(tokenizer, ("owl", "delivery truck"), 144)
    words = model.get_input_embeddings().weight
    truck = words[tokenizer(" delivery truck", add_special_tokens=False).input_ids].mean(0)
    cells = torch.stack([truck, names.nothing])[None].detach().requires_grad_()
    right = torch.tensor([[[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])
    loss = names.loss(cells, right, words)
    assert loss < names.loss(cells, right.flip(1), words)
    loss.backward()
    assert cells.grad is not None
    assert words.grad is None


def test_rates_rise_at_the_start_of_each_stage_and_fall_at_the_end():
    settings = MultimodalTraining(naming=200, steps=400, warm_up=20, cool_down=0.25)
    paces = [pace(index, settings) for index in range(400)]
    assert paces[0] == paces[200] == pytest.approx(1 / 20)
    assert paces[19] == paces[199] == paces[219] == paces[299] == 1
    assert paces[300:] == sorted(paces[300:], reverse=True)
    assert paces[-1] == pytest.approx(0.05, abs=0.01)


def test_a_map_points_at_the_mask_under_its_highest_place():
    mask = torch.zeros(8, 8, dtype=torch.bool)
    mask[:2, 6:] = True
    maps = torch.zeros(2, 4, 4)
    maps[0, 0, 3] = maps[1, 3, 0] = 1
    assert pointed(maps, mask).tolist() == [True, False]


def test_a_names_map_is_the_attention_of_its_tokens_to_the_cells(model, tokenizer, scenes):
    scene = scenes.scene("base", 0, 0)
    reader = ConversationWriter(tokenizer, 64)
    maps = name_maps(model, reader, [scene])
    assert len(maps) == len(scene.placed)
    heads = (
        model.config.text_config.num_hidden_layers * model.config.text_config.num_attention_heads
    )
    for glyph, found in zip(scene.placed, maps, strict=True):
        assert found.shape == (heads, 8, 8)
        assert bool((found >= 0).all())
        assert bool((found.sum((1, 2)) <= 1 + 1e-5).all())
        start = scene.caption.index(glyph.name)
        first, last = reader.span(f" {scene.caption}", start, start + 1 + len(glyph.name))
        ids = tokenizer(f" {scene.caption}", add_special_tokens=False).input_ids
        assert tokenizer.decode(ids[first:last]).strip() == glyph.name
        break


def test_a_mistyped_setting_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(ValueError, match="'layers'"):
        train(workshop(tmp_path, layerz="3"))
