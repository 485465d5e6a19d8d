"""Words of the command line that are wrong: every command, and every kind of value."""

import subprocess
import sys

import bad_inputs
import pytest
from bad_inputs import BLANK, Bad

MORE = "tasks=reconstruction"
RUN = f"run {BLANK} {MORE}"

CASES = [
    # Commands.
    Bad("runn", ("'runn'", "Did you mean 'run'")),
    Bad("''", ("no command named ''",)),
    Bad("RUN", ("'RUN'",)),
    Bad("run runs/mine", ("run takes KEY=VALUE words, not 'runs/mine'",)),
    Bad("show", ("which run?",)),
    Bad("show nowhere", ("no run at nowhere",)),
    Bad("show nowhere out=x", ("'out'",)),
    Bad("leaderboard", ("frostbench leaderboard RUN",)),
    Bad("leaderboard nowhere", ("no run at nowhere",)),
    Bad("score", ("frostbench score RUN",)),
    Bad("score a b", ("score one run",)),
    Bad("score nowhere", ("no run at nowhere",)),
    Bad("verify", ("frostbench verify RUN",)),
    Bad("verify nowhere", ("no run at nowhere",)),
    Bad("verify nowhere samples=many", ("samples", "'many'")),
    Bad("verify nowhere seed=-1", ("seed=-1",)),
    Bad("parity nowhere", ("no run at nowhere",)),
    Bad("parity", ("frostbench parity RUN",)),
    Bad("work nowhere", ("no run at nowhere",)),
    Bad("work", ("frostbench work RUN",)),
    Bad("work nowhere lease=long", ("lease", "'long'")),
    Bad("check nobody", ("no method named 'nobody'",)),
    Bad("check v2l most_seconds=0", ("most_seconds=0",)),
    Bad("list metod", ("'metod'",)),
    Bad("list methods --jsn", ("--jsn",)),
    Bad("list plugins.disabled=nobody", ("'nobody'",)),
    Bad("data nosuch", ("'nosuch'",)),
    Bad("data images nowhere", ("nowhere",)),
    Bad("data images . side=wide", ("side", "'wide'")),
    Bad("data images . sid=8", ("'sid'",)),
    Bad("data images a b", ("data",)),
    Bad("convert nobody a out=x", ("'nobody'",)),
    Bad("convert vqgan nowhere out=x", ("nowhere",)),
    Bad("convert vqgan a b c d out=x", ("vqgan", "more are given")),
    Bad("convert vqgan a.ckpt", ("out=FOLDER",), files={"a.ckpt": "x"}),
    Bad("convert vqgan a.ckpt out=x precision=thin", ("precision", "thin"), files={"a.ckpt": "x"}),
    Bad("pack nobody", ("'nobody'",)),
    Bad("pack", ("frostbench pack NAME",)),
    Bad("pack paper root=x.txt", ("x.txt",), files={"x.txt": "x"}),
    Bad("pack paper fetch=true", ("root=",)),
    Bad("pack paper fetch=perhaps", ("fetch", "'perhaps'")),
    Bad("train nobody", ("'nobody'",)),
    Bad("train pack=paper", ("'paper'",)),
    Bad("train llm threads=-3 pack=x scratch=y", ("threads",)),
    Bad("train clip pack=x scratch=y seed=1.5", ("seed", "'1.5'")),
    Bad("look", ("frostbench look IMAGE",)),
    Bad("look nowhere.png", ("nowhere.png",)),
    Bad("look a.png", ("a.png",), files={"a.png": "no image"}),
    Bad("look scene:many", ("'many'", "scene:NUMBER")),
    Bad("look portrait:nothing", ("nothing",)),
    Bad("look scene:-1", ("'-1'", "scene:NUMBER")),
    Bad("look scene:1 method=nobody", ("'nobody'",)),
    Bad("look scene:1 words=0", ("words=0",)),
    Bad("new-plugin", ("NAME",)),
    Bad("new-plugin a b", ("NAME",)),
    Bad("new-plugin json", ("json",)),
    Bad("new-plugin 'a b'", ("'a b'",)),
    Bad("new-plugin class", ("class",)),
    Bad("new-plugin mine kind=moon", ("moon",)),
    Bad("new-plugin ''", ("''",)),
    Bad("new-plugin ../mine", ("../mine",)),
    Bad("new-plugin mine", ("mine",), files={"mine/x": "there"}),
    # Keys.
    Bad(f"{RUN} limt=3", ("'limt'", "Did you mean 'limit'")),
    Bad(f"{RUN} =3", ("'=3'",)),
    Bad(f"{RUN} limits.=3", ("limits.",)),
    Bad(f"{RUN} limit.x=3", ("limit",)),
    Bad(f"{RUN} .limit=3", (".limit",)),
    Bad(f"{RUN} LIMIT=3", ("'LIMIT'",)),
    Bad(f"{RUN} plugins.enabled=x", ("plugins",)),
    Bad(f"{RUN} method.nobody.x=3", ("'nobody'",)),
    Bad(f"{RUN} method.blank=3", ("method.blank",)),
    Bad(f"{RUN} task.nothing.x=3", ("'nothing'",)),
    Bad(f"{RUN} task.reconstruction.x=3", ("task.reconstruction", "'x'")),
    Bad(f"{RUN} task.reconstruction=3", ("task.reconstruction",)),
    Bad(f"{RUN} limits.nothing=3", ("'nothing'",)),
    Bad(f"{RUN} engine.nothing=3", ("engine", "'nothing'")),
    Bad(f"{RUN} engine=fast", ("engine",)),
    # Whole numbers.
    Bad(f"{RUN} limit=ten", ("limit", "'ten'")),
    Bad(f"{RUN} limit=", ("limit", "''")),
    Bad(f"{RUN} limit=1.5", ("limit", "'1.5'")),
    Bad(f"{RUN} limit=0", ("limit",)),
    Bad(f"{RUN} limit=-1", ("limit",)),
    Bad(f"{RUN} limit=0x10", ("limit", "'0x10'")),
    Bad(f"{RUN} limit=1_000", ("limit", "'1_000'")),
    Bad(f"{RUN} limit=true", ("limit", "'true'")),
    Bad(f"{RUN} seed=-1", ("seed=-1",)),
    Bad(f"{RUN} seed=99999999999999999999", ("seed=99999999999999999999",)),
    Bad(f"{RUN} chunk=0", ("chunk",)),
    Bad(f"{RUN} chunk=-5", ("chunk",)),
    Bad(f"{RUN} gallery=-1", ("gallery",)),
    Bad(f"{RUN} limits.restoration=0", ("limits.restoration",)),
    Bad(f"{RUN} limits.restoration=x", ("limits.restoration", "'x'")),
    Bad(f"{RUN} most_waves=0", ("most_waves=0",)),
    Bad(f"{RUN} error_length=3", ("error_length=3",)),
    Bad(f"{RUN} workers=0", ("workers=0",)),
    Bad(f"{RUN} workers=many", ("workers=many",)),
    # Numbers.
    Bad(f"{RUN} most_seconds=soon", ("most_seconds", "'soon'")),
    Bad(f"{RUN} most_seconds=0", ("most_seconds=0",)),
    Bad(f"{RUN} most_seconds=nan", ("most_seconds=nan",)),
    Bad(f"{RUN} lease=-1", ("lease",)),
    Bad(f"{RUN} lease=nan", ("lease",)),
    # Flags.
    Bad(f"{RUN} isolate=perhaps", ("isolate", "'perhaps'")),
    Bad(f"{RUN} controls=", ("controls", "''")),
    Bad(f"{RUN} quiet=2", ("quiet", "'2'")),
    # Texts.
    Bad(f"{RUN} device=gpu", ("device", "gpu")),
    Bad(f"{RUN} device=cuda:99", ("cuda:99",)),
    Bad(f"{RUN} device=", ("device",)),
    Bad(f"{RUN} dtype=float7", ("float7",)),
    Bad(f"{RUN} memory=lots", ("memory=lots",)),
    Bad(f"{RUN} engine.name=fast", ("'fast'",)),
    Bad(f"{RUN} pack=maxi", ("'maxi'",)),
    Bad("run methods=v2l tasks=captioning limit=1 llm=nollm out=run", ("nollm",)),
    Bad(f"{RUN} preset=none", ("'none'",)),
    Bad(f"{RUN} preset=none.yaml", ("none.yaml",)),
    Bad(f"{RUN} seed=???", ("???",)),
    # Lists.
    Bad(f"{RUN} tasks=nothing", ("'nothing'",)),
    Bad(f"{RUN} tasks=[reconstruction", ("[reconstruction",)),
    Bad(f"{RUN} methods=blank,nobody", ("'nobody'",)),
    Bad(f"{RUN} suites=nothing", ("'nothing'",)),
    Bad(f"{RUN} suites=grounding", ("reconstruction", "grounding")),
    Bad(f"{RUN} task.reconstruction.metrics=nothing", ("'nothing'",)),
    Bad(f"{RUN} devices=cpu,gpu", ("gpu",)),
    # Paths.
    Bad(f"{RUN} out=", ("out=: a path is wanted",)),
    Bad(f"{RUN} pack=", ("pack=: a path is wanted",)),
    Bad("leaderboard run out=", ("out=: a path is wanted",)),
    Bad("new-plugin mine out=", ("out=: a path is wanted",)),
    Bad(f"{RUN} out=x.txt", ("x.txt", "is a file"), files={"x.txt": "x"}),
    Bad(f"{RUN} out=there", ("there", "'mine.txt'"), files={"there/mine.txt": "x"}),
    Bad(f"{RUN} out=x.txt/run", ("x.txt",), files={"x.txt": "x"}),
    Bad(f"{RUN} cache=x.txt", ("x.txt",), files={"x.txt": "x"}),
    Bad(f"{RUN} config=nowhere.yaml", ("nowhere.yaml",)),
    Bad(f"{RUN} config=", ("config=",)),
    Bad(f"{RUN} config=.", ("config=.",)),
    Bad(f"{RUN} plugins=none.py", ("none.py",)),
    Bad(f"{RUN} plugins=.", ("plugin file",)),
    Bad(f"{RUN} plugins=a.txt", ("a.txt",), files={"a.txt": "x = 1"}),
    Bad(f"{RUN} metric_weights.alex=nowhere.pth", ("nowhere.pth",)),
    Bad(f"{RUN} data.images=nowhere", ("data.images", "'nowhere'")),
    Bad(f"{RUN} data.images=", ("data.images",)),
    Bad(f"{RUN} data.nothing=.", ("'nothing'",)),
    Bad(f"{RUN} data.mine=nothing:.", ("data.mine=nothing:.", "'nothing'")),
    # Words that are no text, and texts that no file can hold.
    *(
        Bad(
            words,
            (r"the word '", r"\xff' is no text in UTF-8" if words[-1] == "\udcff" else r"\xff"),
        )
        for words in (
            f"{RUN} out=r\udcff",
            f"{RUN} plugins=a\udcff.py",
            f"{RUN} config=\udcff",
            f"{RUN} data.images=\udcff",
            f"{RUN} \udcff=3",
            "show \udcff",
            "verify \udcff",
            "leaderboard run out=\udcff",
            "look scene:1 out=\udcff.html",
            "train llm pack=x scratch=\udcff",
            "convert vqgan \udcff out=x",
            "new-plugin \udcff",
            "pack paper root=\udcff",
        )
    ),
    Bad(
        f"{RUN} config=a.yaml",
        (r"\ud800", "no text in UTF-8"),
        files={"a.yaml": r'cache: "r\ud800"'},
    ),
    Bad("leaderboard run out=x.txt", ("x.txt holds something else",), files={"x.txt": "x"}),
]


@pytest.mark.parametrize("bad", CASES, ids=str)
def test_a_wrong_word_is_refused_in_one_sentence(bad, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "cache"))
    bad_inputs.ended(bad, tmp_path, capsys)


@pytest.mark.parametrize(
    ("word", "said"), [(b"out=r\xff", rb"'out=r\xff' is no text"), (b"limt=3", b"'limit'")]
)
def test_a_process_ends_as_the_command_does(word, said, tmp_path):
    command = [sys.executable, "-m", "frostbench", "run", word]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True)
    assert (done.returncode, done.stdout) == (2, b"")
    (line,) = done.stderr.splitlines()
    assert line.startswith(b"frostbench: ")
    assert said in line
    assert not any(tmp_path.iterdir())
