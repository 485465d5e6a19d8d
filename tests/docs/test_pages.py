"""The documentation's code runs, and what it points at is there."""

import json
import re
import shlex
import sys

import pytest
import yaml
from docs_site.page import DOCS
from docs_site.pages import generated_paths
from pages import PAGES, REPOSITORY, blocks, write_files

from frostbench.bench.cli import main
from frostbench.bench.cli.commands import COMMANDS
from frostbench.bench.cli.config import RunConfig, read_config, split_words
from frostbench.plugins.host.registry import Host

LANGUAGES = {"python", "sh", "json", "yaml", "text"}


def named(page):
    return str(page.relative_to(REPOSITORY))


def commands(text):
    """The commands of a shell block, without comments."""
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]
    return [words for words in lines if words]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("tokens")


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_code_of_a_page_runs_from_top_to_bottom(page, cache, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    # A block imports a file of its page, and no page that of another.
    monkeypatch.syspath_prepend(tmp_path)
    for file in write_files(page, tmp_path):
        monkeypatch.delitem(sys.modules, file.stem, raising=False)
    names = {"__name__": "page"}
    for block in blocks(page):
        assert block.language in LANGUAGES, f"{page.name} has a block of {block.language!r}"
        match block.language, block.note:
            case "python", "":
                exec(compile(block.text, page.name, "exec"), names)
            case "sh", "":
                for words in commands(block.text):
                    assert words[0] == "frostbench"
                    assert main(words[1:]) == 0, (words, capsys.readouterr().err)
            case "sh", note:
                assert note == "slow"
            case "json", _:
                json.loads(block.text)
            case "yaml", _:
                yaml.safe_load(block.text)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_slow_command_of_a_page_names_what_there_is(page):
    host = Host()
    for block in blocks(page):
        if (block.language, block.note) != ("sh", "slow"):
            continue
        for program, *words in commands(block.text):
            if program == "make":
                assert f"\n{words[0]}:" in (REPOSITORY / "Makefile").read_text()
            elif program == "python":
                assert (REPOSITORY / words[0]).is_file()
            elif program == "frostbench":
                assert words[0] in COMMANDS
                if words[0] == "run":
                    _check_run(words[1:], host)
            elif program in ("torchrun", "srun"):
                command, *rest = words[words.index("frostbench") + 1 :]
                assert command in ("run", "train")
                if command == "run":
                    _check_run(rest, host)
            else:
                assert program in ("pip", "lmms-eval", "accelerate", "trackio")


def _check_run(words, host):
    plain, overrides = split_words(words)
    config = read_config(RunConfig, overrides)
    assert not plain
    assert set(config.methods) <= set(host.methods)
    # lmms-eval's own tasks are known where it is installed.
    named = {name for name in (*config.tasks, *config.task) if not name.startswith("lmms:")}
    assert named <= set(host.tasks)


LINKING = sorted({*PAGES, *REPOSITORY.glob("*.md"), *REPOSITORY.glob("*/README.md")})


@pytest.mark.parametrize("page", LINKING, ids=named)
def test_links_and_images_of_a_page_lead_to_files(page):
    generated = {(DOCS / one).resolve() for one in generated_paths()}
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith("http"):
            path = (page.parent / target).resolve()
            assert path.exists() or path in generated, target


def test_the_readme_stays_within_two_screens():
    assert len((REPOSITORY / "README.md").read_text().splitlines()) <= 70
