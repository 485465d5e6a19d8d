"""Samples in columns are the samples that records are."""

import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored_records import RECORDS, record

from frostbench.bench.store.atomic import StoreError
from frostbench.bench.store.records import StoredCost
from frostbench.bench.store.schema import in_order, table_of
from frostbench.bench.store.sealed import write_sealed
from frostbench.bench.store.tables import Tables

TASK = ("naming", None)


def tables(*parts, lines=()):
    return Tables.of(list(parts), [table_of(list(lines))] if lines else [])


def looked_at(path):
    table = tables(path).table(*TASK)
    return table.scored, table.scores("a"), table.clusters(table.every)


def once(records):
    """Each key once, the first counts; by row and then by id."""
    found = {}
    for one in records:
        found.setdefault(one.key, one)
    return sorted(found.values(), key=lambda one: (one.method or "", one.control or "", one.sample))


@settings(max_examples=25)
@given(st.lists(RECORDS, max_size=12), st.lists(RECORDS, max_size=6))
def test_columns_say_what_records_say(tmp_path_factory, sealed, lines):
    path = tmp_path_factory.mktemp("run") / "x.parquet"
    write_sealed(path, sealed)
    found = tables(path, lines=lines)
    for task in ("inpainting", "naming"):
        for protocol in (None, "oracle_context"):
            mine = [r for r in (*sealed, *lines) if (r.task, r.protocol) == (task, protocol)]
            table = found.table(task, protocol)
            whole = table.records(table.every)
            assert sorted(whole, key=repr) == sorted(once(mine), key=repr)
            for who, places in table.rows.items():
                row = [whole[place] for place in places]
                assert {one.row for one in row} == {who}
                assert [one.sample for one in row] == sorted(one.sample for one in row)
                assert table.samples(places) == tuple(one.sample for one in row)
                assert table.clusters(places) == tuple(one.cluster for one in row)
                assert table.errors(places) == sorted({one.error for one in row} - {None})
            assert table.scored.tolist() == [one.status == "scored" for one in whole]
            assert table.has("pictures").tolist() == [bool(one.pictures) for one in whole]
            for name in {name for one in mine for name in one.scores} | {"none"}:
                scores = [one.scores.get(name, math.nan) for one in whole]
                np.testing.assert_array_equal(table.scores(name), scores)
            for name in {name for one in mine for name in one.matches}:
                places = np.flatnonzero(table.has("matches", name))
                values = table.values("matches", name, places)
                assert values == [whole[place].matches[name] for place in places]
            seconds = [one.cost.seconds for one in whole]
            assert table.numbers("cost.seconds").tolist() == seconds
            of_text = [one.prediction.kind == "text" for one in whole]
            assert table.where("prediction.kind", "text").tolist() == of_text


def test_counts_are_those_of_their_metric_and_others_are_refused(tmp_path):
    write_sealed(
        tmp_path / "x.parquet",
        [
            record("a", counts={"f1": (1.0, 2.0), "bleu": (3.0,)}),
            record("b", counts={"f1": (3.0, 4.0)}),
            record("c", counts={"f1": (5.0,)}),
        ],
    )
    table = tables(tmp_path / "x.parquet").table(*TASK)
    assert table.counts("f1", np.array([1, 0]), 2).tolist() == [[3.0, 4.0], [1.0, 2.0]]
    with pytest.raises(
        ValueError, match=r"sample 'c': f1 sums 2 finite counts; these are \(5.0,\)"
    ):
        table.counts("f1", table.every, 2)


def test_what_is_stored_twice_is_that_of_the_earlier_file(tmp_path):
    path = tmp_path / "x.parquet"
    write_sealed(path, [record("b"), record("a", scores={"a": 0.25})])
    late = [record("a", scores={"a": 0.75}), record("c")]
    table = tables(path, lines=late).table(*TASK)
    assert table.samples(table.every) == ("a", "b", "c")
    assert table.scores("a").tolist() == [0.25, 1.0, 1.0]


def test_rows_of_the_same_samples_share_their_ids(tmp_path):
    rows = [record(name, method=method) for method in ("v2l", "spae") for name in "abc"]
    write_sealed(tmp_path / "x.parquet", rows)
    table = tables(tmp_path / "x.parquet").table(*TASK)
    one, two = table.rows.values()
    assert table.samples(one) is table.samples(two)
    assert table.paired(one[1:], two[:2])[0].tolist() == [one[1]]


def test_of_many_groups_the_same_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("frostbench.bench.store.sealed.TOGETHER", 3)
    write_sealed(tmp_path / "x.parquet", [record(f"{n:02}", error=str(n % 4)) for n in range(10)])
    table = tables(tmp_path / "x.parquet").table(*TASK)
    assert pq.ParquetFile(tmp_path / "x.parquet").num_row_groups == 4
    assert table.errors(table.every) == ["0", "1", "2", "3"]
    assert [one.sample for one in table.records(np.array([9, 0, 4]))] == ["09", "00", "04"]
    assert table.first(np.arange(10) > 5, 2).tolist() == [6, 7]


@pytest.mark.parametrize(
    ("name", "column", "said"),
    [
        (
            "scores",
            pa.array([[("a", math.nan)]], pa.map_(pa.string(), pa.float64())),
            "score",
        ),
        ("status", pa.array(["good"]), "status is 'good' and none of failed, scored"),
        ("cluster", pa.array([None], pa.string()), "lacks 'cluster'"),
        ("method", pa.array(["x" * 5000]), "method is longer than 4096 characters"),
    ],
)
def test_a_column_of_a_stranger_is_refused_in_a_sentence(tmp_path, name, column, said):
    table = table_of([record()])
    table = table.set_column(table.schema.get_field_index(name), name, column)
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(StoreError, match=said) as caught:
        looked_at(tmp_path / "x.parquet")
    assert str(tmp_path / "x.parquet") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_put_anew_meanwhile_is_not_mixed_with_the_old_one(tmp_path):
    path = tmp_path / "x.parquet"
    write_sealed(path, [record("a"), record("b")])
    table = tables(path).table(*TASK)
    write_sealed(path, [record("b", scores={"a": 0.0})])
    with pytest.raises(StoreError, match="changed while it was read"):
        table.scores("a")


@given(st.data())
def test_rows_come_in_the_order_that_is_asked_for(data):
    counts = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    names = iter("abcdefghijklmnop")
    parts = [[record(next(names)) for _ in range(count)] for count in counts]
    every = [one for part in parts for one in part]
    rows = data.draw(st.permutations(range(len(every))))
    made = in_order([table_of(part) for part in parts], np.array(rows))
    assert pa.concat_tables(made).column("sample").to_pylist() == [every[r].sample for r in rows]


def test_costs_that_nobody_measured_are_none(tmp_path):
    costs = [StoredCost(seconds=0.5, joules=2.0), StoredCost(seconds=1.5, peak_bytes=1 << 40)]
    records = [replace(record(name), cost=cost) for name, cost in zip("ab", costs, strict=True)]
    write_sealed(tmp_path / "x.parquet", records)
    table = tables(tmp_path / "x.parquet").table(*TASK)
    assert table.numbers("cost.seconds").tolist() == [0.5, 1.5]
    np.testing.assert_array_equal(table.numbers("cost.joules"), [2.0, math.nan])
    np.testing.assert_array_equal(table.numbers("cost.peak_bytes"), [math.nan, 1 << 40])
