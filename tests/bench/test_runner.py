import io
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import torch
from rich.console import Console
from runner_world import (
    Blocks,
    Fine,
    Hashing,
    Mending,
    Naming,
    OneBackbone,
    Ways,
    method,
    picture,
    plain,
    plan_of,
)

from frostbench.bench.runner.plan import PlannedMethod, PlannedTask
from frostbench.bench.runner.progress import Lines, Quiet, RichBars, progress_for
from frostbench.bench.runner.run import run
from frostbench.bench.store.atomic import StoreError
from frostbench.bench.store.manifest import Dash, LeftOut
from frostbench.bench.store.migration import SCHEMA
from frostbench.bench.store.values import load_prediction, load_target
from frostbench.plugins import Grid, VisualTokens
from frostbench.plugins.contract import CONTRACT_VERSION


@pytest.fixture
def paths(tmp_path):
    return tmp_path / "run", tmp_path / "tokens"


def test_every_row_of_every_task_has_every_sample_once(paths):
    done = run(plan_of(*paths))
    rows = Counter((r.task, r.protocol, r.method, r.control) for r in done.records())
    assert set(rows.values()) == {4}
    mending = {
        (None, "copy"),
        *((name, control) for name in ("blocks", "fine") for control in MENDING),
    }
    naming = {(None, "chance"), *(("blocks", control) for control in NAMING)}
    expected = {("naming", None, *row) for row in naming}
    for protocol in Mending.card.protocols:
        expected |= {("mending", protocol, *row) for row in mending}
    assert set(rows) == expected
    assert all(record.status == "scored" for record in done.records())
    assert not done.failed


def names(done) -> list[tuple[Any, ...]]:
    return sorted((record.key for record in done.records()), key=repr)


MENDING = (None, "majority_vote", "shuffled_tokens", "ceiling")
NAMING = (None, "majority_vote", "token_overlap", "shuffled_tokens")


def test_the_manifest_says_what_the_numbers_depend_on(paths):
    manifest = run(plan_of(*paths)).manifest
    assert manifest.status == "finished"
    assert (manifest.schema, manifest.contract) == (SCHEMA, CONTRACT_VERSION)
    assert manifest.dashes == (Dash("fine", "naming", "it knows no words"),)
    assert manifest.tasks["mending"].metrics == ("mse", "distance[mean]")
    control = manifest.tasks["naming"].controls["majority_vote"]
    assert control.meaning.startswith("the method's own")
    assert manifest.metrics["distance[mean]"].pooling == "features"
    backbone = manifest.backbones["llm"]
    assert backbone.sha256_before == backbone.sha256_after
    assert manifest.methods["blocks"].fingerprint == Blocks().fingerprint
    assert manifest.config == {"seed": 0}
    assert manifest.seconds > 0
    assert set(manifest.versions) > {"python", "torch"}
    assert manifest.hardware.cores > 0
    assert (paths[0] / "config.yaml").read_text() == "seed: 0\n"


def test_a_finished_task_is_sealed_and_its_lines_are_gone(paths):
    run(plan_of(*paths))
    assert sorted(path.name for path in (paths[0] / "sealed").glob("*.parquet")) == [
        "mending@held_out_context.parquet",
        "mending@oracle_context.parquet",
        "naming.parquet",
    ]
    assert not list((paths[0] / "samples").iterdir())


def test_scores_are_those_of_the_stored_images(paths):
    plan = plan_of(*paths)
    done = run(plan)
    for record in done.records():
        if record.task == "mending":
            prediction = load_prediction(record.prediction, done.blobs)
            target = load_target(record.target, done.blobs)
            assert record.scores["mse"] == plan.metrics["mse"].function(prediction, target)


def test_the_ceiling_is_the_reconstruction_of_the_clean_image(paths):
    done = run(plan_of(*paths, tokenize_batch=2, chunk=2, limit=2))
    blocks = Blocks()
    ceilings = [r for r in done.records() if r.control == "ceiling" and r.method == "blocks"]
    for record in ceilings:
        clean = picture(f"clean 0 {record.sample}")
        tokens = blocks.tokenize(torch.stack([clean.pixels] * 2), torch.tensor([[8, 8]] * 2))
        pixels = blocks.draw(tokens.grid("local")[0].flatten().tolist())
        assert torch.equal(done.blobs.pixels(record.prediction.blob), (pixels * 255).round() / 255)


def test_controls_of_a_method_never_ask_the_engine(paths):
    asked: list[int] = []

    class Counting(Hashing):
        def run(self, prompts):
            asked.append(len(prompts))
            return super().run(prompts)

    run(plan_of(*paths, limit=3, engine=Counting()))
    # naming: blocks and its shuffled tokens; mending: two methods and theirs, two waves, two
    # protocols. Majority vote, token overlap and the ceiling ask for nothing.
    assert asked == [3 * 2, *[3 * 4] * 4]


def test_without_controls_there_are_only_methods(paths):
    done = run(plan_of(*paths, controls=None))
    assert {record.control for record in done.records()} == {None}
    assert done.manifest.tasks["naming"].controls == {}


def test_images_and_words_of_the_first_samples_are_kept(paths):
    records = run(plan_of(*paths)).records()
    shown = {r.sample for r in records if r.pictures}
    assert shown == {"0", "1"}
    one = next(r for r in records if r.row == ("blocks", None) and r.task == "mending")
    assert set(one.pictures) == {"input", "corrupted"}
    assert [len(row) for row in one.words["local"]] == [2, 2]
    assert not any(r.words for r in records if r.control or r.sample not in shown)


def test_the_order_of_methods_changes_no_number(tmp_path):
    plan = plan_of(tmp_path / "a", tmp_path / "tokens a")
    other = replace(plan, methods=plan.methods[::-1], out=tmp_path / "b", tokens=tmp_path / "t b")
    assert plain(run(plan)) == plain(run(other))


def test_a_second_run_over_the_same_images_does_no_forward(tmp_path):
    first = run(plan_of(tmp_path / "a", tmp_path / "tokens")).manifest.tokenizer
    assert first["blocks"].images > 0
    assert first["blocks"].cached == 0
    again = run(plan_of(tmp_path / "b", tmp_path / "tokens", seed=0, chunk=2)).manifest.tokenizer
    for name, counts in again.items():
        assert counts.forwards == counts.images == 0
        assert counts.cached == first[name].images


def test_each_image_goes_through_each_tokenizer_once(paths):
    seen: Counter[tuple[float, ...]] = Counter()

    class Watching(Blocks):
        def tokenize(self, images, sizes):
            seen.update(tuple(image.flatten().tolist()) for image in images)
            return super().tokenize(images, sizes)

    done = run(plan_of(*paths, methods=(method(Watching),), tokenize_batch=1))
    assert set(seen.values()) == {1}
    assert done.manifest.tokenizer["blocks"].images == len(seen)


def test_tokens_that_depend_on_the_batch_are_made_one_at_a_time(tmp_path):
    class Sociable(Blocks):
        def tokenize(self, images, sizes):
            grid = super().tokenize(images, sizes).grid("local")
            return VisualTokens({"local": Grid((grid + (len(images) > 2)) % self.levels)})

    plan = plan_of(tmp_path / "a", tmp_path / "tokens", methods=(method(Sociable),))
    together = run(plan)
    alone = run(replace(plan, out=tmp_path / "b", tokens=tmp_path / "others", tokenize_batch=1))
    others = [{**one, "made_by": ""} for one in plain(alone)]
    assert [{**one, "made_by": ""} for one in plain(together)] == others
    (note,) = together.manifest.notes
    assert "depend on what stands beside it in a batch" in note
    assert not alone.manifest.notes


def test_damaged_kept_tokens_are_computed_again_and_said(tmp_path):
    first = run(plan_of(tmp_path / "a", tmp_path / "tokens", methods=(method(Fine),)))
    for path in (tmp_path / "tokens").rglob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:-1])
    second = run(plan_of(tmp_path / "b", tmp_path / "tokens", methods=(method(Fine),)))
    assert second.manifest.tokenizer == first.manifest.tokenizer
    assert all("damaged" in note for note in second.manifest.notes)
    assert second.manifest.notes
    assert plain(first) == plain(second)


def test_a_finished_run_is_not_run_again(paths):
    plan = plan_of(*paths)
    before = plain(run(plan))

    def never() -> Any:
        raise AssertionError("nothing is left to do")

    methods = tuple(replace(one, build=never) for one in plan.methods)
    again = run(replace(plan, methods=methods, engine=Hashing(never)))
    assert plain(again) == before
    assert again.manifest.last_session.samples == 0
    assert not again.failed


@pytest.mark.parametrize(("small", "large"), [(2, 5), (3, 6), (4, 5)])
def test_a_run_that_grows_equals_a_long_one_and_keeps_whole_chunks(tmp_path, small, large):
    grown = run(plan_of(tmp_path / "a", tmp_path / "tokens a", limit=small))
    asked: list[None] = []
    engine = Hashing(lambda: asked.append(None))
    grown = run(plan_of(tmp_path / "a", tmp_path / "tokens a", limit=large, engine=engine))
    calls = len(asked)
    long = run(plan_of(tmp_path / "b", tmp_path / "tokens b", limit=large, engine=engine))
    # Tokens come from the cache here, and this world's depend on their company: only names agree.
    assert names(grown) == names(long)
    assert calls == (len(asked) - calls) / 2 or small < 3
    assert grown.manifest.tasks["naming"].limit == large


def test_another_configuration_in_the_same_folder_is_refused_in_one_sentence(paths):
    plan = plan_of(*paths, limit=3)
    run(plan)
    with pytest.raises(StoreError, match=r"another configuration: seed was 0 and is now 1\. Choo"):
        run(replace(plan, seed=1))
    with pytest.raises(StoreError, match=r"methods\.fine was there and is not any more"):
        run(replace(plan, methods=plan.methods[:1]))
    with pytest.raises(StoreError, match=r"the limit of naming was 3 and is now 2"):
        run(plan_of(*paths, limit=2))
    other = (PlannedMethod(Blocks.card, Blocks, settings={"levels": 9}), plan.methods[1])
    with pytest.raises(StoreError, match=r"methods\.blocks\.settings\.levels is new"):
        run(replace(plan, methods=other))


def test_a_method_whose_tokens_changed_is_refused_where_it_would_mix(paths):
    run(plan_of(*paths, limit=3, methods=(method(Blocks),)))
    other = method(Blocks, lambda: Blocks(5))
    with pytest.raises(StoreError, match="'blocks' makes other visual tokens than when"):
        run(plan_of(*paths, limit=6, methods=(other,)))


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(StoreError, match=r"holds 'thesis.tex' and no run; choose an empty"):
        run(plan_of(tmp_path, tmp_path / "tokens"))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(StoreError, match="is a file; a run needs a folder"):
        run(plan_of(tmp_path / "thesis.tex", tmp_path / "tokens"))


def test_observers_add_columns_and_a_broken_one_ends_nothing(paths):
    calls: list[str] = []

    class Tracker:
        def started(self, manifest):
            calls.append(manifest["status"])

        def scored(self, record):
            return {"letters": float(len(record.sample))}

        def finished(self, manifest):
            calls.append(manifest["status"])

    class Broken(Tracker):
        def scored(self, record):
            raise RuntimeError("no network")

    done = run(plan_of(*paths, observers=(Tracker(), Broken())), Quiet(io.StringIO()))
    assert calls == ["running", "running", "finished"]
    assert all(record.extra == {"letters": 1.0} for record in done.records())
    assert "observer Broken, scored: RuntimeError: no network" in done.manifest.notes[0]


def test_a_metric_that_is_not_there_is_left_out_unless_the_task_ranks_by_it(paths):
    plan = plan_of(*paths, limit=2)
    metrics = dict(plan.metrics)
    del metrics["distance[mean]"]
    done = run(replace(plan, metrics=metrics))
    assert done.manifest.tasks["mending"].metrics == ("mse",)
    del metrics["mse"]
    with pytest.raises(ValueError, match="task 'mending' ranks by 'mse', which is not among"):
        replace(plan, metrics=metrics)


def test_the_same_method_twice_is_refused(paths):
    with pytest.raises(ValueError, match="method blocks is planned twice"):
        plan_of(*paths, methods=(method(Blocks), method(Blocks)))


def test_a_method_without_reconstruction_has_no_ceiling_and_says_so(paths):
    class Blind(Fine):
        card = replace(Fine.card, name="blind", capabilities=frozenset({"Restore"}))

    done = run(plan_of(*paths, methods=(method(Blind),)))
    assert "ceiling" not in {record.control for record in done.records()}
    reason = "does not answer Reconstruct requests"
    assert done.manifest.controls_left_out == (LeftOut("blind", "mending", "ceiling", reason),)


def test_images_of_several_sizes_are_tokenised_apart_and_exchanged_among_their_own(paths):
    shapes: list[tuple[int, ...]] = []

    class Sizes(Blocks):
        def tokenize(self, images, sizes):
            shapes.append(tuple(images.shape[2:]))
            assert sizes.tolist() == [list(images.shape[2:])] * len(images)
            return super().tokenize(images, sizes)

    def data(name):
        image = picture(name)
        return replace(image, pixels=image.pixels[:, :4]) if "query" in name else image

    task = PlannedTask(Naming(Ways()), lambda: data, 4)
    done = run(plan_of(*paths, tasks=(task,), methods=(method(Sizes),)))
    assert set(shapes) == {(8, 8), (4, 8)}
    assert not done.failed


@pytest.mark.parametrize("make", ["lines", "bars", "pipe", "quiet"])
def test_progress_is_shown_as_fits_the_place(paths, make):
    stream = io.StringIO()
    shown = {
        "lines": Lines(stream, every=0.0),
        "bars": RichBars(Console(file=stream, force_terminal=True, width=120)),
        "pipe": progress_for(stream, quiet=False),
        "quiet": progress_for(stream, quiet=True),
    }[make]
    run(plan_of(*paths), shown)
    text = stream.getvalue()
    match make:
        case "lines":
            assert "naming: 15/20 samples, " in text
            assert " left" in text
        case "pipe":
            assert "naming: 20 samples, 20 of them now, in " in text
        case "bars":
            assert "mending" in text
            assert "72/72" in text
        case "quiet":
            assert text == ""


def test_backbones_are_loaded_for_the_methods_that_name_them_alone(paths):
    class Alone(Blocks):
        card = replace(Blocks.card, backbones=())

    backbones = OneBackbone()
    done = run(plan_of(*paths, limit=2, methods=(method(Alone),), backbones=backbones))
    assert backbones.opened == {}
    assert done.manifest.backbones == {}
