"""What a run finds in its folder: what may be added to, what is refused, what is done again."""

import contextlib
import json
import shutil
from dataclasses import replace

import pytest
from runner_world import SQUARES, by_id, plain, plan_of

from frostbench.bench.runner import manifest as runner_manifest
from frostbench.bench.runner.rescore import score
from frostbench.bench.runner.run import run
from frostbench.bench.store.atomic import StoreError
from frostbench.bench.store.manifest import Origin, PackEntry
from frostbench.bench.store.reader import open_run
from frostbench.bench.store.sealed import read_sealed


@pytest.fixture
def plan(tmp_path):
    return plan_of(tmp_path / "run", tmp_path / "tokens", limit=3)


def with_origin(plan, kind, name, **changes):
    origin = Origin("plugin", "package", "1.0", "", "ab" * 32)
    known = {kind: {name: replace(origin, **changes)}}
    return replace(plan, facts=replace(plan.facts, origins=known))


def test_each_record_says_what_made_it_and_on_which_machine(plan):
    done = run(plan)
    records = done.records()
    assert {r.machine for r in records} == set(done.manifest.machines)
    assert done.manifest.hardware.threads > 0
    makers = {(r.task, r.method): r.made_by for r in records if r.control is None and r.method}
    assert len(set(makers.values())) == len(makers) == 3
    assert all(len(maker) == 12 for maker in makers.values())


@pytest.mark.parametrize("kind", ["method", "task", "metric", "data set", "engine"])
@pytest.mark.parametrize("changes", [{"version": "1.1"}, {"code": "cd" * 32}])
def test_a_part_from_another_plugin_is_refused_and_done_anew_when_asked(plan, kind, changes):
    before = plain(run(with_origin(plan, kind, "blocks")))
    again = run(with_origin(plan, kind, "blocks"))
    assert again.manifest.last_session.samples == 0
    other = with_origin(plan, kind, "blocks", **changes)
    said = rf"origins\.{kind}\.blocks\.{next(iter(changes))} was .*again=true"
    with pytest.raises(StoreError, match=said):
        run(other)
    assert plain(open_run(plan.out)) == before
    anew = run(replace(other, again=True))
    assert anew.manifest.last_session.samples == len(before)
    assert run(other).manifest.last_session.samples == 0


def test_a_control_may_join_a_run_but_not_change_in_it(plan):
    run(with_origin(plan, "control", "copy"))
    joined = with_origin(plan, "control", "copy")
    more = {"control": {**joined.facts.origins["control"], "new": Origin("plugin")}}
    assert run(replace(plan, facts=replace(plan.facts, origins=more))).manifest.origins == more
    with pytest.raises(StoreError, match=r"control\.copy\.version was '1\.0' and is now '2\.0'"):
        run(with_origin(plan, "control", "copy", version="2.0"))


@pytest.mark.parametrize("package", ["torch", "transformers"])
def test_other_versions_are_refused(plan, monkeypatch, package):
    run(plan)
    known = runner_manifest.versions()
    monkeypatch.setattr(runner_manifest, "versions", lambda: {**known, package: "99"})
    with pytest.raises(StoreError, match=rf"versions\.{package} was .* and is now '99'"):
        run(plan)


def test_another_frostbench_is_refused(plan):
    run(plan)
    with pytest.raises(StoreError, match=r"frostbench was '0' and is now '9'"):
        run(replace(plan, facts=replace(plan.facts, frostbench="9")))


def test_other_hardware_is_noted_and_never_refused(plan, monkeypatch):
    first = run(plan).manifest
    other = replace(first.hardware, threads=first.hardware.threads + 3)
    monkeypatch.setattr(runner_manifest, "hardware", lambda device: other)
    grown = run(plan_of(plan.out, plan.tokens, limit=6))
    assert len(grown.manifest.machines) == 2
    assert {r.machine for r in grown.records()} == set(grown.manifest.machines)
    assert any("seconds cannot be compared" in note for note in grown.manifest.notes)


def test_samples_without_a_manifest_are_not_added_to(plan):
    before = plain(run(plan))
    (plan.out / "manifest.json").unlink()
    for changed in (plan, replace(plan, seed=1)):
        with pytest.raises(StoreError, match=r"samples and no manifest\.json.*again=true"):
            run(changed)
    assert plain(run(replace(plan, again=True))) == before


def test_samples_of_another_run_that_were_moved_in_are_refused(plan, tmp_path):
    run(plan)
    other = replace(plan, out=tmp_path / "other", facts=replace(plan.facts, frostbench="9"))
    run(other)
    shutil.copy(other.out / "manifest.json", plan.out / "manifest.json")
    with pytest.raises(StoreError, match=r"\d+ samples in .* were made by something else"):
        run(replace(other, out=plan.out))


def test_again_forgets_the_run_and_leaves_strangers_files(plan):
    before = plain(run(plan))
    (plan.out / "blobs" / "mine.txt").write_text("x")
    (plan.out / "thesis.tex").write_text("x")
    seeded = replace(plan, seed=1, again=True, limit=2)
    assert plain(run(seeded)) != before
    assert (plan.out / "thesis.tex").exists()
    assert open_run(plan.out).manifest.seed == 1


def test_a_run_of_an_older_frostbench_is_read_and_not_added_to(plan):
    before = plain(run(plan))
    path = plan.out / "manifest.json"
    values = json.loads(path.read_text())
    for name in ("versions", "frostbench", "files", "origins"):
        del values["identity"][name]
    path.write_text(json.dumps(values))
    assert plain(open_run(plan.out)) == before
    with pytest.raises(StoreError, match=r"a run of an older frostbench.*again=true"):
        run(plan)
    assert plain(run(replace(plan, again=True))) == before


@pytest.mark.parametrize("damage", ["removed", "truncated"])
def test_a_sealed_file_that_is_not_whole_is_computed_again_and_said(plan, damage):
    before = plain(run(plan))
    sealed = plan.out / "sealed" / "naming.parquet"
    content = sealed.read_bytes()
    sealed.unlink()
    if damage == "truncated":
        sealed.write_bytes(content[: len(content) // 2])
    mended = run(plan)
    assert plain(mended) == before
    lost = sum(line["task"] == "naming" for line in before)
    assert mended.manifest.last_session.samples == lost
    assert mended.manifest.tasks["naming"].complete
    assert any("naming" in note and "computed again" in note for note in mended.manifest.notes)
    assert run(plan).manifest.last_session.samples == 0


def test_a_byte_that_changed_in_a_sealed_file_is_never_another_record(plan):
    run(plan)
    sealed = plan.out / "sealed" / "naming.parquet"
    content, before = sealed.read_bytes(), read_sealed(sealed)
    for place in range(4, len(content), len(content) // 150):
        changed = bytearray(content)
        changed[place] ^= 0x55
        sealed.write_bytes(changed)
        with contextlib.suppress(OSError, ValueError):
            assert read_sealed(sealed) == before, place


def test_a_pack_of_other_bytes_is_refused(plan):
    run(plan)
    facts = replace(plan.facts, pack=PackEntry("world", "", "1" * 64))
    with pytest.raises(StoreError, match=r"pack was '0{12}\.\.\.' and is now '1{12}\.\.\.'"):
        run(replace(plan, facts=facts))


def test_a_run_that_was_scored_by_another_metric_goes_on_under_it(plan):
    began = with_origin(plan, "metric", "mse")
    run(began)
    now = with_origin(plan, "metric", "mse", code="cd" * 32)
    score(plan.out, by_id(SQUARES), None, now.facts.origins["metric"])
    assert open_run(plan.out).manifest.origins == now.facts.origins
    assert run(now).manifest.last_session.samples == 0
    with pytest.raises(StoreError, match=r"origins\.metric\.mse\.code was"):
        run(began)
