"""Our methods as models of lmms-eval, by its own command."""

import json
import os
import signal
import subprocess
import sys

import lmms_files
import pytest
from evaluating import BRIGHT, evaluate

from frostbench.bench.store.reader import open_run

pytestmark = [pytest.mark.lmms, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def bright(local, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bright")
    return evaluate(folder, "frostbench", ["local_pope", "local_mme", "local_ai2d"], local, *BRIGHT)


def test_its_command_prints_the_table_of_a_strangers_method(bright):
    done, results, _, _ = bright
    assert done.returncode == 0, done.stdout[-3000:]
    for metric in ("pope_accuracy", "mme_perception_score", "exact_match"):
        assert metric in done.stdout
    # Images of 30, 70, 110 and 150: the bright two are called yes, of each two questions one is.
    assert results["local_pope"]["pope_accuracy,none"] == 0.5
    assert results["local_pope"]["pope_recall,none"] == 0.5
    # AI2D's images are 0, 60, 120 and 180, and the answers A to D: dark is A, bright is B.
    assert results["local_ai2d"]["exact_match,flexible-extract"] == 0.25


def test_answers_are_those_of_the_method(bright):
    _, _, samples, _ = bright
    said = [one["filtered_resps"] for one in samples["local_pope"]]
    assert said == ["no"] * 4 + ["yes"] * 4


@pytest.mark.parametrize("method", ["v2l", "flmm"])
def test_methods_of_the_mini_pack_answer_all_three(method, local, tmp_path):
    words = ["--model_args", f"pack=mini,model_name={method},quiet=true", "--limit", "2"]
    tasks = ["local_pope", "local_mme", "local_ai2d"]
    done, results, samples, _ = evaluate(tmp_path, f"frostbench_{method}", tasks, local, *words)
    assert done.returncode == 0, done.stdout[-3000:]
    assert set(results) == set(tasks)
    assert all(one["filtered_resps"] for task in tasks for one in samples[task])


def test_a_method_that_answers_no_question_leaves_all_unscored(local, tmp_path):
    words = ["--model_args", "pack=mini,model_name=lm4lv,quiet=true"]
    done, results, samples, _ = evaluate(
        tmp_path, "frostbench_lm4lv", ["local_pope"], local, *words
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "8 of 8 samples of 'local_pope' have no answer and are not scored" in done.stdout
    assert [key for key in results["local_pope"] if "pope" in key] == []
    assert all("method 'lm4lv'" in one["filtered_resps"] for one in samples["local_pope"])


ODD = """
def none(doc):
    return []

def several(doc):
    return [doc["image"], doc["image"]] if int(doc["id"]) % 2 else [doc["image"]]

def video(doc):
    return ["/clips/one.mp4"]

def audio(doc):
    return [{"array": [0.0], "sampling_rate": 1}]
"""


KINDS = {"none": "no image", "several": "2 images", "video": "a video or a file", "audio": "audio"}


@pytest.fixture(scope="module")
def odd(local, tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    (folder / "tasks").mkdir()
    (folder / "tasks" / "visuals.py").write_text(ODD)
    for kind in KINDS:
        (folder / "tasks" / f"{kind}.yaml").write_text(
            f"include: {local / 'local_pope.yaml'}\ntask: of_{kind}\n"
            f"doc_to_visual: !function visuals.{kind}\n"
        )
    names = [f"of_{kind}" for kind in KINDS]
    return evaluate(folder, "frostbench", names, folder / "tasks", *BRIGHT)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_of_anything_but_one_image_gets_a_sentence_and_no_score(kind, odd):
    done, results, samples, _ = odd
    task, scored = f"of_{kind}", 4 if kind == "several" else 0
    assert done.returncode == 0, done.stdout[-3000:]
    without = [one for one in samples[task] if KINDS[kind] in one["filtered_resps"]]
    assert len(without) == 8 - scored
    assert f"{8 - scored} of 8 samples of '{task}' have no answer" in done.stdout
    assert not any("pope_accuracy" in one for one in without)
    assert ("pope_accuracy,none" in results[task]) == bool(scored)


def stored(folder):
    return {f"{record.task[-4:]}-{record.sample}" for record in open_run(folder).records()}


def test_killed_in_the_middle_it_answers_only_what_is_missing(local, tmp_path):
    asked = tmp_path / "asked"
    words = [BRIGHT[0], f"{BRIGHT[1]},chunk=2,out={tmp_path / 'kept'}"]
    tasks = ["local_pope", "local_mme"]
    done, _, _, _ = evaluate(
        tmp_path, "frostbench", tasks, local, *words, BRIGHT_ASKED=str(asked), BRIGHT_DIES_AFTER="7"
    )
    assert done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)
    before = asked.read_text().splitlines()
    (folder,) = (tmp_path / "kept").iterdir()
    kept = {line for line in before if line.split()[0] in stored(folder)}
    # Two are tried before the run begins; of three chunks of two, the kill came in the third.
    assert len(stored(folder)) == 4
    done, results, _, _ = evaluate(
        tmp_path, "frostbench", tasks, local, *words, BRIGHT_ASKED=str(asked)
    )
    assert done.returncode == 0, done.stdout[-3000:]
    after = asked.read_text().splitlines()[len(before) :]
    assert len(open_run(folder).records()) == 16
    # Before a run begins, the first question of a task without any answer is tried.
    assert not kept & set(after)
    assert len(after) == 16 - len(kept) + 1
    assert len(set(after)) == 16 - len(kept)
    assert results["local_pope"]["pope_accuracy,none"] == 0.5
    evaluate(tmp_path, "frostbench", tasks, local, *words, BRIGHT_ASKED=str(asked))
    assert len(asked.read_text().splitlines()) == len(before) + len(after)


CHOICE = """
task: choice
dataset_path: parquet
dataset_kwargs: {{data_files: {{test: {file}}}}}
test_split: test
output_type: multiple_choice
doc_to_visual: !function visuals.image
doc_to_text: question
doc_to_choice: options
doc_to_target: !function visuals.answer
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
"""
VISUALS = """
def image(doc):
    return [doc["image"]]

def answer(doc):
    return int(doc["answer"])
"""


def test_multiple_choice_works_round_the_pair_that_lmms_eval_turns_into_text(data, tmp_path):
    include = tmp_path / "choice"
    include.mkdir()
    (file,) = data.rglob("ai2d/data/*.parquet")
    (include / "choice.yaml").write_text(CHOICE.format(file=file))
    (include / "visuals.py").write_text(VISUALS)
    done, results, _, _ = evaluate(tmp_path, "frostbench", ["choice"], include, *BRIGHT)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "acc,none" in results["choice"]
    assert "4 answers in 'choice' name no option; one is drawn" in done.stdout


def test_examples_are_drawn_with_their_images_from_another_split(data, tmp_path):
    lmms_files.write(tmp_path / "train.parquet", lmms_files.pope(6))
    (file,) = data.rglob("POPE/data/*.parquet")
    include = tmp_path / "shots"
    theirs = lmms_files.tasks(data, include, ["pope"]) / "local_pope.yaml"
    files = f"{{test: {file}, train: {tmp_path / 'train.parquet'}}}"
    text = theirs.read_text().replace(f"{{test: {file}}}", files)
    theirs.write_text(f"{text}\nfewshot_split: train\nfewshot_config: {{sampler: default}}\n")
    asked = tmp_path / "asked"
    done, _, _, _ = evaluate(
        tmp_path,
        "frostbench",
        ["local_pope"],
        include,
        *BRIGHT,
        "--num_fewshot",
        "2",
        BRIGHT_ASKED=str(asked),
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert len(set(asked.read_text().splitlines())) == 8
    assert "examples 0" not in asked.read_text()


BROKEN = "raise RuntimeError('a plugin that cannot be imported')\n"


def test_the_entry_point_is_light_and_a_broken_plugin_hides_nobody(tmp_path):
    for name, group, target in (
        ("broken", "frostbench", "broken_plugin"),
        ("vendor", "lmms_eval.models", "zz_vendor:manifests"),
    ):
        about = tmp_path / f"{name}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[{group}]\nzz_{name} = {target}\n")
    (tmp_path / "broken_plugin.py").write_text(BROKEN)
    (tmp_path / "zz_vendor.py").write_text(
        "def manifests():\n"
        "    from lmms_eval.models.registry_v2 import ModelManifest\n"
        "    return [ModelManifest('vendor', simple_class_path='zz_vendor.Model')]\n"
    )
    program = (
        "import json, sys, time\n"
        "import lmms_eval.models.registry_v2\n"
        "begun = time.perf_counter()\n"
        "from frostbench.bench.lmms.models.entry import manifests\n"
        "made = manifests()\n"
        "took = time.perf_counter() - begun\n"
        "from lmms_eval.models import list_available_models\n"
        "names = list_available_models()\n"
        "print(json.dumps([took, 'torch' in sys.modules, len(made), names]))\n"
    )
    paths = {**os.environ, "PYTHONPATH": str(tmp_path)}
    fastest = None
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", program], env=paths, capture_output=True, text=True, check=True
        )
        took, torch, made, names = json.loads(done.stdout)
        fastest = min(took, fastest or took)
    assert fastest < 0.2
    assert not torch
    assert made >= 9
    assert {"frostbench", "frostbench_v2l", "frostbench_vqgan", "vendor"} <= set(names)
    assert "broken" in done.stderr


def test_its_own_check_of_model_classes_passes_on_all_of_ours():
    from lmms_eval.models import MODEL_REGISTRY_V2

    from frostbench.plugins.host.registry import Host

    ours = {f"frostbench_{name}" for name in Host().methods}
    assert ours <= set(MODEL_REGISTRY_V2.list_canonical_model_ids())
    for name in ("frostbench", *ours):
        for simple in (True, False):
            found = MODEL_REGISTRY_V2.get_model_class(name, force_simple=simple)
            assert found.method == name.removeprefix("frostbench").removeprefix("_")


def test_a_version_that_does_not_fit_is_named_with_ours(monkeypatch):
    from frostbench.bench.lmms import version as versions
    from frostbench.bench.lmms.models.adapter import AnyMethod

    real = versions.version
    monkeypatch.setattr(
        versions, "version", lambda name: "0.9.1" if name == "lmms-eval" else real(name)
    )
    with pytest.raises(versions.LmmsError, match=r"lmms-eval 0\.9\.1 .* frostbench 0\.1\.0"):
        AnyMethod(method="bright")


def test_a_key_that_is_none_of_the_models_is_refused_with_those_there_are():
    from frostbench.bench.cli.config import UsageError
    from frostbench.bench.lmms.models.adapter import AnyMethod

    with pytest.raises(UsageError, match=r"limit.*lmms-eval's to say"):
        AnyMethod(method="bright", limit=3)
