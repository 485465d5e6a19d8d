"""Results are handed in, checked, and read from where they lie; what does not hold is said."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from frostbench.bench.cli import main
from frostbench.bench.leaderboard import build
from frostbench.bench.store.atomic import StoreError
from frostbench.bench.store.reader import open_run
from frostbench.bench.store.sealed import digest_of, read_sealed, write_sealed
from frostbench.bench.submissions import new_results, open_runs, submissions_of, submit
from frostbench.bench.submissions.places import open_submission
from frostbench.bench.submissions.submit import rows_files
from frostbench.plugins.host.packs import sha256_of


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of two methods."""
    place = tmp_path_factory.mktemp("somebody")
    words = ["methods=vqgan,v2l", "tasks=reconstruction", "limit=3", "quiet=true"]
    assert main(["run", *words, f"cache={place}/kept", f"out={place}/run"]) == 0
    return place / "run"


@pytest.fixture(scope="module")
def handed(run, tmp_path_factory):
    """A repository of results with both, that hold."""
    repository = tmp_path_factory.mktemp("repository") / "results of all"
    assert main(["new-results", str(repository)]) == 0
    assert main(["submit", str(run), f"repo={repository}", "by=Lab A", "url=https://a.b/c"]) == 0
    assert main(["accept", str(repository)]) == 0
    return repository


@pytest.fixture
def repository(handed, tmp_path):
    """One of which something may be changed."""
    shutil.copytree(handed, tmp_path / "results")
    return tmp_path / "results"


def of(repository, method="vqgan"):
    (folder,) = (repository / "results" / method).iterdir()
    return folder


def sealed_of(folder):
    (path,) = (folder / "sealed").glob("*.parquet")
    return path


def forged(folder, change):
    """Other records, sealed as if nothing had happened."""
    path = sealed_of(folder)
    write_sealed(path, change(read_sealed(path)))
    changed(folder / "manifest.json", lambda m: m["seals"].update({path.name: sha256_of(path)}))


def changed(path, change):
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def refused(repository, capsys, *words):
    assert main(["accept", str(repository), *words]) == 1
    told = capsys.readouterr()
    assert "Traceback" not in told.err
    return told.err


def test_a_board_of_a_repository_is_that_of_the_run(handed, run):
    here = {(*row.line[1:], row.task, row.metric): row for row in build([open_run(run)]).rows}
    rows = [row for row in build(open_runs([handed])).rows if row.run is not None]
    for row in rows:
        same = here[*row.line[1:], row.task, row.metric]
        assert (row.value, row.low, row.high) == (same.value, same.low, same.high)
        assert row.checked == "scored again"
    assert {row.method for row in rows if row.kind == "measured"} == {"vqgan", "v2l"}
    ranks = {row.method: str(row.rank) for row in rows if row.rank}
    assert ranks == {row.method: str(row.rank) for row in here.values() if row.rank}


def test_a_second_look_writes_the_same_files(repository):
    before = {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()}
    assert main(["accept", str(repository)]) == 0
    assert before == {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()}


def test_where_files_lay_is_not_handed_in(handed, run):
    texts = [path.read_text() for path in (handed / "results").rglob("*.json")]
    assert len(texts) == 8
    assert not [text for text in texts if str(run.parent) in text]
    assert json.loads((of(handed) / "submission.json").read_text())["by"] == "Lab A"


def test_outputs_of_several_methods_are_kept_once(handed):
    outputs = [path for path in (handed / "outputs").rglob("*") if path.is_file()]
    named = [
        name
        for folder in submissions_of(handed)
        for record in read_sealed(sealed_of(folder))
        for name in record.blobs
    ]
    assert {path.stem for path in outputs} == set(named)
    assert len(outputs) < len(named)


def test_a_forged_score_is_said(repository, capsys):
    def better(records):
        return [
            replace(one, scores={**one.scores, "psnr[rgb]": 40.0}) if one.method else one
            for one in records
        ]

    forged(of(repository), better)
    said = refused(repository, capsys)
    assert "its scores under 'psnr[rgb]' are not what its outputs give" in said
    assert not (of(repository) / "accepted.json").exists()
    assert (of(repository, "v2l") / "accepted.json").exists()


def test_a_table_for_people_that_says_something_else_is_said(repository, capsys):
    changed(of(repository) / "reconstruction.json", lambda m: m["rows"][0].update(value=99.0))
    assert "reconstruction.json says something else" in refused(repository, capsys)


def test_a_sample_that_stands_twice_is_said(repository, capsys):
    forged(of(repository), lambda records: [*records, records[0]])
    assert "of one row twice" in refused(repository, capsys)


def test_samples_that_were_left_out_are_said(repository, capsys):
    forged(of(repository), lambda records: [one for one in records if one.method is None])
    assert "holds 0 samples of 'vqgan', and 3 were asked" in refused(repository, capsys)


def test_the_same_rows_under_another_version_are_said(repository, capsys):
    folder = of(repository)
    shutil.copytree(folder, folder.with_name("zz"))
    said = refused(repository, capsys)
    assert "the same rows stand in results/vqgan/" in said
    assert "it lies in vqgan/zz and belongs into vqgan/" in said


def test_another_metric_is_said(repository, capsys):
    def rename(values):
        values["metrics"]["psnr[mine]"] = {**values["metrics"]["psnr[rgb]"], "id": "psnr[mine]"}

    changed(of(repository) / "manifest.json", rename)
    assert "metric 'psnr[mine]' is none of this bench's" in refused(repository, capsys)
    changed(of(repository) / "manifest.json", lambda m: m["metrics"].pop("psnr[mine]"))
    other = {"direction": "lower"}
    changed(of(repository) / "manifest.json", lambda m: m["metrics"]["psnr[rgb]"].update(other))
    assert "'psnr[rgb]' is described in another way" in refused(repository, capsys)


def test_what_has_no_outputs_is_not_scored_again_and_the_board_says_so(repository, capsys):
    own = [one for one in read_sealed(sealed_of(of(repository))) if one.row == ("vqgan", None)]
    for path in (repository / "outputs").rglob(f"{own[0].prediction.blob}.*"):
        path.unlink()
    assert main(["accept", str(repository)]) == 0
    assert "1 outputs are not in the repository" in capsys.readouterr().out
    checked = {row.method: row.checked for row in build(open_runs([repository])).rows if row.rank}
    assert checked == {"vqgan": "not scored again", "v2l": "scored again"}


def test_what_was_changed_since_is_not_scored_again(repository):
    path = sealed_of(of(repository))
    write_sealed(path, read_sealed(path)[:-1])
    rows = [row for row in build(open_runs([repository])).rows if row.rank]
    assert {row.method: row.checked for row in rows}["vqgan"] == "not scored again"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "x.py").write_text("boo"), "x.py belongs to no submission"),
        (lambda f: (f / "sealed/x.sh").write_text("boo"), "sealed/x.sh is no sealed file"),
        (lambda f: (f / "more").mkdir(), "more is a folder that no submission has"),
        (lambda f: (f / "x.json").symlink_to("/etc/passwd"), "x.json is a link"),
        (lambda f: (f / "manifest.json").write_text("{"), "manifest.json cannot be read"),
        (lambda f: (f / "submission.json").write_text("[]"), "submission.json cannot be read"),
        (lambda f: (f / "submission.json").unlink(), "lacks submission.json"),
        (lambda f: sealed_of(f).write_bytes(b"PAR1"), "is not what was stored"),
        (lambda f: sealed_of(f).unlink(), "is missing"),
        (
            lambda f: changed(f / "manifest.json", lambda m: m["pack"].update(sha256="")),
            "the pack's digest is missing",
        ),
        (
            lambda f: changed(f / "manifest.json", lambda m: m.update(violations=["it wrote"])),
            "a frozen model was changed: it wrote",
        ),
        (
            lambda f: changed(f / "submission.json", lambda m: m.update(method="../../v2l")),
            "the manifest is of vqgan, not ../../v2l",
        ),
        (
            lambda f: changed(f / "submission.json", lambda m: m.update(by="")),
            "who hands it in is missing",
        ),
    ],
)
def test_a_hostile_folder_is_refused_in_sentences(repository, capsys, spoil, said):
    spoil(of(repository))
    assert said in refused(repository, capsys)


def test_links_in_the_place_of_submissions_are_refused(repository, tmp_path, capsys):
    (repository / "results" / "link").symlink_to(tmp_path)
    assert main(["accept", str(repository)]) != 0
    assert "results/link is no folder" in capsys.readouterr().err


def test_two_peoples_folders_are_on_a_thirds_board(handed, run, tmp_path):
    other = tmp_path / "others"
    assert main(["new-results", str(other)]) == 0
    assert main(["submit", str(run), f"repo={other}", "by=Lab B", "methods=v2l"]) == 0
    mine = tmp_path / "mine"
    assert main(["new-results", str(mine)]) == 0
    assert main(["submit", str(run), f"repo={mine}", "by=Lab C", "methods=vqgan"]) == 0
    assert main(["leaderboard", str(mine), str(other), f"out={tmp_path / 'board'}"]) == 0
    board = json.loads((tmp_path / "board" / "leaderboard.json").read_text())
    ranked = {row["method"]: row["checked"] for row in board["rows"] if row["rank"]}
    assert ranked == {"v2l": "not scored again", "vqgan": "not scored again"}
    assert "not scored again" in (tmp_path / "board" / "suite-restoration.html").read_text()


def test_a_pull_request_is_set_beside_what_stands(handed, repository, tmp_path, capsys):
    base = tmp_path / "base"
    shutil.copytree(repository, base)
    shutil.rmtree(base / "results" / "v2l")
    said = tmp_path / "said.md"
    assert main(["accept", str(repository), f"base={base}", f"out={said}"]) == 0
    assert "1 of 1 submissions hold" in capsys.readouterr().out
    text = said.read_text()
    assert "## v2l/" in text
    assert "## vqgan/" not in text
    assert "| v2l | reconstruction | psnr\\[rgb] |" in text
    assert "vqgan: " in text
    assert main(["accept", str(repository), f"base={repository}"]) == 0
    assert "nothing is new" in capsys.readouterr().out


def test_a_share_of_the_samples_is_computed_again(repository, capsys):
    shutil.rmtree(of(repository, "v2l").parent)
    assert main(["accept", str(repository), "replay=1%"]) == 0
    rows = json.loads((of(repository) / "accepted.json").read_text())["rows"]
    assert rows == {"reconstruction.parquet": "replayed"}
    assert main(["accept", str(repository), "replay=2"]) == 2
    assert "replay=2: write a share" in capsys.readouterr().err


def test_an_answer_that_the_method_does_not_give_is_found_by_replaying(repository, capsys):
    shutil.rmtree(of(repository, "v2l").parent)

    def others(records):
        mine = [one for one in records if one.row == ("vqgan", None)]
        turned = dict(zip([m.sample for m in mine], [*mine[1:], mine[0]], strict=True))
        return [
            replace(one, prediction=turned[one.sample].prediction) if one in mine else one
            for one in records
        ]

    folder, copy = of(repository), repository / "copy"
    forged(folder, others)
    # Scores and tables are made to fit: what is left to find is that the method says otherwise.
    shutil.copytree(folder, copy)
    shutil.copytree(repository / "outputs", copy / "blobs")
    assert main(["score", str(copy)]) == 0
    scored = {one.key: one for one in read_sealed(sealed_of(copy))}
    forged(folder, lambda records: [scored[one.key] for one in records])
    shutil.rmtree(copy)
    for name, content in rows_files(open_submission(folder)).items():
        (folder / name).write_text(json.dumps(content))
    assert main(["accept", str(repository)]) == 0
    assert "replayed, it does not hold" in refused(repository, capsys, "replay=100%")


def test_what_is_handed_in_is_a_finished_run_of_somebody(run, handed, tmp_path):
    stored = open_run(run)
    with pytest.raises(StoreError, match="by=NAME"):
        submit(stored, handed, by=" ")
    with pytest.raises(StoreError, match="already; again=true puts"):
        submit(stored, handed, by="me")
    with pytest.raises(LookupError, match="has no method 'spae'; it has v2l, vqgan"):
        submit(stored, handed, by="me", methods=["spae"])
    with pytest.raises(StoreError, match="is no repository of results"):
        submit(stored, tmp_path, by="me")
    stored.manifest = replace(stored.manifest, status="running")
    with pytest.raises(StoreError, match="is running; only a finished run"):
        submit(stored, handed, by="me")
    with pytest.raises(StoreError, match="is there already"):
        new_results(handed)


def test_the_digest_of_what_was_looked_at_is_kept(handed):
    accepted = json.loads((of(handed) / "accepted.json").read_text())
    path = sealed_of(of(handed))
    assert accepted["seals"] == {path.name: digest_of(path)}
    assert Path(handed / ".github/workflows/accept.yml").is_file()
    assert "results of all" in (handed / "README.md").read_text()
