import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from frostbench.plugins.contract.detection import Detect
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.method import Setup, visual_tokens
from frostbench.plugins.contract.prompts import Adapter, Generate, Text, TokenSets
from frostbench.plugins.contract.requests import (
    Classify,
    HeldOutContext,
    Interpret,
    LabelledImage,
    NoContext,
    OracleContext,
    Reconstruct,
    Restore,
    RestoredPair,
)
from frostbench.plugins.engine.waves import drive
from frostbench.plugins.host.registry import Host
from frostbench.plugins.kit import toys
from frostbench.plugins.parts.autoencoder.settings import NetworkSettings
from frostbench.plugins.parts.training import folder as stored
from frostbench.v2l import codebook
from frostbench.v2l.method import V2L, V2LMethodSettings
from frostbench.v2l.model import V2LSettings, V2LTokenizer

NETWORK = NetworkSettings(
    channels=4,
    multipliers=(1, 2),
    residual_blocks=1,
    attention_sizes=(),
    nominal_size=8,
    z_channels=4,
    norm_groups=2,
)
SIZES = V2LSettings(
    NETWORK,
    local_words=320,
    global_words=12,
    embed_width=16,
    global_tokens=4,
    cross_attention_heads=1,
)
LOCAL = tuple(toys.backbones().get("llm").decode([i]) for i in range(320))
GLOBAL = tuple(f"<{i}>" for i in range(12))


def tokenizer(sizes=SIZES, seed=1):
    with toys.seeded(seed):
        return V2LTokenizer(sizes).eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("v2l")
    stored.save(folder, SIZES, tokenizer().state_dict())
    codebook.save_words(folder, LOCAL, GLOBAL)
    return folder


def built(folder, **settings):
    return V2L.build(Setup(toys.backbones(), folder, {"shown_words": 3, **settings}))


def assembled(model, local=LOCAL, global_=GLOBAL, **settings):
    llm, clip = (toys.backbones().get(role) for role in ("llm", "clip"))
    chosen = V2LMethodSettings(**{"shown_words": 3, **settings})
    return V2L(model, (local, global_), llm, clip, chosen)


def picture(seed, height=8, width=8):
    draw = torch.Generator().manual_seed(seed)
    return Image(torch.rand(3, height, width, generator=draw), f"picture {seed}")


def tokens_of(method, *images):
    return {
        image: method.tokenize(image.pixels[None], torch.tensor([image.size])) for image in images
    }


def test_the_installed_plugin_offers_the_method_and_its_recipe():
    host = Host()
    assert host.methods["v2l"].load() is V2L
    assert host.methods["v2l"].card is V2L.card
    assert host.recipes["v2l"].card.needs == ("data", "llm", "clip", "perceptual")


def test_reading_the_card_loads_no_torch():
    code = "import sys, frostbench.v2l.plugin; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_local_words_are_those_of_the_stored_model(folder):
    method = built(folder)
    images = torch.stack([picture(i).pixels for i in range(3)])
    model = V2LTokenizer(SIZES).eval()
    stored.load_into(model, folder)
    tokens = method.tokenize(images, torch.full((3, 2), 8))
    assert torch.equal(tokens.grid("local"), model.encode_local(images * 2 - 1))


def test_clip_sees_the_whole_image_where_it_is_kept_and_the_encoder_the_crop(folder):
    method = built(folder)
    crop, whole = picture(0), picture(1, 30, 40)
    tokens = visual_tokens(method, [replace(crop, whole=whole.pixels), picture(2)])
    both, plain = tokens_of(method, crop, whole), tokens_of(method, picture(2))
    assert torch.equal(tokens.grid("local")[:1], both[crop].grid("local"))
    assert torch.equal(tokens.ranked("global")[:1], both[whole].ranked("global"))
    assert not torch.equal(both[crop].ranked("global"), both[whole].ranked("global"))
    assert torch.equal(tokens.ranked("global")[1:], plain[picture(2)].ranked("global"))


def test_clip_is_shown_images_of_8_bits_where_they_are_asked_for():
    plain, rounded = assembled(tokenizer()), assembled(tokenizer(), rounded=True)
    image = picture(3, 30, 40)
    read = plain._clip.encode_image(image.pixels[None], rounded=True)
    wanted = plain._model.nearest_global(read, 4)
    given = rounded.tokenize(image.pixels[None], torch.tensor([image.size]))
    assert torch.equal(given.ranked("global"), wanted)
    assert plain.fingerprint != rounded.fingerprint


def test_global_words_are_those_nearest_to_what_clip_sees_of_the_whole_image(folder):
    method = built(folder)
    image = picture(0, 12, 20)
    (tokens,) = tokens_of(method, image).values()
    seen = toys.backbones().get("clip").encode_image(image.pixels[None])
    model = V2LTokenizer(SIZES).eval()
    stored.load_into(model, folder)
    assert torch.equal(tokens.ranked("global"), model.nearest_global(seen, 4))


@pytest.mark.parametrize("shown", [1, 4])
def test_a_image_is_shown_as_its_nearest_global_words_glued_together(folder, shown):
    method = built(folder, shown_words=shown)
    image, other = picture(0), picture(1)
    tokens = tokens_of(method, image, other)
    shots = (LabelledImage(other, "cat"),)
    (prompt,) = next(method.prompt(Classify("c", image, shots, ("cat", "dog")), tokens))
    ranked = tokens[image].ranked("global")[0].tolist()
    assert prompt.query[1] == Text("".join(GLOBAL[row] for row in ranked[:shown]), visual=True)


def test_local_words_are_ids_of_the_language_model_and_nothing_is_masked(folder):
    method = built(folder)
    image, clean = picture(0), picture(1)
    request = Restore("r", image, "blur", OracleContext(clean, 2))
    tokens = tokens_of(method, image, clean)
    prompts = next(method.prompt(request, tokens))
    read = [i for prompt in prompts for i in prompt.query[1].ids]
    assert read == tokens[image].grid("local").flatten().tolist()
    assert {prompt.ask for prompt in prompts} == {Generate(2)}


def test_a_language_model_with_more_ids_than_words_is_held_to_the_words():
    method = assembled(tokenizer(replace(SIZES, local_words=300)), LOCAL[:300])
    image, clean = picture(0), picture(1)
    request = Restore("r", image, "blur", OracleContext(clean, 2))
    prompts = next(method.prompt(request, tokens_of(method, image, clean)))
    assert prompts[0].ask.allowed == TokenSets((frozenset(range(300)),) * 2)


def test_global_words_count_when_examples_are_disturbed(folder):
    method = built(folder)
    image = picture(0)
    request = Restore("r", image, "blur", OracleContext(image, 1), seed=5)
    tokens = tokens_of(method, image)
    prompts = next(method.prompt(request, tokens))
    shown = [i for prompt in prompts for i in prompt.shots[0].answer[0].ids]
    own = tokens[image].grid("local").flatten().tolist()
    changed = sum(a != b for a, b in zip(shown, own, strict=True))
    assert changed == 10  # floor(0.50 * (16 + 4))


def test_the_published_protocol_decodes_beside_the_clean_images_global_words(folder):
    method = built(folder)
    corrupted, clean = (Image(torch.full((3, 8, 8), shade)) for shade in (0.0, 1.0))
    others = picture(0), picture(1)
    tokens = tokens_of(method, corrupted, clean, *others)
    assert not torch.equal(tokens[corrupted].ranked("global"), tokens[clean].ranked("global"))
    for context, source in (
        (OracleContext(clean, 2), clean),
        (HeldOutContext((RestoredPair(*others),)), corrupted),
    ):
        waves = method.prompt(Restore("r", corrupted, "blur", context), tokens)
        (outcome,) = drive([waves], toys.engine())
        assert torch.equal(outcome.value.ranked("global"), tokens[source].ranked("global"))


def test_a_reconstruction_reads_local_beside_global_words(folder):
    method = built(folder)
    image = picture(0, 10, 6)
    tokens = tokens_of(method, image)
    (outcome,) = drive([method.prompt(Reconstruct("r", image), tokens)], toys.engine())
    (prediction,) = method.decode([Reconstruct("r", image)], [outcome.value])
    assert prediction.pixels.shape == (3, 10, 6)
    model = V2LTokenizer(SIZES).eval()
    stored.load_into(model, folder)
    with torch.no_grad():
        decoded = model.decode(tokens[image].grid("local"), tokens[image].ranked("global"))
    assert torch.allclose(method.render(outcome.value), decoded / 2 + 0.5, atol=1e-6)


def test_words_are_both_vocabularies_own(folder):
    method = built(folder)
    (tokens,) = tokens_of(method, picture(0)).values()
    words = method.words(tokens)
    assert words["local"] == [[LOCAL[i] for i in row] for row in tokens.grid("local")[0].tolist()]
    assert words["global"] == [[GLOBAL[i] for i in tokens.ranked("global")[0].tolist()]]


def test_a_box_is_refused_with_the_reason_on_the_card(folder):
    method = built(folder)
    image = picture(0)
    waves = method.prompt(Detect("d", image, ("cat",)), tokens_of(method, image))
    (outcome,) = drive([waves], toys.engine())
    assert "a Detect request" in outcome.error
    assert V2L.card.reasons["Detect"] in outcome.error


def test_a_image_is_said_in_its_shown_words_one_a_line(folder):
    method = built(folder)
    image = picture(0)
    tokens = tokens_of(method, image)
    (outcome,) = drive([method.prompt(Interpret("i", image), tokens)], toys.engine())
    ranked = tokens[image].ranked("global")[0, :3].tolist()
    assert outcome.value.split("\n") == [GLOBAL[row] for row in ranked]


def test_under_another_language_model_only_words_that_it_knows_are_used(folder):
    llm, clip = (toys.backbones().get(role) for role in ("llm", "clip"))
    # Every other word is none of the language model's, and the rest stand elsewhere.
    words = [word if i % 2 else f"local{i}" for i, word in enumerate(LOCAL[::-1])]
    method = V2L(tokenizer(), (words, GLOBAL), llm, clip, V2LMethodSettings(shown_words=3))
    image = picture(0)
    (tokens,) = tokens_of(method, image).values()
    said = [word for row in method.words(tokens)["local"] for word in row]
    assert not any(word.startswith("local") for word in said)
    ids = method.token_map.ids_of(tokens.grid("local"))
    assert [llm.decode([i]) for i in ids] == said
    note, _ = method.notes
    assert "of the 320 words of v2l's codebook" in note
    assert method.fingerprint != assembled(tokenizer()).fingerprint


def test_masked_restoration_is_asked_under_the_pack_s_adapter_and_a_lack_of_it_is_noted(folder):
    image, hidden = picture(0), torch.zeros(16, 16, dtype=torch.bool)
    hidden[:4, :4] = True
    request = Restore("m", image, "masked", NoContext(), hidden)
    for given in ({}, {"masked": folder / "lora"}):
        settings = {"shown_words": 3}
        method = V2L.build(Setup(toys.backbones(), folder, settings, adapters=given))
        (prompt,) = next(method.prompt(request, tokens_of(method, image)))
        expected = Adapter("lora", folder / "lora") if given else None
        assert prompt.adapter == expected
        assert any("no adapter" in note for note in method.notes) == (not given)


def test_the_fingerprint_tells_what_tokens_depend_on_and_nothing_else(folder):
    plain = built(folder).fingerprint
    assert built(folder).fingerprint == plain
    assert built(folder, shown_words=2, restoration={"step": 4}).fingerprint == plain
    assert built(folder, global_tokens=3).fingerprint != plain
    assert built(folder, image_size=16).fingerprint != plain
    assert assembled(tokenizer(seed=2)).fingerprint != plain


def test_another_clip_is_another_fingerprint(folder):
    model, llm = tokenizer(), toys.backbones().get("llm")
    same, other = toys.clip(), toys.clip()
    with torch.no_grad():
        next(other.model.visual.parameters()).add_(1)
    settings = V2LMethodSettings(shown_words=3)
    one, two = (V2L(model, (LOCAL, GLOBAL), llm, clip, settings) for clip in (same, other))
    assert one.fingerprint == assembled(model).fingerprint != two.fingerprint


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"image_size": 9}, "image_size is 9, .* cells of 2 pixels"),
        ({"global_tokens": 13}, "global_tokens 13.*12 of the vocabulary"),
        ({"shown_words": 5}, "shown_words is 5 and global_tokens 4"),
        ({"shown_words": 0}, "shown_words is 0"),
        ({"local": LOCAL[1:]}, "local vocabulary has 319 words, and its codebook 320 rows"),
        ({"global_": GLOBAL[1:]}, "global vocabulary has 11 words, and its codebook 12 rows"),
    ],
)
def test_parts_that_do_not_fit_are_refused_with_both_numbers(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        assembled(tokenizer(), **change)


def test_a_language_model_smaller_than_the_vocabulary_is_refused():
    many = tuple(f"w{i}" for i in range(400))
    with pytest.raises(ValueError, match="only 0 of the codebook"):
        assembled(tokenizer(replace(SIZES, local_words=400)), many)


def test_a_clip_of_another_width_is_refused():
    with pytest.raises(ValueError, match="features of width 16, and the codebooks have width 8"):
        assembled(tokenizer(replace(SIZES, embed_width=8)))


def test_no_weights_are_one_sentence():
    with pytest.raises(ValueError, match=r"no weights for method 'v2l'.*frostbench train"):
        V2L.build(Setup(toys.backbones()))


def test_an_unknown_setting_is_one_sentence(folder):
    with pytest.raises(ValueError, match=r"method.v2l: no setting named 'shown_word'"):
        built(folder, shown_word=3)


def test_equal_tokens_are_rendered_once_and_whoever_gets_the_image_may_change_it(folder):
    class Counting(V2L):
        rendered = 0

        def render(self, tokens):
            self.rendered += len(tokens)
            return super().render(tokens)

    method = Counting.build(Setup(toys.backbones(), folder, {"shown_words": 3}))
    images = [picture(0), picture(1), picture(0)]
    requests = [Reconstruct(str(i), image) for i, image in enumerate(images)]
    tokens = tokens_of(method, *images[:2])
    outcomes = [tokens[image] for image in images]
    first, other, same = (one.pixels for one in method.decode(requests, outcomes))
    wanted = first.clone()
    assert torch.equal(same, wanted)
    assert not torch.equal(other, wanted)
    first.zero_()
    (later,) = method.decode(requests[:1], outcomes[:1])
    assert torch.equal(later.pixels, wanted)
    assert method.rendered == 2
