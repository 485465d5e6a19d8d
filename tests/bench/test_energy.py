"""Joules, from the driver's counter to the leaderboard, with a driver that is simulated."""

import io
import itertools
import sys
import types
from dataclasses import replace

import pytest
import torch
from rich.console import Console
from runner_world import Blocks, Hashing, method, plan_of
from stored_runs import changed

from frostbench.bench.exchange.frames import samples_table
from frostbench.bench.leaderboard import build, write
from frostbench.bench.leaderboard.costs import costs_of
from frostbench.bench.leaderboard.matrix import matrix
from frostbench.bench.leaderboard.tables import sections
from frostbench.bench.leaderboard.terminal import tables, task_tables
from frostbench.bench.runner.progress import Quiet
from frostbench.bench.runner.run import run
from frostbench.plugins.backbones import energy
from frostbench.plugins.backbones.energy import Energy, Outlay

CARDS = [torch.device("cuda", number) for number in range(3)]


class NVMLError(Exception):
    pass


@pytest.fixture
def driver(monkeypatch):
    """NVML of three cards, the last a part of a card that does not count; millijoules by uuid."""
    used = {"GPU-0": 5_000, "GPU-1": 70_000}

    def total(handle):
        if handle not in used:
            raise NVMLError("not supported")
        return used[handle]

    nvml = types.ModuleType("pynvml")
    nvml.NVMLError, nvml.nvmlInit = NVMLError, lambda: None
    nvml.nvmlDeviceGetHandleByUUID = lambda uuid: uuid
    nvml.nvmlDeviceGetTotalEnergyConsumption = total
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    properties = lambda card: types.SimpleNamespace(uuid=card.index)  # noqa: E731
    monkeypatch.setattr(torch.cuda, "get_device_properties", properties)
    energy._counter.cache_clear()
    yield used
    energy._counter.cache_clear()


def test_joules_are_what_the_counters_of_all_cards_rose_by(driver):
    outlay = Outlay(Energy(CARDS[:2]))
    driver["GPU-0"] += 1_500
    driver["GPU-1"] += 250
    assert outlay.cost().joules == pytest.approx(1.75)
    assert outlay.cost().part(0.5).joules == pytest.approx(0.875)
    assert outlay.cost().seconds > 0


def test_a_card_that_does_not_count_leaves_no_figure_rather_than_a_part_of_one(driver):
    assert Energy(CARDS).joules() is None
    assert Outlay(Energy(CARDS)).cost().joules is None
    assert Energy([torch.device("cpu")]).joules() is None
    assert Energy([]).joules() is None


def test_a_driver_that_is_not_there_is_said_once(driver, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert Energy(CARDS[:1]).joules() is Energy(CARDS[:1]).joules() is None
    assert capsys.readouterr().err.count("no energy figures for cuda:0") == 1


class Counting(Hashing):
    """An engine each of whose answers takes two joules."""

    def answer(self, prompt, company):
        said = super().answer(prompt, company)
        return replace(said, cost=replace(said.cost, joules=2.0))


def test_a_run_counts_the_engine_and_the_methods_own_code(tmp_path, monkeypatch):
    counter = itertools.count()
    # Whoever reads it finds a joule more: one for each stretch of own code.
    monkeypatch.setattr(Energy, "joules", lambda self: float(next(counter)))

    def costs(folder):
        plan = plan_of(
            tmp_path / folder,
            tmp_path / "tokens",
            methods=(method(Blocks),),
            engine=Counting(),
            controls=None,
        )
        stored = run(plan, Quiet(io.StringIO()))
        assert not stored.failed
        return [one.cost for one in stored.records()]

    first = costs("one")
    own = [cost.joules - 2 * cost.generated_tokens for cost in first]
    # Of a chunk of three, whose tokens come in batches of four: a third of a joule at least.
    assert all(0.33 < joules < 4 for joules in own)
    # Kept tokens cost what they did when they were made.
    assert [cost.joules for cost in costs("two")] == pytest.approx([cost.joules for cost in first])


@pytest.fixture(scope="module")
def counted(synthetic):
    """A run on a machine that counts, of which v2l uses four joules a sample and vqgan none."""
    stored = synthetic(samples=12)
    used = {"v2l": 4.0, "vqgan": 1.0}
    records = [
        replace(record, cost=replace(record.cost, joules=used.get(record.method or "")))
        for record in stored.records()
    ]
    return changed(stored, records)


def test_the_board_shows_joules_beside_seconds_and_memory(counted, tmp_path):
    board = build([counted])
    found = matrix(board, sections(board))
    assert {one.method: one.joules for one in found.contenders} == {"v2l": 4.0, "vqgan": 1.0}
    named = {one.label: one for one in costs_of(found, board.manifests)}
    assert named["joules a sample"].shown == ("4.00", "1.00")
    assert named["joules a sample"].least == 1.0
    out = io.StringIO()
    console = Console(file=out, width=200, color_system=None)
    for table in (*tables(found, 200), *task_tables(board, ["reconstruction"], 200)):
        console.print(table)
    lines = [line.split() for line in out.getvalue().splitlines()]
    assert ["joules", "a", "sample", "4.00", "1.00"] in lines
    assert any(line[-1:] == ["J"] for line in lines)
    assert any(line[:1] == ["v2l"] and line[-1] == "4.00" for line in lines)
    write(board, [counted], tmp_path)
    pages = {
        path.name: path.read_text("utf-8")
        for path in tmp_path.rglob("*")
        if path.is_file() and path.suffix in (".html", ".md", ".csv", ".svg")
    }
    assert "joules a sample" in pages["index.html"]
    assert "energy<span" in pages["task-reconstruction.html"]
    assert "| generated tokens | J |" in pages["leaderboard.md"]
    assert "joules" in pages["leaderboard.csv"].splitlines()[0]
    assert "joules a sample of this task" in pages["cost-0.svg"]
    assert set(samples_table([counted])["joules"].to_pylist()) >= {4.0, 1.0}


def test_a_board_without_figures_has_no_column_for_them(synthetic, tmp_path):
    stored = synthetic(samples=12)
    board = build([stored])
    found = matrix(board, sections(board))
    assert "joules a sample" not in [one.label for one in costs_of(found, board.manifests)]
    write(board, [stored], tmp_path)
    assert "| J |" not in (tmp_path / "leaderboard.md").read_text("utf-8")
    assert "energy<span" not in (tmp_path / "task-reconstruction.html").read_text("utf-8")
