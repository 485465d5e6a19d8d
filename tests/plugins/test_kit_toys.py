import torch

from frostbench.plugins.contract.prompts import Choose, Generate, Ids, Prompt, Text, Trie
from frostbench.plugins.kit import toys


def test_toys_are_the_same_objects_with_the_same_weights():
    assert toys.backbones() is toys.backbones()
    before = toys.checksums()
    toys.backbones.cache_clear()
    assert toys.checksums() == before
    assert set(before) == set(toys.ROLES)


def test_building_toys_does_not_touch_the_random_state():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    toys.llm()
    toys.clip()
    assert torch.equal(torch.rand(4), expected)


def test_the_toy_tokenizer_keeps_any_text():
    llm = toys.backbones().get("llm")
    for text in ("###\nInput: < ", " >\nOutput: ", "naïve 猫 🙂", "  two  blanks "):
        assert llm.decode(llm.encode(text)) == text
    assert max(llm.encode("any text")) < llm.vocabulary_size


def test_the_toy_language_model_answers_prompts():
    prompt = Prompt((Text("Input: cat"), Ids((5, 6))), Generate(3))
    held = Prompt((Text("Input: cat"),), Generate(9, Trie(("dog", "cat"))))
    chosen = Prompt((Text("Input: cat"),), Choose(("dog", "cat")))
    free, whole, one = toys.engine().run([prompt, held, chosen])
    assert 1 <= len(free.ids) <= 3
    assert whole.text in ("dog", "cat")
    assert one.index in (0, 1)


def test_the_toy_clip_tells_images_and_texts_apart():
    clip = toys.backbones().get("clip")
    images = clip.encode_image(torch.rand(2, 3, 20, 30))
    texts = clip.encode_text(["a cat", "a dog"])
    assert images.shape == texts.shape == (2, 16)
    assert not torch.allclose(images[0], images[1])
    assert not torch.allclose(texts[0], texts[1])
