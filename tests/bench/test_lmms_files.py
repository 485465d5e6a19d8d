"""Files that pass between lmms-eval and us: generated tasks, documents, results."""

import json
from pathlib import Path

import lmms_files
import pytest

from frostbench.bench.cli import main
from frostbench.bench.lmms.definition import definition_of, document_id
from frostbench.bench.lmms.tasks.documents import files_by_split, find
from frostbench.bench.lmms.version import LmmsError
from frostbench.bench.store.manifest import Manifest
from frostbench.bench.store.reader import open_run
from frostbench.bench.store.writer import RunWriter


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


def test_our_tasks_are_written_one_a_protocol_with_our_metrics(tmp_path):
    tasks = "tasks=object_hallucination,referring_segmentation"
    assert main(["lmms-tasks", tasks, "limit=2", "seed=3", "out=ours"]) == 0
    names = {path.stem for path in Path("ours").glob("*.yaml")} - {"frostbench"}
    assert names == {
        *(f"frostbench_object_hallucination_{one}" for one in ("random", "popular", "adversarial")),
        *(f"frostbench_referring_segmentation_{one}" for one in ("standard", "official")),
    }
    text = Path("ours/frostbench_object_hallucination_random.yaml").read_text()
    assert '- metric: "f1[pope]"\n    aggregation: !function ' in text
    assert "suites.aggregates.of_ratio\n    higher_is_better: true" in text
    line = json.loads(Path("ours/frostbench_object_hallucination_random.jsonl").read_text())
    config = json.loads(line["config"])
    assert (config["seed"], config["limit"], line["protocol"]) == (3, 2, "random")
    group = Path("ours/frostbench.yaml").read_text()
    assert all(f"- {name}\n" in group for name in names)
    # Written again in its own folder, and in no other.
    assert main(["lmms-tasks", "tasks=object_hallucination", "limit=1", "out=ours"]) == 0
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "mine.txt").write_text("mine")
    assert main(["lmms-tasks", "tasks=object_hallucination", "out=photos"]) == 2


def test_what_the_tasks_name_is_there():
    from importlib import import_module

    assert main(["lmms-tasks", "limit=1", "out=ours"]) == 0
    served = import_module("frostbench.bench.lmms.suites.served")
    aggregates = import_module("frostbench.bench.lmms.suites.aggregates")
    named = {
        line.rsplit(".", 1)[1]
        for path in Path("ours").glob("*.yaml")
        for line in path.read_text().splitlines()
        if "!function" in line
    }
    assert all(hasattr(served, name) or hasattr(aggregates, name) for name in named)
    assert {"of_mean", "of_ratio", "of_bleu", "of_features", "of_average_precision"} <= named


def test_a_users_data_set_is_named_from_the_root_on(tmp_path):
    lmms_files.shade(9).resize((80, 80)).save(tmp_path / "a.png")
    words = ["tasks=reconstruction", f"data.images=images:{'.'}", "limit=1", "out=ours"]
    assert main(["lmms-tasks", *words]) == 0
    line = json.loads(Path("ours/frostbench_reconstruction.jsonl").read_text())
    assert json.loads(line["config"])["data"] == {"images": f"images:{tmp_path}"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tasks=inpainting"], "which folder"),
        (["tasks=lmms:pope", "out=ours"], "its own tasks already"),
        (["pope", "out=ours"], "KEY=VALUE"),
    ],
)
def test_tasks_that_cannot_be_written_are_said(words, said, capsys):
    assert main(["lmms-tasks", *words]) == 2
    assert said in capsys.readouterr().err


def test_its_tasks_are_refused_where_it_is_not_installed(monkeypatch, capsys):
    from frostbench.bench.lmms import version as versions

    def nothing(name):
        raise versions.PackageNotFoundError(name)

    monkeypatch.setattr(versions, "version", nothing)
    assert main(["run", "tasks=lmms:pope", "methods=v2l", "out=run"]) == 2
    assert "pip install 'frostbench[lmms]'" in capsys.readouterr().err
    assert not Path("run").exists()


@pytest.mark.parametrize(
    "place",
    [
        "pope/a.parquet",
        "POPE/data/test.parquet",
        "lmms-lab-encoder/POPE/data/test.parquet",
        "datasets--lmms-lab-encoder--POPE/snapshots/abc/data/test.parquet",
        "datasets--lmms-lab--POPE/snapshots/abc/test.jsonl",
        "test.parquet",
    ],
)
def test_documents_are_found_as_the_hub_or_the_task_calls_them(place, tmp_path):
    file = tmp_path / "data" / place
    file.parent.mkdir(parents=True)
    file.touch()
    found = find(tmp_path / "data", "pope", "lmms-lab-encoder/POPE")
    assert file.is_relative_to(found)
    assert files_by_split(found, "pope", None, ["test"])[1] == {"test": [str(file)]}


def test_files_go_to_the_splits_and_configurations_that_their_names_say(tmp_path):
    for name in ("Full/random-00000.parquet", "Full/popular-00000.parquet", "Few/random-0.parquet"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    kind, files = files_by_split(tmp_path, "pope_random", "Full", ["random", "train"])
    assert kind == "parquet"
    assert files == {"random": [str(tmp_path / "Full" / "random-00000.parquet")]}
    with pytest.raises(LmmsError, match=r"holds no file of documents"):
        files_by_split(tmp_path / "none", "pope", None, ["test"])


def test_what_is_nowhere_is_said_with_where_it_would_be_read(tmp_path):
    with pytest.raises(LmmsError, match=r"which is not in the Hub's cache .*Nothing is downloaded"):
        find(None, "pope", "lmms-lab-encoder/POPE")


CONFIG = {
    "task": "pope",
    "output_type": "generate_until",
    "metric_list": [{"metric": "acc", "aggregation": "<function mean at 0x7f01>"}],
    "dataset_path": "parquet",
}


def test_a_definition_does_not_depend_on_addresses_or_places():
    moved = json.loads(json.dumps(CONFIG).replace("0x7f01", "0x9999").replace("parquet", "hub"))
    assert definition_of(CONFIG, "0.7.3") == definition_of(moved, "0.7.3")
    assert definition_of(CONFIG, "0.7.3") != definition_of(CONFIG, "0.7.2")
    other = {**CONFIG, "filter_list": [{"name": "none"}]}
    assert definition_of(CONFIG, "0.7.3") != definition_of(other, "0.7.3")
    assert (
        document_id(3, " a?\n", "yes") == document_id(3, "a?", "yes") != document_id(3, "a?", "no")
    )


def results(folder, scores=(1.0, 0.0, 1.0, 1.0), question="Is it {}?", **more):
    """Files as lmms-eval writes them, of one task with a mean and a number of its own."""
    folder.mkdir(exist_ok=True)
    values = {"alias": "pope", "acc,none": sum(scores) / len(scores), "acc_stderr,none": 0.1}
    content = {
        "results": {"pope": {**values, "f1,none": 0.25}},
        "configs": {"pope": CONFIG},
        "higher_is_better": {"pope": {"acc": True, "f1": True}},
        "lmms_eval_version": "unknown@unknown",
        "model_name": "qwen/2",
        "date": "20261120_101010",
        **more,
    }
    lines = [
        {
            "doc_id": number,
            "target": "yes",
            "filtered_resps": "yes" if score else "no",
            "input": question.format(number),
            "acc": score,
            "f1": {"said": score},
        }
        for number, score in enumerate(scores)
    ]
    path = folder / "20261120_101010_results.json"
    path.write_text(json.dumps(content))
    samples = folder / "20261120_101010_samples_pope.jsonl"
    samples.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def as_ours(source, out):
    """The run as if we had measured it, with two samples an image."""
    run = open_run(source)
    writer = RunWriter(out)
    values = {**run.manifest.to_json(), "imported": ""}
    records = [
        type(one).from_json({**one.to_json(), "cluster": str(number // 2)})
        for number, one in enumerate(sorted(run.records(), key=lambda one: one.sample))
    ]
    writer.append(records)
    writer.write_manifest(Manifest.from_json(values))


def rows_of(*runs):
    assert main(["leaderboard", *runs, "out=board"]) == 0
    return json.loads(Path("board/leaderboard.json").read_text())["rows"]


def test_results_become_rows_of_their_own_kind_without_intervals(tmp_path, capsys):
    assert main(["import", str(results(tmp_path / "logs"))]) == 0
    rows = rows_of("runs/imported/qwen_2")
    assert [(row["kind"], row["metric"], row["value"]) for row in rows] == [
        ("imported", "acc[lmms]", 0.75),
        ("imported", "f1[lmms]", 0.25),
    ]
    assert all(row["low"] is None and row["rank"] is None and row["cost"] is None for row in rows)
    assert main(["show", "runs/imported/qwen_2", "all=true"]) == 0
    shown = capsys.readouterr().out
    assert "qwen_2 (imported)" in shown
    assert "nothing of it was computed here" in " ".join(shown.split())


def test_rows_are_ranked_with_ours_only_where_documents_and_metric_are_the_same(tmp_path):
    path = str(results(tmp_path / "logs"))
    assert main(["import", path, "version=0.7.3", "out=one"]) == 0
    as_ours(Path("one"), Path("ours"))
    worse = results(tmp_path / "worse", scores=(0.0, 0.0, 1.0, 0.0))
    assert main(["import", str(worse), "version=0.7.3", "model=worse", "out=two"]) == 0
    rows = [row for row in rows_of("ours", "two") if row["metric"] == "acc[lmms]"]
    assert [row["rank"] for row in rows] == [{"low": 1, "high": 2}] * 2
    assert len({row["identity"] for row in rows}) == 1

    asked = results(tmp_path / "asked", question="Is there {}?")
    for out, words in (
        ("other_version", [path, "version=0.7.2"]),
        ("no_version", [path]),
        ("other_documents", [str(asked), "version=0.7.3"]),
        ("fewer", [str(results(tmp_path / "few", scores=(1.0, 0.0))), "version=0.7.3"]),
    ):
        assert main(["import", *words, f"out={out}"]) == 0
        rows = [row for row in rows_of("ours", out) if row["metric"] == "acc[lmms]"]
        assert len({row["identity"] for row in rows}) == 2, out
        assert [row["rank"] for row in rows if row["kind"] == "imported"] == [None], out


def test_a_sample_that_was_not_answered_is_a_failed_one(tmp_path):
    path = results(tmp_path / "logs")
    samples = path.with_name("20261120_101010_samples_pope.jsonl")
    *lines, last = samples.read_text().splitlines()
    gone = {**json.loads(last), "filtered_resps": "[frostbench has no answer] it has no image."}
    del gone["acc"], gone["f1"]
    samples.write_text("\n".join([*lines, json.dumps(gone)]))
    assert main(["import", str(path), "out=one"]) == 0
    (failed,) = (one for one in open_run(Path("one")).records() if one.status == "failed")
    assert failed.error == "it has no image."


def test_results_that_cannot_be_read_are_said_in_one_sentence(tmp_path, capsys):
    alone = results(tmp_path / "alone")
    alone.with_name("20261120_101010_samples_pope.jsonl").unlink()
    torn = results(tmp_path / "torn")
    torn.with_name("20261120_101010_samples_pope.jsonl").write_text('{"doc_id": 0}\n{"doc')
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "other.json").write_text("{}")
    for path, said in (
        (alone, "--log_samples writes one"),
        (torn, "line 2"),
        (tmp_path / "list.json", "no file of results"),
        (tmp_path / "other.json", "no results and configs"),
        (tmp_path / "none.json", "there is no file"),
    ):
        assert main(["import", str(path)]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert len(error.splitlines()) == 1
    assert main(["import", str(results(tmp_path / "logs")), "out=alone"]) == 2
    assert "holds something else" in capsys.readouterr().err
