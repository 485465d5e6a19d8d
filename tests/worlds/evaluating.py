"""Runs of lmms-eval by its own command."""

import json
import os
import subprocess
import sys

import lmms_files


def evaluate(folder, method, tasks, include, *words, **environment):
    """A run of `lmms-eval`: its status, what it printed, its results by task, and its samples."""
    out = folder / "out"
    command = [sys.executable, "-m", "lmms_eval", "--tasks", ",".join(tasks)]
    command += ["--include_path", str(include), "--output_path", str(out), "--log_samples"]
    command += ["--verbosity", "DEBUG", "--model", method, *words]
    here = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "hf")}
    here |= {"XDG_CACHE_HOME": str(folder / "cache"), **environment}
    done = subprocess.run(
        command, cwd=folder, env=here, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    (found,) = sorted(out.rglob("*_results.json"))[-1:] or [None]
    results = json.loads(found.read_text())["results"] if found else {}
    samples = {}
    for task in tasks if found else ():
        path = found.with_name(found.name.replace("results.json", f"samples_{task}.jsonl"))
        lines = path.read_text().splitlines() if path.exists() else ()
        samples[task] = [json.loads(line) for line in lines]
    return done, results, samples, found


BRIGHT = ["--model_args", f"method=bright,plugins={lmms_files.PLUGIN},model_name=bright,quiet=true"]


def evaluated(model, tasks, manager, folder, /, **arguments):
    """The same in this process, by `simple_evaluate`, saved as its command saves it."""
    from argparse import Namespace

    from lmms_eval.evaluator import simple_evaluate
    from lmms_eval.loggers import EvaluationTracker

    tracker = EvaluationTracker(output_path=str(folder))
    given = ",".join(f"{key}={value}" for key, value in arguments.items())
    found = simple_evaluate(
        model=model,
        model_args=f"model_name={model},quiet=true,{given}",
        tasks=tasks,
        task_manager=manager,
        bootstrap_iters=0,
        log_samples=True,
        evaluation_tracker=tracker,
        cli_args=Namespace(process_with_media=False, output_path=str(folder), reasoning_tags=None),
    )
    samples = found.pop("samples")
    tracker.save_results_aggregated(results=found, samples=samples, datetime_str=found["date"])
    for task in found["configs"]:
        tracker.save_results_samples(task_name=task, samples=samples[task])
    (path,) = folder.rglob("*_results.json")
    return found["results"], path
