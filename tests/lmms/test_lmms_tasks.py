"""Tasks of lmms-eval as ours, and its results beside ours."""

import json
from pathlib import Path

import lmms_files
import pytest
from evaluating import evaluated

from frostbench.bench.cli import main
from frostbench.bench.store.reader import open_run

pytestmark = [pytest.mark.lmms, pytest.mark.filterwarnings("default")]

WORDS = (f"plugins={lmms_files.PLUGIN}", "methods=bright", "quiet=true")


def rows_of(folder):
    assert main(["leaderboard", *map(str, folder), "out=board"]) == 0
    return json.loads(Path("board/leaderboard.json").read_text())["rows"]


def value(rows, task, metric, kind="measured", method="bright"):
    (found,) = (
        row["value"]
        for row in rows
        if (row["task"], row["metric"], row["kind"], row["method"]) == (task, metric, kind, method)
    )
    return found


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return lmms_files.folder(tmp_path_factory.mktemp("files"), images=6)


@pytest.fixture(scope="module")
def run(files, tmp_path_factory):
    """A method on three tasks of lmms-eval, by our command."""
    out = tmp_path_factory.mktemp("run") / "run"
    tasks = "tasks=lmms:pope,lmms:mme,lmms:ai2d"
    assert main(["run", *WORDS, tasks, f"data.lmms={files}", "limit=50", f"out={out}"]) == 0
    return out


@pytest.fixture(scope="module")
def theirs(files, tmp_path_factory):
    """The same method on the same tasks, by lmms-eval."""
    from frostbench.bench.lmms.tasks.loaded import index

    places = {"pope": "POPE", "mme": "MME", "ai2d": "ai2d"}
    tasks = [
        {
            "task": name,
            "dataset_path": "parquet",
            "dataset_name": None,
            "dataset_kwargs": {"data_files": {"test": str(*files.rglob(f"{place}/data/*"))}},
        }
        for name, place in places.items()
    ]
    folder = tmp_path_factory.mktemp("theirs")
    named = {"method": "bright", "plugins": lmms_files.PLUGIN}
    return evaluated("frostbench", tasks, index(), folder, **named)


def test_both_benches_give_the_same_numbers_to_the_last_digit(run, theirs):
    rows, (results, _) = rows_of([run]), theirs
    for task, metric, name in (
        ("pope", "pope_accuracy", "pope_accuracy[lmms]"),
        ("pope", "pope_f1_score", "pope_f1[lmms]"),
        ("pope", "pope_recall", "pope_recall[lmms]"),
        ("pope", "pope_yes_ratio", "pope_yes_ratio[lmms]"),
        ("mme", "mme_perception_score", "mme_perception[lmms]"),
        ("mme", "mme_cognition_score", "mme_cognition[lmms]"),
    ):
        assert value(rows, f"lmms:{task}", name) == results[task][f"{metric},none"]
    filtered = results["ai2d"]["exact_match,flexible-extract"]
    assert value(rows, "lmms:ai2d", "exact_match[lmms-flexible-extract]") == filtered


def test_controls_intervals_and_pictures_are_ours(run):
    rows = rows_of([run])
    controls = {(row["task"], row["control"]) for row in rows if row["kind"] == "control"}
    for task in ("lmms:pope", "lmms:mme", "lmms:ai2d"):
        assert {(task, "chance"), (task, "no_image"), (task, "other_image")} <= controls
    accuracy = [row for row in rows if row["metric"] == "pope_accuracy[lmms]"]
    assert any(row["low"] is not None for row in accuracy if row["control"])
    assert all(row["rank"] for row in accuracy if row["kind"] == "measured")
    assert any(record.pictures for record in open_run(run).records())


def test_a_run_is_scored_again_and_verified(run, capsys):
    assert main(["score", str(run)]) == 0
    assert main(["verify", str(run), f"plugins={lmms_files.PLUGIN}"]) == 0, capsys.readouterr().out


def test_workers_open_the_tasks_by_themselves(files, run, tmp_path):
    out = tmp_path / "two"
    words = [*WORDS, "tasks=lmms:mme", f"data.lmms={files}", "limit=50", "workers=2", "chunk=4"]
    assert main(["run", *words, f"out={out}"]) == 0
    one, two = rows_of([run]), rows_of([out])
    metric = "lmms:mme", "mme_perception[lmms]"
    assert value(one, *metric) == value(two, *metric)


def test_its_results_stand_beside_ours_and_are_ranked_where_all_is_the_same(run, theirs, tmp_path):
    _, path = theirs
    words = ["import", str(path), "model=twin", f"out={tmp_path / 'in'}"]
    assert main([*words, "version=0.7.3"]) == 0
    rows = [row for row in rows_of([run, tmp_path / "in"]) if row["task"] == "lmms:pope"]
    ours = next(row for row in rows if row["kind"] == "measured")
    twin = next(row for row in rows if row["kind"] == "imported")
    assert twin["value"] == ours["value"]
    assert twin["identity"] == ours["identity"]
    assert twin["rank"] == ours["rank"] == {"low": 1, "high": 2}
    assert twin["low"] is None
    assert twin["cost"] is None
    # Without the version of lmms-eval nobody knows that the metric is the same.
    assert main(words) == 0
    rows = [row for row in rows_of([run, tmp_path / "in"]) if row["task"] == "lmms:pope"]
    twin = next(row for row in rows if row["kind"] == "imported")
    assert twin["identity"] != ours["identity"]
    assert twin["rank"] is None


def test_other_documents_are_not_ranked_together(files, theirs, tmp_path):
    _, path = theirs
    assert main(["import", str(path), f"out={tmp_path / 'in'}", "version=0.7.3"]) == 0
    few = ["tasks=lmms:pope", f"data.lmms={files}", "limit=4", f"out={tmp_path / 'few'}"]
    assert main(["run", *WORDS, *few]) == 0
    rows = [
        row for row in rows_of([tmp_path / "few", tmp_path / "in"]) if row["task"] == "lmms:pope"
    ]
    assert len({row["identity"] for row in rows if row["metric"] == "pope_accuracy[lmms]"}) == 2
    assert all(row["rank"] is None for row in rows if row["kind"] == "imported")


def our_pope(folder):
    """The same questions about the same images, in the layout of POPE's own repository."""
    lines, images = [], folder / "val2014"
    images.mkdir(parents=True)
    for number, row in enumerate(lmms_files.pope(6)):
        name = f"{number // 2}.png"
        row["image"].save(images / name)
        entry = {"question_id": number, "image": name, "text": row["question"]}
        lines.append(json.dumps({**entry, "label": row["answer"]}))
    for protocol in ("random", "popular", "adversarial"):
        (folder / f"coco_pope_{protocol}.json").write_text("\n".join(lines))
    words = ["tasks=object_hallucination", f"data.pope_coco={folder}", "limit=50"]
    return [*words, "task.object_hallucination.protocols=random"]


def test_a_real_method_answers_both_alike_where_both_ask_alike(files, tmp_path):
    words = ["methods=flmm", "controls=false", "quiet=true", "limit=50"]
    assert main(["run", *our_pope(tmp_path / "pope"), *words, "out=ours"]) == 0
    asked = ["tasks=lmms:pope", f"data.lmms={files}", "task.lmms:pope.plain=true"]
    assert main(["run", *asked, *words, "out=via"]) == 0
    said = [
        [one.prediction.text for one in sorted(open_run(Path(name)).records(), key=sample_of)]
        for name in ("ours", "via")
    ]
    assert said[0] == said[1]
    assert len(said[0]) == 12


def sample_of(record):
    return record.sample


def test_our_pope_over_the_same_files_gives_the_same(run, theirs, tmp_path):
    out = tmp_path / "ours"
    assert main(["run", *WORDS, *our_pope(tmp_path / "pope"), f"out={out}"]) == 0
    ours, via, (results, path) = rows_of([out]), rows_of([run]), theirs
    for own, lmms in (("accuracy", "accuracy"), ("f1", "f1"), ("precision", "precision")):
        mine = value(ours, "object_hallucination", f"{own}[pope]")
        # F1 is another formula of the same counts, which may round otherwise.
        alike = pytest.approx(mine, rel=1e-15) if own == "f1" else mine
        assert value(via, "lmms:pope", f"pope_{lmms}[lmms]") == alike
        stem = "pope_f1_score" if lmms == "f1" else f"pope_{lmms}"
        assert results["pope"][f"{stem},none"] == alike
    # lmms-eval's own `pope_yes_ratio` counts the true answers; the share of yes is in its samples.
    samples = path.with_name(path.name.replace("results.json", "samples_pope.jsonl"))
    said = [json.loads(line)["filtered_resps"] for line in samples.read_text().splitlines()]
    assert value(ours, "object_hallucination", "yes[pope]") == said.count("yes") / len(said)


def test_nothing_is_downloaded_and_the_sentence_says_where_to_put_it(tmp_path, capsys):
    assert main(["run", *WORDS, "tasks=lmms:pope", f"out={tmp_path / 'run'}"]) == 2
    said = capsys.readouterr().err
    assert "lmms-lab-encoder/POPE" in said
    assert "data.lmms=FOLDER" in said
    assert "Nothing is downloaded." in said


def test_the_hubs_cache_is_read_where_no_folder_is_named(files, tmp_path, monkeypatch):
    cache = tmp_path / "hub" / "datasets--lmms-lab-encoder--POPE" / "snapshots" / "abc"
    cache.parent.mkdir(parents=True)
    cache.symlink_to(files / lmms_files.OWNER / "POPE")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    out = tmp_path / "run"
    assert main(["run", *WORDS, "tasks=lmms:pope", "limit=4", f"out={out}"]) == 0
    assert len(open_run(out).records()) == 16


@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        ("lmms:popes", "Did you mean 'pope'"),
        ("lmms:hellaswag", "Nothing is downloaded"),
        ("lmms:vbench", "lmms:"),
    ],
)
def test_a_task_that_cannot_be_asked_is_said_in_one_sentence(task, sentence, tmp_path, capsys):
    assert main(["run", *WORDS, f"tasks={task}", f"out={tmp_path / 'run'}"]) == 2
    (said,) = capsys.readouterr().err.strip().splitlines()
    assert sentence in said


def test_a_task_that_loads_its_images_by_itself_finds_them_here(tmp_path):
    data = lmms_files.gqa(tmp_path / "data")
    words = [*WORDS, "tasks=lmms:gqa", f"data.lmms={data}", "limit=9", f"out={tmp_path / 'run'}"]
    assert main(["run", *words]) == 0
    # Images of 0, 60 and 120: one of three is called bright, and all answers are yes.
    assert value(rows_of([tmp_path / "run"]), "lmms:gqa", "exact_match[lmms]") == 1 / 3


def test_examples_are_shown_where_there_is_another_split(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BRIGHT_ASKED", str(tmp_path / "asked"))
    data = lmms_files.folder(tmp_path / "data")
    words = [*WORDS, "tasks=lmms:pope", "task.lmms:pope.shots=2", f"data.lmms={data}", "limit=2"]
    assert main(["run", *words, f"out={tmp_path / 'run'}"]) == 1
    assert "has no split but 'test'" in capsys.readouterr().err


def test_a_group_stands_for_its_tasks():
    from frostbench.bench.lmms.tasks.loaded import names_in

    assert set(names_in("pope_full")) == {"pope_adv", "pope_pop", "pope_random"}
