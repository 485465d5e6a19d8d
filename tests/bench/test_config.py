import pytest

from frostbench.bench.cli.config import (
    LeaderboardConfig,
    LookConfig,
    NewPluginConfig,
    RunConfig,
    UsageError,
    keys_of,
    read_config,
)


def test_words_override_defaults_and_lists_need_no_brackets():
    config = read_config(
        RunConfig, ["methods=v2l,vqgan", "tasks=[inpainting]", "limit=3", "engine.max_batch=7"]
    )
    assert config.methods == ["v2l", "vqgan"]
    assert config.tasks == ["inpainting"]
    assert (config.limit, config.engine) == (3, {"name": "frozen", "max_batch": 7})


def test_a_file_is_read_and_words_win_over_it(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("seed: 5\nlimit: 9\nmethod:\n  v2l:\n    words: 5\n")
    config = read_config(RunConfig, [f"config={file}", "limit=2"])
    assert (config.seed, config.limit, config.method) == (5, 2, {"v2l": {"words": 5}})


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("limt=3", "Did you mean 'limit'"),
        ("limit=many", "limit"),
        ("=x", "has no key before its '='"),
        ("method..words=3", "has no key before its '='"),
        ("method=v2l", "write method.KEY=VALUE, not 'v2l'"),
        ("limits={", "write limits.KEY=VALUE, not '{'"),
        ("engine={[a]: 1}", "write engine.KEY=VALUE"),
        ("methods.v2l=3", "methods is a list"),
        ("out=???", "stands for a value that is missing"),
        ("config=none.yaml", "there is no such file"),
    ],
)
def test_a_mistake_gets_one_sentence(word, expected):
    with pytest.raises(UsageError) as caught:
        read_config(RunConfig, [word])
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_broken_file_gets_one_sentence(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("limit: [3\n")
    with pytest.raises(UsageError, match=r"config=.*run.yaml: line 2 is no YAML") as caught:
        read_config(RunConfig, [f"config={file}"])
    assert "\n" not in str(caught.value)


def test_every_key_is_named_for_help():
    assert {"pack", "limit", "engine"} <= set(keys_of(RunConfig))


@pytest.mark.parametrize(
    ("schema", "word", "meant"),
    [
        (RunConfig, "out=1e3", "1e3"),
        (RunConfig, "out=2024_01_15", "2024_01_15"),
        (RunConfig, "out=12:30", "12:30"),
        (RunConfig, "out=007", "007"),
        (RunConfig, "out=yes", "yes"),
        (RunConfig, "out=runs/exp #3", "runs/exp #3"),
        (RunConfig, "out=runs/a=b", "runs/a=b"),
        (RunConfig, "out=runs/${seed}", "runs/${seed}"),
        (RunConfig, "out=~/runs", "HOME/runs"),
        (RunConfig, "cache=~/kept", "HOME/kept"),
        (RunConfig, "pack=~/pack", "HOME/pack"),
        (RunConfig, "llm=~/llama", "HOME/llama"),
        (RunConfig, "llm=1.10", "1.10"),
        (RunConfig, "plugins=~/a.py,b #1.py", ["HOME/a.py", "b #1.py"]),
        (RunConfig, "plugins=['a,b.py']", ["a,b.py"]),
        (RunConfig, "methods=007", ["007"]),
        (RunConfig, "devices=cuda:0,cuda:1", ["cuda:0", "cuda:1"]),
        (RunConfig, "workers=2", "2"),
        (RunConfig, "memory=40", "40"),
        (RunConfig, "lease=60", 60.0),
        (RunConfig, "limit=010", 10),
        (RunConfig, "limit=null", None),
        (RunConfig, "most_seconds=1e3", 1000.0),
        (RunConfig, "quiet=yes", True),
        (RunConfig, "limits.restoration=010", {"restoration": 10}),
        (RunConfig, "metric_weights.alex=~/alex.pth", {"alex": "HOME/alex.pth"}),
        (RunConfig, "task.t.metrics=psnr[rgb],mae[y]", {"t": {"metrics": "psnr[rgb],mae[y]"}}),
        (RunConfig, "method.m.frame=[INST] {} [/INST]", {"m": {"frame": "[INST] {} [/INST]"}}),
        (RunConfig, "method.m.steps=[1,2]", {"m": {"steps": [1, 2]}}),
        (RunConfig, "method.m.when=12:30", {"m": {"when": "12:30"}}),
        (RunConfig, "engine={name: frozen, max_batch: 3}", {"name": "frozen", "max_batch": 3}),
        (LeaderboardConfig, "title=One: [a] # of {three}", "One: [a] # of {three}"),
        (LookConfig, "out=", ""),
        (NewPluginConfig, "kind=no", "no"),
    ],
)  # fmt: skip
def test_a_key_takes_what_is_typed(schema, word, meant, monkeypatch):
    monkeypatch.setenv("HOME", "HOME")
    key = word.partition("=")[0].partition(".")[0]
    assert getattr(read_config(schema, [word]), key) == meant


@pytest.mark.parametrize(
    "word", ["limit=1_000", "limit=1e3", "limit=0x10", "limit=12:30", "lease=1_0", "quiet=perhaps"]
)
def test_what_is_no_number_in_digits_is_refused(word):
    key, _, value = word.partition("=")
    with pytest.raises(UsageError, match=f"^{key} is .* and was given '{value}'"):
        read_config(RunConfig, [word])


def test_a_file_is_meant_as_words_are(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "HOME")
    file = tmp_path / "run.yaml"
    file.write_text(
        "out: ~/2024\ncache: 1e3\nlimit: 010\nllm: ~\ndevice: no\nseed: 3\npack: pack-${seed}\n"
        "methods: v2l,vqgan\nplugins:\n  files: [~/a.py]\n"
        "method:\n  m: {name: '7', words: 7, way: yes, quick: true, none: , rates: [0.5, 1e-3]}\n"
    )
    config = read_config(RunConfig, [f"config={file}", "seed=4"])
    assert (config.out, config.cache, config.limit, config.llm) == ("HOME/2024", "1e3", 10, None)
    assert (config.device, config.pack, config.methods) == ("no", "pack-4", ["v2l", "vqgan"])
    assert config.plugins == ["HOME/a.py"]
    assert config.method["m"] == {
        "name": "7",
        "words": 7,
        "way": "yes",
        "quick": True,
        "none": None,
        "rates": [0.5, "1e-3"],
    }


@pytest.mark.parametrize("content", ["limit: 1\nlimit: 2\n", "- a\n", "a: [\n", "limit: [3]\n"])
def test_a_file_that_is_none_gets_one_sentence_with_its_name(content, tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(content)
    with pytest.raises(UsageError, match=r"run\.yaml") as caught:
        read_config(RunConfig, [f"config={file}"])
    assert "\n" not in str(caught.value)
