import pytest

from frostbench.bench.cli.config import RunConfig, UsageError, keys_of, read_config


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
    with pytest.raises(UsageError, match="cannot read the configuration") as caught:
        read_config(RunConfig, [f"config={file}"])
    assert "\n" not in str(caught.value)


def test_every_key_is_named_for_help():
    assert {"pack", "limit", "engine"} <= set(keys_of(RunConfig))
