import torch

from frostbench.plugins.backbones.templates import embed_words, or_imagenet
from frostbench.plugins.kit import toys


def test_a_words_feature_is_the_mean_over_templates():
    clip = toys.clip()
    found = embed_words(clip, [" cat", "dog", "red fox"], ("{}", "a {}"), batch=2)
    both = [clip.encode_text([form.format("cat")], normalise=True) for form in ("{}", "a {}")]
    assert found.shape[0] == 3
    assert torch.allclose(found[:1], torch.stack(both).mean(0), atol=1e-5)


def test_no_templates_are_those_of_imagenet():
    assert len(or_imagenet(())) == 80
    assert or_imagenet(["{}"]) == ("{}",)
