import pytest
import torch
from segment_anything import SamPredictor, sam_model_registry

from frostbench.plugins.backbones import BackboneEntry, SharedBackbones
from frostbench.plugins.backbones.sam import (
    KEPT,
    Sam,
    input_size,
    save_sam,
    scale_boxes,
    to_image,
)
from frostbench.plugins.backbones.sam_sizes import (
    VIT_B,
    VIT_H,
    VIT_L,
    SamSettings,
    build_sam,
    published_sizes,
)
from frostbench.plugins.contract.images import Image
from frostbench.plugins.kit import toys


def entry(source, **more):
    return BackboneEntry("sam", "sam", str(source), **more)


def shapes(module):
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def picture(height, width, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return Image(torch.rand(3, height, width, generator=draw).mul(255).round().div(255))


@pytest.mark.parametrize("name", ["vit_b", "vit_l", "vit_h"])
def test_published_sizes_have_the_official_keys_and_shapes(name):
    with torch.device("meta"):
        official = sam_model_registry[name]()
        ours = build_sam({"vit_b": VIT_B, "vit_l": VIT_L, "vit_h": VIT_H}[name])
    assert shapes(ours) == shapes(official)
    sizes = published_sizes(official.state_dict(), "a file")
    assert sizes == {"vit_b": VIT_B, "vit_l": VIT_L, "vit_h": VIT_H}[name]


def build_meta(sizes):
    with torch.device("meta"):
        return build_sam(sizes)


def test_the_published_decoder_has_as_many_numbers_as_the_papers():
    model = build_meta(VIT_L)
    assert count(model.image_encoder) == 308_278_272
    assert (count(model.prompt_encoder), count(model.mask_decoder)) == (6_220, 4_058_340)


def test_a_sam_comes_back_from_its_folder_frozen_and_as_it_was(tmp_path):
    toy = toys.sam()
    save_sam(tmp_path, toy.model, toy.settings)
    sam = SharedBackbones([entry(tmp_path)]).get("sam")
    assert isinstance(sam, Sam)
    assert sam.settings == toy.settings
    assert not sam.model.training
    assert not any(p.requires_grad for p in sam.model.parameters())
    image = picture(16, 12)
    assert torch.allclose(sam.embed(image), toy.embed(image), atol=0.02)


def test_the_image_encoder_reads_an_image_once_and_keeps_few():
    sam = toys.sam()
    read = []
    sam.model.image_encoder.register_forward_hook(lambda *_: read.append(1))
    images = [picture(8, 8, seed) for seed in range(KEPT + 1)]
    first = sam.embed(images[0])
    assert sam.embed(Image(images[0].pixels.clone())) is first
    assert len(read) == 1
    for image in images:
        sam.embed(image)
    assert len(read) == len(images)
    sam.embed(images[-1])
    assert len(read) == len(images)
    assert torch.equal(sam.embed(images[0]), first)
    assert len(read) == len(images) + 1


@pytest.mark.parametrize("size", [(16, 16), (32, 20), (5, 11)])
def test_masks_from_boxes_are_those_of_the_packages_predictor(size):
    sam = toys.sam()
    image = picture(*size)
    predictor = SamPredictor(sam.model)
    pixels = (image.pixels * 255).round().to(torch.uint8)
    predictor.set_image(pixels.permute(1, 2, 0).numpy())
    assert torch.equal(predictor.features[0], sam.embed(image))
    boxes = torch.tensor([[0.0, 0.0, size[1], size[0]], [1.0, 1.0, 4.0, 4.0]])
    scaled = predictor.transform.apply_boxes_torch(boxes, size)
    masks, _, low = predictor.predict_torch(None, None, scaled, multimask_output=False)
    assert torch.equal(sam.masks_from_boxes(image, boxes), masks[:, 0])
    assert torch.allclose(scale_boxes(boxes, size, 16), scaled, atol=1e-5)
    whole = sam.model.postprocess_masks(low, predictor.input_size, size)
    assert torch.allclose(to_image(low[:, 0], size, 16), whole[:, 0], atol=1e-6)


@pytest.mark.parametrize("size", [(16, 12), (33, 47), (9, 5)])
def test_what_the_encoder_reads_is_what_the_package_gives_it(size):
    sam = toys.sam()
    image = picture(*size)
    seen = []
    hook = sam.model.image_encoder.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    predictor = SamPredictor(sam.model)
    predictor.set_image((image.pixels * 255).round().to(torch.uint8).permute(1, 2, 0).numpy())
    sam.embed(image)
    hook.remove()
    assert torch.equal(*seen)


def test_a_image_of_one_pixel_has_an_embedding_and_masks():
    image = picture(1, 1)
    masks = toys.sam().masks_from_boxes(image, torch.tensor([[0.0, 0.0, 1.0, 1.0]]))
    assert masks.shape == (1, 1, 1)
    assert input_size((1, 9_999), 1024) == (1, 1024)


def test_a_published_file_is_read_without_running_what_is_pickled_in_it(tmp_path):
    wide = {"width": 8, "decoder_heads": 8, "global_blocks": (0,)}
    sizes = SamSettings(**{**vars(toys.sam().settings), **wide})
    with toys.seeded():
        model = build_sam(sizes)
    file = tmp_path / "sam_vit.pth"
    torch.save(model.state_dict(), file)
    sam = Sam.load(entry(file))
    assert sam.settings == sizes
    read = sam.model.state_dict()
    assert all(torch.equal(read[name], tensor) for name, tensor in model.state_dict().items())
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"sam_vit\.pth .*cut short"):
        Sam.load(entry(file))


def test_what_is_no_sam_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(ValueError, match=r"no SAM at .*nowhere: a folder with config\.json"):
        Sam.load(entry(tmp_path / "nowhere"))
    torch.save({"some.weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="holds no SAM with its image encoder"):
        Sam.load(entry(tmp_path / "other.pth"))
    (tmp_path / "config.json").write_text('{"widht": 3}')
    with pytest.raises(ValueError, match="no setting named 'widht'"):
        Sam.load(entry(tmp_path))
    toy = toys.sam()
    save_sam(tmp_path, toy.model.prompt_encoder, toy.settings)
    with pytest.raises(ValueError, match=r"do not fit Sam: .* missing"):
        Sam.load(entry(tmp_path))


def test_sizes_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="choose a patch that divides image_size"):
        SamSettings(image_size=100, patch=16)
    with pytest.raises(ValueError, match="prompt_width and twice decoder_heads"):
        SamSettings(prompt_width=24, decoder_heads=8)
