from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from frostbench.baselines.visionllm.contours import boundary, contour, filled
from frostbench.baselines.visionllm.matching import matched, overlap
from frostbench.baselines.visionllm.model import TupleLayout
from frostbench.baselines.visionllm.offsets import decoded, encoded
from frostbench.baselines.visionllm.tuple_loss import (
    TupleLossSettings,
    Tuples,
    Wanted,
    tuple_losses,
    word_loss,
)
from frostbench.baselines.visionllm.wording import (
    ClassWord,
    ImageTokens,
    InstructionWording,
    MarkValues,
    parts_of,
    pieces_of,
    published_prompts,
    texts_of,
)
from frostbench.plugins.contract.prompts import Text, Vectors

PART = st.floats(0, 1, width=32)
NAMES = ("person", "black cat", "car", "owl")


@settings(max_examples=30)
@given(st.lists(st.tuples(PART, PART), min_size=1, max_size=6), PART, PART, st.integers(1, 600))
def test_a_point_in_the_image_comes_back_from_its_words_within_half_a_step(points, x, y, half):
    points, centre = torch.tensor(points), torch.tensor([x, y])
    words = encoded(points, centre, half)
    assert words.abs().max() <= half
    back = decoded(words, centre, half)
    assert (back - points).abs().max() <= 0.5 / half + 1e-6


def test_offsets_beyond_the_range_become_its_ends():
    words = encoded(torch.tensor([[2.0, -1.5]]), torch.tensor([0.5, 0.5]), 512)
    assert words.tolist() == [[512, -512]]


@pytest.mark.parametrize("points", range(1, 25))
def test_a_layout_has_a_class_and_two_slots_a_point_and_says_so(points):
    layout = TupleLayout("contour", points)
    assert layout.slots == 1 + 2 * points
    wording = InstructionWording()
    prompt = parts_of("as <format>", MarkValues(layout=layout), wording)[-1]
    named = prompt.strip("()").split(", ")
    assert named[0] == "c"
    assert named[-2:] == [f"x{points}", f"y{points}"]
    assert len(named) == layout.slots if points <= 2 else "..." in named


def test_a_box_has_two_points():
    assert TupleLayout("box").slots == 5
    with pytest.raises(ValueError, match="a box has 2"):
        TupleLayout("box", 3)


@settings(max_examples=30)
@given(st.permutations(NAMES))
def test_class_words_follow_the_order_of_the_dictionary_whatever_the_names(names):
    parts = parts_of("<class>", MarkValues(tuple(names)), InstructionWording())
    words = [part for part in parts if isinstance(part, ClassWord)]
    assert words == [ClassWord(index) for index in range(len(names))]
    texts = "".join(part if isinstance(part, str) else f"<c{part.index}>" for part in parts)
    entries = ", ".join(f'"{name}": <c{index}>' for index, name in enumerate(names))
    assert texts == f"{{{entries}}}"


def test_every_published_prompt_can_be_filled_and_shows_the_image_once():
    wording = InstructionWording()
    asked = MarkValues(NAMES, "the left cat", "what is it?", TupleLayout("contour", 9))
    for prompts in published_prompts().values():
        for prompt in prompts:
            parts = parts_of(prompt, asked, wording)
            assert parts.count(ImageTokens()) == 1
            assert not any("<" in text for text in texts_of(parts))


def test_pieces_are_the_parts_with_their_vectors_in_place():
    tokens, words = torch.rand(3, 8), torch.rand(4, 8)
    parts = parts_of("Find <class> in <image>.", MarkValues(NAMES[:2]), InstructionWording())
    pieces = pieces_of(parts, tokens, words)
    assert [p.text for p in pieces if isinstance(p, Text)] == list(texts_of(parts))
    vectors = [p.vectors for p in pieces if isinstance(p, Vectors)]
    assert [len(v) for v in vectors] == [1, 1, 3]
    assert torch.equal(torch.cat(vectors), torch.cat((words[:2], tokens)))


@settings(max_examples=30)
@given(st.integers(0, 2**31), st.integers(1, 6), st.integers(0, 6))
def test_the_matcher_finds_the_least_cost_that_trying_everything_finds(seed, guesses, targets):
    cost = torch.rand(1, guesses, targets, generator=torch.Generator().manual_seed(seed))
    pairs = matched(cost, [targets])
    assert len(pairs.guess) == min(guesses, targets)
    assert len(set(pairs.guess.tolist())) == len(set(pairs.target.tolist())) == len(pairs.guess)
    total = cost[0, pairs.guess, pairs.target].sum()
    table = cost[0] if targets <= guesses else cost[0].T
    tried = [
        sum(table[row, column] for column, row in enumerate(rows))
        for rows in permutations(range(len(table)), table.shape[1])
    ]
    torch.testing.assert_close(total, torch.as_tensor(min(tried), dtype=total.dtype))


def test_images_of_a_batch_are_matched_apart():
    cost = torch.rand(3, 4, 5)
    counts = [2, 0, 3]
    pairs = matched(cost, counts)
    assert pairs.image.tolist() == [0, 0, 2, 2, 2]
    alone = matched(cost[2:, :, 2:], [3])
    assert torch.equal(pairs.guess[2:], alone.guess)
    assert torch.equal(pairs.target[2:], alone.target + 2)


@settings(max_examples=30)
@given(st.integers(0, 2**31))
def test_overlap_of_boxes_equals_torchvisions(seed):
    from torchvision.ops import box_iou, generalized_box_iou

    draw = torch.Generator().manual_seed(seed)
    low = torch.rand(7, 2, generator=draw)
    boxes = torch.cat((low, low + 0.01 + torch.rand(7, 2, generator=draw)), 1)
    iou, giou = overlap(boxes[:, None], boxes)
    torch.testing.assert_close(iou, box_iou(boxes, boxes), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(giou, generalized_box_iou(boxes, boxes), atol=1e-5, rtol=1e-4)


@st.composite
def rectangles(draw):
    left, top = draw(st.integers(0, 10)), draw(st.integers(0, 10))
    width, height = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    mask = torch.zeros(24, 24, dtype=torch.bool)
    mask[top : top + height, left : left + width] = True
    return mask


@settings(max_examples=30)
@given(rectangles())
def test_the_boundary_of_a_rectangle_filled_again_is_the_rectangle(mask):
    polygon = torch.from_numpy(boundary(mask)).float()
    assert torch.equal(filled(polygon, 24, 24), mask)
    assert coco.area(coco.encode(mask.numpy().astype("uint8", order="F"))) == mask.sum()


def test_many_points_of_a_disc_keep_its_area_and_few_lose_some():
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    disc = (rows - 30) ** 2 + (columns - 33) ** 2 <= 20**2
    areas = [int(filled(contour(disc, points), 64, 64).sum()) for points in (4, 8, 24)]
    assert areas == sorted(areas)
    assert abs(areas[-1] - int(disc.sum())) < 0.03 * int(disc.sum())


def test_a_contour_starts_at_the_top_and_runs_clockwise_in_equal_steps():
    mask = torch.zeros(12, 12, dtype=torch.bool)
    mask[2:6, 3:9] = True
    points = contour(mask, 10)
    assert points.tolist()[:4] == [[3, 2], [5, 2], [7, 2], [9, 2]]
    x, y = points.T
    assert (x * y.roll(-1) - x.roll(-1) * y).sum() > 0  # clockwise, as y points down


def test_a_contour_is_of_the_largest_part_and_ignores_holes():
    mask = torch.zeros(20, 20, dtype=torch.bool)
    mask[0:2, 0:2] = True
    mask[8:16, 8:16] = True
    mask[10:12, 10:12] = False
    assert contour(mask, 4).tolist() == [[8, 8], [16, 8], [16, 16], [8, 16]]
    with pytest.raises(ValueError, match="no contour"):
        contour(torch.zeros(4, 4, dtype=torch.bool), 4)


def test_pixels_that_touch_at_a_corner_alone_are_two_parts():
    mask = torch.zeros(6, 6, dtype=torch.bool)
    mask[1:3, 1:3] = True
    mask[3:5, 3:5] = True
    assert contour(mask, 4).tolist() == [[1, 1], [3, 1], [3, 3], [1, 3]]


def _tuples(seed, images=2, tokens=5, classes=4, points=2, bins=17):
    draw = torch.Generator().manual_seed(seed)
    return Tuples(
        torch.randn(images, tokens, classes + 1, generator=draw),
        torch.randn(images, tokens, points, 2, bins, generator=draw),
        torch.rand(images, tokens, 2, generator=draw),
    )


def _wanted(seed, counts=(2, 3), classes=4, points=2):
    draw = torch.Generator().manual_seed(seed + 1)
    total = sum(counts)
    low = torch.rand(total, 1, 2, generator=draw) * 0.5
    corners = torch.cat((low, low + 0.1 + 0.4 * torch.rand(total, 1, 2, generator=draw)), 1)
    return Wanted(torch.randint(classes, (total,), generator=draw), corners, counts)


@settings(max_examples=30)
@given(st.integers(0, 2**31), st.permutations(range(4)))
def test_the_loss_is_the_same_when_the_dictionary_is_permuted_with_the_answers(seed, order):
    said, wanted = _tuples(seed), _wanted(seed)
    order = torch.tensor(order)
    # Class word j of the other prompt is called as word order[j] of this one.
    other = Tuples(said.classes[..., [*order, 4]], said.places, said.centres)
    moved = Wanted(order.argsort()[wanted.classes], wanted.points, wanted.counts)
    how = TupleLossSettings(spread=1.0, mean=1.0, giou=1.0, cost_centre=1.0)
    one, two = (tuple_losses(*pair, how)[0] for pair in ((said, wanted), (other, moved)))
    assert one.keys() == two.keys()
    for name, term in one.items():
        torch.testing.assert_close(term, two[name])


def test_perfect_tuples_cost_nothing_and_each_wrong_field_does():
    wanted = _wanted(0)
    said = _tuples(0, tokens=3)
    half = said.places.shape[-1] // 2
    classes, places = torch.full_like(said.classes, -30.0), torch.full_like(said.places, -30.0)
    classes[..., -1] = 30
    start = 0
    for image, count in enumerate(wanted.counts):
        for token in range(count):
            target = start + token
            classes[image, token] = -30
            classes[image, token, wanted.classes[target]] = 30
            words = encoded(wanted.points[target], said.centres[image, token], half) + half
            places[image, token].scatter_(-1, words[..., None], 30.0)
        start += count
    perfect = Tuples(classes, places, said.centres)
    terms, pairs = tuple_losses(perfect, wanted, TupleLossSettings())
    assert pairs.guess.tolist() == [0, 1, 0, 1, 2]
    assert sum(terms.values()) < 1e-6
    silent = Tuples(said.classes.index_fill(-1, torch.tensor([4]), 30.0), places, said.centres)
    assert tuple_losses(silent, wanted, TupleLossSettings())[0]["class"] > 5
    shifted = Tuples(classes, places.roll(1, -1), said.centres)
    assert tuple_losses(shifted, wanted, TupleLossSettings())[0]["place"] > 5


def test_a_scene_without_targets_costs_the_class_slots_alone():
    said = _tuples(1, images=1)
    none = Wanted(torch.zeros(0, dtype=torch.long), torch.zeros(0, 2, 2), (0,))
    terms, pairs = tuple_losses(said, none, TupleLossSettings())
    assert set(terms) == {"class"}
    assert not len(pairs.image)
    expected = -said.classes.log_softmax(-1)[..., -1].mean()
    torch.testing.assert_close(terms["class"], expected)


def test_words_without_spread_are_plain_cross_entropy_and_spread_is_least_around_the_target():
    logits = torch.randn(3, 9)
    words = torch.tensor([0, 4, 8])
    plain = torch.nn.functional.cross_entropy(logits, words)
    torch.testing.assert_close(word_loss(logits, words, 0.0), plain)
    near = torch.full((1, 9), -10.0)
    losses = [
        float(word_loss(near.index_fill(1, torch.tensor([at]), 10.0), torch.tensor([4]), 1.0))
        for at in range(9)
    ]
    assert losses.index(min(losses)) == 4
    assert losses[:5] == sorted(losses[:5], reverse=True)
