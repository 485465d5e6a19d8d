import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from frostbench.plugins.parts.tokenizing.one_by_one import by_row
from frostbench.plugins.parts.tokenizing.resizing import resized, to_square


def test_a_image_of_the_right_size_is_left_alone():
    image = torch.rand(3, 8, 8)
    assert torch.equal(resized(image, 8, 8), image)


@settings(max_examples=25)
@given(
    shade=st.floats(0, 1, width=32),
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    pad=st.integers(0, 5),
)
def test_a_flat_image_stays_flat_whatever_the_padding(shade, height, width, pad):
    batch = torch.full((1, 3, height + pad, width + pad), 7.0)
    batch[:, :, :height, :width] = shade
    square = to_square(batch, torch.tensor([[height, width]]), 8)
    assert square.shape == (1, 3, 8, 8)
    assert torch.allclose(square, torch.tensor(shade), atol=1e-5)


def test_the_whole_image_is_kept():
    wide = torch.zeros(1, 3, 8, 32)
    wide[..., 16:] = 1
    square = to_square(wide, torch.tensor([[8, 32]]), 8)
    assert float(square[..., :3].max()) == 0
    assert float(square[..., 5:].min()) == 1


def test_rows_do_not_depend_on_their_neighbours_to_the_last_bit():
    torch.manual_seed(0)
    network = torch.nn.Conv2d(3, 16, 3).eval()
    images = torch.rand(7, 3, 33, 29)
    together = by_row(network, images)
    for start, stop in ((0, 1), (2, 5), (6, 7)):
        assert torch.equal(by_row(network, images[start:stop]), together[start:stop])
    assert not together.requires_grad
