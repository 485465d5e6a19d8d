"""What is typed is what is meant, in the commands that read it."""

import pytest

from frostbench.bench.cli.config import LIMITS, RunConfig, WorkConfig, read_config, split_words
from frostbench.bench.cli.parts import limit_for
from frostbench.bench.cli.run import departures
from frostbench.bench.cli.work import words_of_worker


@pytest.mark.parametrize("odd", ["1e3", "a, b", "it's [1]", "#3", "${x}", "k=v", "~"])
def test_a_worker_is_told_the_paths_of_its_run(odd):
    folder = f"/runs/{odd}"
    config = RunConfig(
        out=folder,
        cache=f"{folder}/kept",
        plugins=[f"{folder}.py", "b.py"],
        plugins_disabled=[odd],
    )
    plain, words = split_words(words_of_worker(config, "1", 1, ["device=cpu"]), WorkConfig)
    told = read_config(WorkConfig, words)
    assert plain == [folder]
    assert (told.cache, told.plugins) == (config.cache, config.plugins)
    assert (told.plugins_disabled, told.worker, told.led) == ([odd], "1", True)


def test_a_preset_is_kept_however_its_numbers_are_written(tmp_path):
    file = tmp_path / "table.yaml"
    file.write_text("method: {v2l: {rate: 0.001, name: one}}\nlimits: {restoration: 500}\n")
    same = read_config(RunConfig, [f"config={file}", "method.v2l.rate=1e-3", "limit=2"])
    other = read_config(RunConfig, [f"config={file}", "method.v2l.name=1e-3"])
    assert departures(str(file), same) == []
    assert departures(str(file), other) == ["method.v2l.name is '1e-3', not 'one'"]


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["limit=8", "limits.restoration=3"], 3),
        (["limit=8", "limits.restoration=3", "limits.inpainting=2"], 2),
        (["limit=8", "limits.understanding=3"], 8),
        (["limits.understanding=3"], LIMITS["restoration"]),
        (["config=FILE"], 5),
        (["config=FILE", "limit=8"], 8),
        (["config=FILE", "limit=8", "limits.restoration=3"], 3),
    ],
)
def test_the_nearest_limit_counts_and_words_count_over_files(words, meant, tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("limit: 6\nlimits: {restoration: 5}\n")
    config = read_config(RunConfig, [word.replace("FILE", str(file)) for word in words])
    assert limit_for(config, "inpainting", "restoration") == meant
