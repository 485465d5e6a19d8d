"""What a notebook does without a shell."""

import subprocess
import sys
from pathlib import Path

import pytest

from frostbench.bench import read, run
from frostbench.bench.cli.config import RunConfig, UsageError, read_config
from frostbench.bench.store.atomic import StoreError


def test_importing_it_loads_nothing_heavy():
    code = (
        "import sys, frostbench.bench; "
        "print({'torch', 'pyarrow', 'numpy', 'rich', 'omegaconf'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["methods=v2l,vqgan", "limit=3"], {"methods": ["v2l", "vqgan"], "limit": 3}),
        (["methods=v2l"], {"methods": "v2l"}),
        (["tasks=[a,b]"], {"tasks": ("a", "b")}),
        (["out=runs/x", "quiet=true"], {"out": Path("runs/x"), "quiet": True}),
        (["method.v2l.shown_words=16"], {"method": {"v2l": {"shown_words": 16}}}),
        (["method.v2l.shown_words=16"], {"method.v2l.shown_words": 16}),
        (["limits.inpainting=4"], {"limits": {"inpainting": 4}}),
        (["plugins.disabled=spae"], {"plugins_disabled": ["spae"]}),
        (["out=${x}"], {"out": "${x}"}),
        ([], {"dtype": None}),
    ],
)
def test_a_key_means_what_it_means_on_the_command_line(words, values):
    assert read_config(RunConfig, [], values) == read_config(RunConfig, words)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"limt": 3}, "Did you mean 'limit'"),
        ({"limit": "many"}, "limit is a whole number"),
        ({"method": "v2l"}, "method has keys of its own"),
        ({"seed": -1}, "seed=-1"),
        ({"config": "nowhere.yaml"}, "there is no such file"),
    ],
)
def test_a_wrong_key_is_told_as_on_the_command_line(values, sentence):
    with pytest.raises(UsageError, match=sentence):
        run(**values)


def test_read_gives_rows_and_samples_of_one_run_or_several(synthetic):
    one, two = synthetic(samples=6), synthetic("b", samples=6, seed=1)
    results = read(one.folder, str(two.folder))
    assert results.rows.num_rows == len(results.leaderboard.rows)
    assert {*results.rows.column("run").to_pylist()} == {1, 2, None}
    assert results.samples.num_rows == len(one.records()) + len(two.records())
    assert (results.folder, results.failed) == (one.folder, False)
    with pytest.raises(StoreError, match="no run at"):
        read(one.folder / "nowhere")
    with pytest.raises(ValueError, match="which run"):
        read()
