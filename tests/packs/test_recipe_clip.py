import socket

import open_clip
import pytest
import torch
from torch.nn import functional

from frostbench.packs.mini.recipes.clip.figures import (
    measure,
    nearest_neighbour,
    pairs_won,
    word_overlap,
)
from frostbench.packs.mini.recipes.clip.recipe import (
    Batches,
    ClipTraining,
    caption_tokenizer,
    configuration,
    match,
    save,
    tokenize,
    train,
)
from frostbench.packs.mini.scenes.scenes import Scenes
from frostbench.plugins.backbones import BackboneEntry
from frostbench.plugins.backbones.clip import Clip
from frostbench.plugins.contract.recipe import Workshop
from frostbench.plugins.host.packs import embedded_pack

PACK = embedded_pack("mini")
TINY = {
    "embedding": "32",
    "vision_width": "8",
    "head_width": "32",
    "text_width": "32",
    "text_layers": "1",
    "steps": "4",
    "glyphs": "6",
    "scenes": "2",
}


def test_a_caption_keeps_its_words_and_ends_in_eos_whether_led_by_a_blank_or_not():
    tokenizer = caption_tokenizer(PACK / "llm", 16)
    ids = tokenize(tokenizer, ["a photo of a watch", " a photo of a watch", "owl " * 40])
    assert ids.shape == (3, 16)
    assert ids[0].tolist() == ids[1].tolist()
    assert (ids == 2).sum(1).tolist() == [1, 1, 1]
    assert ids[2, -1] == 2
    words = ids[0][ids[0] > 2]
    assert tokenizer.decode(words).strip() == "a photo of a watch"


def test_matching_is_the_mean_of_both_cross_entropies_and_least_for_the_right_order():
    torch.manual_seed(0)
    a, b = (functional.normalize(torch.randn(5, 8), dim=-1) for _ in range(2))
    scores = 3 * a @ b.T
    rows = -scores.log_softmax(1).diagonal().mean()
    columns = -scores.log_softmax(0).diagonal().mean()
    torch.testing.assert_close(match(a, b, torch.tensor(3.0)), (rows + columns) / 2)
    assert match(a, a, torch.tensor(9.0)) < match(a, a.roll(1, 0), torch.tensor(9.0))


def test_a_text_is_held_against_each_other_one_by_one():
    torch.manual_seed(0)
    similar = torch.rand(4, 3, 4)
    similar[0, 0] = 0.5  # a tie is half
    for own, won in enumerate(pairs_won(similar)):
        others = [other for other in range(4) if other != own]
        pairs = [(row[own], row[other]) for row in similar[own] for other in others]
        right = [float(mine > theirs) + float(mine == theirs) / 2 for mine, theirs in pairs]
        assert float(won) == pytest.approx(sum(right) / len(right))


def test_a_batch_shows_each_class_once_and_is_the_same_for_the_same_number():
    settings = ClipTraining(glyphs=8, scenes=3, recoloured=0.5)
    tokenizer = caption_tokenizer(PACK / "llm", settings.context)
    batches = Batches(Scenes(PACK / "data"), tokenizer, settings, seed=0)
    first, again, other = batches.make(3), batches.make(3), batches.make(4)
    assert first.first.shape == first.second.shape == (8, 3, 64, 64)
    assert len(first.captioned) == len(first.captions) < 8
    assert first.scene_captions.shape == (3, settings.context)
    assert torch.equal(first.first, again.first)
    assert torch.equal(first.captions, again.captions)
    assert not torch.equal(first.first, other.first)
    assert not torch.equal(first.first, first.second)


def test_the_recipe_learns_survives_being_killed_and_writes_an_open_clip_folder(tmp_path):
    (tmp_path / "pack").mkdir()
    for part in ("data", "llm"):
        (tmp_path / "pack" / part).symlink_to(PACK / part)
    workshop = Workshop(tmp_path / "pack", tmp_path / "scratch", settings=TINY)
    report = train(workshop)
    assert report.steps == 4
    assert {"2-way 1-shot [novel]", "words@21 same [validation]"} <= set(report.figures)
    resumed = train(workshop)
    assert resumed.history == report.history
    assert resumed.figures == pytest.approx(report.figures)
    clip = Clip.load(BackboneEntry("clip", "open_clip", str(tmp_path / "pack" / "clip")))
    assert clip.model.visual.conv1.weight.dtype == torch.float32


def test_what_is_saved_in_half_precision_gives_the_same_embeddings_when_open_clip_loads_it(
    tmp_path,
):
    torch.manual_seed(0)
    settings = ClipTraining(embedding=32, vision_width=8, head_width=32, text_width=32)
    tokenizer = caption_tokenizer(PACK / "llm", settings.context)
    config = configuration(settings, 64, len(tokenizer))
    model = open_clip.CLIP(**config["model_cfg"]).eval()
    save(model, config, tokenizer, tmp_path, "half")
    loaded, _, _ = open_clip.create_model_and_transforms(f"local-dir:{tmp_path}")
    loaded.eval()
    images, texts = torch.randn(2, 3, 64, 64), ["an owl", "a red apple on the left."]
    ids = open_clip.get_tokenizer(f"local-dir:{tmp_path}")(texts)
    assert torch.equal(ids, tokenize(tokenizer, texts))
    with torch.no_grad():
        for a, b in (
            (model.encode_image(images), loaded.encode_image(images)),
            (model.encode_text(ids), loaded.encode_text(ids)),
        ):
            torch.testing.assert_close(a, b, rtol=0.02, atol=0.02)


def test_a_pack_without_a_tokenizer_is_told_which_recipe_makes_one(tmp_path):
    with pytest.raises(ValueError, match="recipe 'llm'"):
        caption_tokenizer(tmp_path, 16)


def test_nearest_neighbours_are_all_right_when_classes_do_not_vary_and_chance_when_equal():
    apart = torch.eye(6)[:, None].repeat(1, 3, 1)
    assert nearest_neighbour(apart, 5) == 1.0
    torch.manual_seed(0)
    noise = functional.normalize(torch.randn(60, 6, 64), dim=-1)
    assert nearest_neighbour(noise, 5) == pytest.approx(0.2, abs=0.04)


def test_overlap_counts_the_words_that_two_images_share():
    words = torch.eye(8)
    one = [[4.0, 3, 2, 1, 0, 0, 0, 0], [4.0, 3, 0, 0, 2, 1, 0, 0]]  # two words in common
    two = [[0.0, 0, 0, 0, 4, 3, 2, 1], [0.0, 0, 0, 0, 4, 3, 2, 1]]  # four
    # The first of each class is held against the second of the other: none and two in common.
    assert word_overlap(torch.tensor([one, two]), words, 4) == pytest.approx((0.75, 0.25))


def test_the_landed_model_loads_offline_and_tells_novel_classes_apart(monkeypatch):
    def refuse(*_):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    figures = measure(PACK / "clip", PACK / "data", "novel")
    assert figures["2-way 1-shot"] > 0.9
    assert figures["5-way 1-shot"] > 0.8
    # What was never read beside an image cannot be told by its name.
    assert figures["2-way zero-shot, new words"] < 0.6 < figures["2-way zero-shot, a trained word"]
    for count in (5, 21):
        assert figures[f"words@{count} same"] > 5 * figures[f"words@{count} other"]
    size = sum(path.stat().st_size for path in (PACK / "clip").iterdir())
    assert size < 10e6
