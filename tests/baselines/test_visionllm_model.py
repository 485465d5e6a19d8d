from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from visionllm_world import SIZES, toy_llm

from frostbench.baselines.visionllm.checkpoint import load_detr, take_detr
from frostbench.baselines.visionllm.model import BOX, TupleLayout, VisionLLM, mean_offset
from frostbench.baselines.visionllm.reading import prompt_batch
from frostbench.baselines.visionllm.settings import NewWordSettings, VisionLLMSettings
from frostbench.baselines.visionllm.tokenizer import detr_config
from frostbench.baselines.visionllm.wording import ClassWord, ImageTokens
from frostbench.plugins.kit import toys


@pytest.fixture(scope="module")
def model():
    with toys.seeded():
        return VisionLLM(SIZES).eval()


@pytest.fixture(scope="module")
def published():
    with torch.device("meta"):
        return VisionLLM(VisionLLMSettings())


def numbers(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_new_words_at_published_sizes_are_1537(published):
    vocabulary = published.settings.vocabulary
    assert (vocabulary.bins, vocabulary.class_words, vocabulary.size) == (1025, 512, 1537)
    predicted = published.words.locations.weight.shape[0] + published.words.classes.weight.shape[0]
    assert predicted == 1537
    assert published.class_words(80).shape == (80, 4096)


def test_published_sizes_are_those_of_deformable_detr_bert_base_and_100_queries(published):
    tokenizer = published.tokenizer
    detr = tokenizer.detr
    assert detr.config.num_queries == 100
    assert (len(detr.encoder.layers), len(detr.decoder.layers), len(tokenizer.shapes)) == (6, 6, 4)
    # BERT-Base has 109,482,240 numbers; its pooler (768 x 768 + 768) is not needed here.
    assert numbers(tokenizer.text) == 109_482_240 - 768 * 769
    # Deformable DETR with ResNet-50 has 40 million, of which 300 queries here are 100, and the
    # heads of 91 classes are one of objectness a layer.
    with torch.device("meta"):
        from transformers import DeformableDetrForObjectDetection

        whole = DeformableDetrForObjectDetection(
            detr_config(published.settings.backbone, replace(published.settings.detr, queries=300))
        )
    heads = numbers(whole.class_embed)
    own = numbers(detr) + numbers(tokenizer.boxes)
    assert own == numbers(whole) - heads - 200 * 512
    assert 39_000_000 < numbers(whole) < 41_000_000


def test_tokens_do_not_depend_on_the_rest_of_a_batch_nor_on_how_texts_are_filled_up(model):
    images = torch.rand(3, 3, 32, 32)
    ids, mask = torch.randint(1, 300, (3, 9)), torch.ones(3, 9, dtype=torch.bool)
    mask[1, 5:] = False
    with torch.no_grad():
        together = model.see(model.maps(images), ids, mask)
        alone = model.see(model.maps(images[1:2]), ids[1:2, :5], mask[1:2, :5])
    torch.testing.assert_close(together.tokens[1:2], alone.tokens, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(together.centres[1:2], alone.centres, atol=1e-5, rtol=1e-4)


def test_texts_change_nothing_until_the_gates_open_and_then_they_do():
    with toys.seeded():
        model = VisionLLM(SIZES).eval()
    maps = torch.rand(1, model.tokenizer.places, SIZES.detr.width)
    mask = torch.ones(1, 6, dtype=torch.bool)
    texts = torch.arange(6)[None] + 10, torch.arange(6)[None] + 50
    with torch.no_grad():
        closed = [model.see(maps, text, mask).tokens for text in texts]
        assert torch.equal(closed[0], closed[1])
        assert torch.equal(closed[0], model.look(maps).tokens)
        for fuse in model.tokenizer.fusion:
            fuse.gate.fill_(1.0)
        opened = [model.see(maps, text, mask).tokens for text in texts]
    assert (opened[0] - opened[1]).abs().max() > 1e-3


def test_images_of_any_size_become_as_many_places(model):
    with torch.no_grad():
        for height, width in ((32, 32), (20, 45)):
            maps = model.maps(torch.rand(1, 3, height, width))
            assert maps.shape == (1, model.tokenizer.places, SIZES.detr.width)


def test_gradients_reach_the_boxes_the_text_and_the_backbone():
    with toys.seeded():
        model = VisionLLM(SIZES)
    model.tokenizer.detr.unfreeze_backbone()
    for fuse in model.tokenizer.fusion:
        fuse.gate.data.fill_(0.5)
    mask = torch.ones(2, 7, dtype=torch.bool)
    seen = model.see(model.maps(torch.rand(2, 3, 32, 32)), torch.randint(1, 300, (2, 7)), mask)
    (seen.tokens.square().sum() + seen.boxes.square().sum() + seen.levels.sum()).backward()
    for part in (model.tokenizer.text, model.tokenizer.detr.backbone, model.tokenizer.boxes):
        assert any(p.grad is not None and p.grad.any() for p in part.parameters())


@pytest.mark.parametrize("layout", [BOX, TupleLayout("contour", 1), TupleLayout("contour", 8)])
def test_each_group_reads_its_own_token_and_the_fields_of_the_layout(model, layout):
    tokens = torch.rand(2, 5, SIZES.llm_width)
    with torch.no_grad():
        groups = model.placeholders(tokens, layout)
        fields = model.placeholders(torch.zeros(1, SIZES.llm_width), layout)[0]
    assert groups.shape == (2, 5, layout.slots, SIZES.llm_width)
    torch.testing.assert_close(groups - tokens[:, :, None], fields.expand_as(groups))
    assert len(fields.unique(dim=0)) == layout.slots


def test_more_points_or_classes_than_there_are_are_refused(model):
    with pytest.raises(ValueError, match="at most 8"):
        model.placeholders(torch.zeros(1, SIZES.llm_width), TupleLayout("contour", 9))
    with pytest.raises(ValueError, match="1 to 4 class words"):
        model.class_words(5)
    with pytest.raises(ValueError, match="class_words=0"):
        NewWordSettings(class_words=0)


def test_scores_of_fewer_classes_are_those_of_the_first_words_and_of_none(model):
    states = torch.rand(3, SIZES.llm_width)
    with torch.no_grad():
        few, many = model.class_logits(states, 2), model.class_logits(states, 4)
    assert few.shape == (3, 3)
    torch.testing.assert_close(few, many[:, [0, 1, 4]])


def test_sure_location_words_say_their_offset_in_both_readings():
    bins = NewWordSettings(half_range=8).bins
    logits = torch.full((bins, bins), -50.0).fill_diagonal_(50.0)
    expected = torch.arange(-8, 9) / 8
    torch.testing.assert_close(mean_offset(logits, 8), expected)
    for reading in ("mean", "likeliest"):
        sizes = replace(
            SIZES,
            vocabulary=replace(SIZES.vocabulary, half_range=8),
            slots=replace(SIZES.slots, reading=reading),
        )
        torch.testing.assert_close(VisionLLM(sizes).offsets(logits), expected)


def test_a_batch_of_prompts_holds_tokens_and_class_words_where_they_stand(model):
    lm = toy_llm()
    tokens = torch.rand(2, 3, lm.width)
    prompts = [("one", ClassWord(1), ImageTokens()), ("another text", ImageTokens(), ClassWord(0))]
    with torch.no_grad():
        batch = prompt_batch(lm, model, prompts, tokens)
        words = model.class_words(2)
        for row, parts in enumerate(prompts):
            pieces = [lm.embed(lm.opening_ids)]
            for part in parts:
                match part:
                    case str():
                        pieces.append(lm.embed(lm.encode(part)))
                    case ClassWord(index):
                        pieces.append(words[index : index + 1])
                    case _:
                        pieces.append(tokens[row])
            expected = torch.cat(pieces)
            own = batch.mask[row].bool()
            assert own.tolist() == [False] * int((~own).sum()) + [True] * len(expected)
            torch.testing.assert_close(batch.embeddings[row, own], expected)


def _checkpoint(**changes):
    from transformers import DeformableDetrForObjectDetection

    with toys.seeded(5):
        config = detr_config(SIZES.backbone, replace(SIZES.detr, **changes))
        return DeformableDetrForObjectDetection(config).state_dict()


def test_weights_of_deformable_detr_are_taken_where_they_fit_and_the_rest_is_listed(tmp_path):
    with toys.seeded():
        model = VisionLLM(replace(SIZES, detr=replace(SIZES.detr, refine=False)))
    given = _checkpoint(queries=12, refine=False)
    save_file({name: tensor.contiguous().clone() for name, tensor in given.items()}, tmp_path / "x")
    fit = load_detr(model, tmp_path / "x")
    assert fit.other_shape == ("model.query_position_embeddings.weight",)
    assert all(name.startswith("class_embed.") for name in fit.unknown)
    own = model.state_dict()
    same = "model.encoder.layers.0.mlp.fc1.weight"
    assert torch.equal(own["tokenizer.detr.encoder.layers.0.mlp.fc1.weight"], given[same])
    for layer in range(2):
        for number in range(3):
            there = given[f"bbox_embed.{layer}.layers.{number}.weight"]
            assert torch.equal(own[f"tokenizer.boxes.{layer}.{2 * number}.weight"], there)
    left = {name.split(".")[0] for name in fit.left}
    assert {"words", "project", "where", "scale", "class_slot"} <= left
    detr = {name for name in fit.left if name.startswith("tokenizer.detr.")}
    assert detr == {"tokenizer.detr.query_position_embeddings.weight"}
    assert set(fit.left) | set(fit.taken) == set(own)


def test_weights_of_something_else_are_refused(model):
    with pytest.raises(ValueError, match="nothing in a file fits"):
        take_detr(model, {"layer.weight": torch.zeros(2)}, "a file")
