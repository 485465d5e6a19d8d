import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from frostbench.plugins.parts.prompting.windows import hidden_cells, windows


@given(wanted=st.lists(st.booleans(), max_size=80), step=st.integers(1, 9))
def test_windows_cover_the_wanted_cells_and_no_others_in_order(wanted, step):
    found = windows(torch.tensor(wanted, dtype=torch.bool), step)
    covered = [cell for window in found for cell in window]
    assert covered == [cell for cell, want in enumerate(wanted) if want]
    assert all(1 <= len(window) <= step for window in found)


@given(wanted=st.lists(st.booleans(), min_size=1, max_size=80), step=st.integers(1, 9))
def test_only_the_last_window_of_a_run_is_shorter(wanted, step):
    for window in windows(torch.tensor(wanted), step):
        if len(window) < step:
            assert window.stop == len(wanted) or not wanted[window.stop]


def test_the_published_tasks_have_128_32_and_64_windows():
    whole, hole, half = (torch.zeros(16, 16, dtype=torch.bool) for _ in range(3))
    whole[:], hole[4:12, 4:12], half[8:] = True, True, True
    assert [len(windows(mask.flatten(), 2)) for mask in (whole, hole, half)] == [128, 32, 64]


@given(
    height=st.integers(3, 20),
    width=st.integers(3, 20),
    rows=st.integers(1, 6),
    columns=st.integers(1, 6),
    data=st.data(),
)
def test_a_cell_is_hidden_if_any_of_its_pixels_is(height, width, rows, columns, data):
    y, x = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    pixels = torch.zeros(height, width, dtype=torch.bool)
    assert not hidden_cells(pixels, rows, columns).any()
    pixels[y, x] = True
    cells = hidden_cells(pixels, rows, columns)
    for row in range(rows):
        for column in range(columns):
            inside = (
                row * height < (y + 1) * rows
                and y * rows < (row + 1) * height
                and column * width < (x + 1) * columns
                and x * columns < (column + 1) * width
            )
            assert bool(cells[row, column]) == inside


@pytest.mark.parametrize("size", [64, 128])
def test_the_published_hole_is_the_middle_of_the_grid(size):
    pixels = torch.zeros(size, size, dtype=torch.bool)
    pixels[size // 4 : 3 * size // 4, size // 4 : 3 * size // 4] = True
    cells = hidden_cells(pixels, 16, 16)
    wanted = torch.zeros(16, 16, dtype=torch.bool)
    wanted[4:12, 4:12] = True
    assert torch.equal(cells, wanted)
