"""The manifest as a type: what is written is read, also what older code wrote."""

import dataclasses
import json
import typing
from pathlib import Path
from types import UnionType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runner_world import plan_of

from frostbench.bench.leaderboard.numbers import format_of
from frostbench.bench.runner.run import run
from frostbench.bench.store.atomic import StoreError
from frostbench.bench.store.manifest import ControlEntry, LastSession, Manifest, TokenizerCounts
from frostbench.bench.store.migration import SCHEMA
from frostbench.bench.store.reader import open_run, read_manifest
from frostbench.bench.store.typed import BlobName, typed

OLD = json.loads((Path(__file__).parent / "data" / "manifest-schema-0.json").read_text())

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=3,
)


def values_of(kind):
    """Any value of a type that a manifest's fields have."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if kind is typing.Any:
        return plain
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind, include_extras=True)
        return st.builds(kind, **{name: values_of(hint) for name, hint in hints.items()})
    if kind == BlobName:
        return st.binary(min_size=32, max_size=32).map(bytes.hex)
    if origin is typing.Annotated:
        return values_of(parts[0])
    if origin in (UnionType, typing.Union):
        return st.none() | values_of(parts[0])
    if origin is typing.Literal:
        return st.sampled_from(parts)
    if origin is tuple:
        return st.lists(values_of(parts[0]), max_size=2).map(tuple)
    if origin is not None:
        return st.dictionaries(st.text(max_size=3), values_of(parts[1]), max_size=2)
    return {
        str: st.text(max_size=3),
        int: st.integers(-(1 << 63), (1 << 63) - 1),
        float: st.floats(allow_nan=False, allow_infinity=False),
        bool: st.booleans(),
    }[kind]


@settings(max_examples=60)
@given(values_of(Manifest))
def test_what_is_written_is_read(manifest):
    assert typed(Manifest, json.loads(json.dumps(manifest.to_json()))) == manifest


def test_a_run_s_manifest_comes_back_from_its_file(tmp_path):
    done = run(plan_of(tmp_path / "run", tmp_path / "tokens", limit=2))
    values = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert values["schema"] == SCHEMA
    assert json.loads(json.dumps(done.manifest.to_json())) == values
    assert Manifest.from_json(values) == done.manifest


def test_a_manifest_without_a_schema_is_read_with_the_facts_that_stood_in_its_names():
    manifest = Manifest.from_json(OLD)
    assert (manifest.schema, manifest.contract) == (SCHEMA, "")
    metrics = manifest.metrics
    shown = {name: format_of(metric).with_unit(0.5) for name, metric in metrics.items()}
    assert shown["cider-d[corpus]"] == "0.500 of 10"
    assert shown["bleu-4[corpus]"] == shown["accuracy[pope]"] == "50.0 %"
    assert shown["psnr[rgb]"] == "0.50 dB"
    assert shown["ssim[rgb]"] == shown["clip_score[mini]"] == "0.500"
    through = {name: metric.networks for name, metric in metrics.items() if metric.networks}
    assert through == {
        "lpips[mini]": ("perceptual",),
        "clip_score[mini]": ("clip",),
        "clip_score_relative[mini]": ("clip", "llm"),
    }
    directions = {name: metric.direction for name, metric in metrics.items()}
    assert {name for name, one in directions.items() if one == "neither"} == {"yes[pope]"}
    assert {name for name, one in directions.items() if one == "lower"} == {"lpips[mini]"}
    pooled = {metric.pooling: name for name, metric in metrics.items() if metric.counted}
    assert pooled == {"bleu": "bleu-4[corpus]", "ratio": "yes[pope]"}
    assert [name for name, metric in metrics.items() if metric.corpus] == ["cider-d[corpus]"]
    controls = manifest.tasks["denoising"].controls
    copied = OLD["tasks"]["denoising"]["controls"]["copy"]
    assert controls["copy"] == ControlEntry(copied, ceiling=False, drawn=True)
    assert controls["ceiling"].ceiling
    counts = {name: TokenizerCounts(**tally) for name, tally in OLD["tokenizer"].items()}
    assert manifest.tokenizer == counts
    assert manifest.identity == OLD["identity"]


def test_a_manifest_of_the_first_minute_is_read():
    begun = Manifest.from_json({**OLD, "last_session": {}, "backbones": {}})
    assert begun.last_session == LastSession()


def downgraded(path):
    """The manifest of a run as it was written before it had a schema."""
    values = json.loads(path.read_text())
    del values["schema"], values["contract"]
    for metric in values["metrics"].values():
        pooling, direction = metric.pop("pooling"), metric.pop("direction")
        metric["higher_is_better"] = direction != "lower"
        metric["set"] = pooling == "features"
        metric["pooling"] = pooling if pooling in ("ratio", "bleu") else None
        for fact in ("id", "percent", "networks"):
            del metric[fact]
    for task in values["tasks"].values():
        del task["name"]
        task["controls"] = {name: control["meaning"] for name, control in task["controls"].items()}
    path.write_text(json.dumps(values))


def test_an_older_run_grows_and_says_then_which_contract_it_has(tmp_path):
    plan = plan_of(tmp_path / "run", tmp_path / "tokens", limit=3)
    before = run(plan)
    downgraded(tmp_path / "run" / "manifest.json")
    assert open_run(tmp_path / "run").manifest.tasks == before.manifest.tasks
    assert open_run(tmp_path / "run").manifest.metrics == before.manifest.metrics
    samples = len(before.records())
    grown = run(plan_of(tmp_path / "run", tmp_path / "tokens", limit=6))
    assert len(grown.records()) == 2 * samples
    assert grown.manifest.contract == before.manifest.contract != ""
    assert grown.manifest.tasks["naming"].grown_from == (3,)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"schema": 99}, rf"schema is 99, and this frostbench reads those up to {SCHEMA}: install"),
        ({"schema": "new"}, "its schema is 'new'"),
        ({"metrics": None}, "it lacks 'metrics'"),
        ({"status": "bored"}, "status is 'bored' and none of running, finished, failed"),
        ({"seed": "x"}, "seed is 'x' and no int"),
        ({"tasks": 3}, "a part of it is no mapping"),
        ({"methods": {"v2l": {"status": "ok"}}}, "it lacks 'methods.v2l.title'"),
        ({"notes": "none"}, "notes is 'none' and no tuple"),
        ({"seconds": "long"}, "seconds is 'long' and no float"),
        ({"metrics": {}}, r"its task '\w+' has metrics that it does not describe: .*; there are"),
    ],
)
def test_what_is_no_manifest_is_refused_in_a_sentence(tmp_path, changes, sentence):
    values = {**OLD, **changes}
    kept = {key: value for key, value in values.items() if value is not None or key != "metrics"}
    (tmp_path / "manifest.json").write_text(json.dumps(kept))
    with pytest.raises(StoreError, match=rf"manifest.json cannot be read: .*{sentence}") as told:
        read_manifest(tmp_path)
    assert "\n" not in str(told.value)
    assert str(told.value).endswith(".")
