"""One bad installed plugin is left out, whole and by name; one that was asked for is refused."""

import re

import pytest
from installed_plugins import HOOK, install, offering

from frostbench.plugins.host.errors import PluginError
from frostbench.plugins.host.registry import Host

CARDS = "from frostbench.plugins.contract.cards import Card, Offer\n"
METHODS = HOOK + CARDS + "\n@hookimpl\ndef frostbench_methods({}):\n    {}\n"
SPOILED = (  # as a card is made where nobody checks types
    "card = Card('a', 'b'); object.__setattr__(card, '{}', {}); return [Offer(card, 'json:loads')]"
)
ALSO_A_PACK = (
    offering("half")
    + """
from frostbench.plugins.contract.cards import PackCard

@hookimpl
def frostbench_packs():
    return [PackCard("half", "nowhere")]

@hookimpl
def frostbench_controls():
    raise RuntimeError("the other half")
"""
)
BAD = {
    "raises on import": ("raise RuntimeError('broken')", "RuntimeError: broken"),
    "no python": ("def (", "SyntaxError"),
    "exits": ("import sys; sys.exit(0)", "SystemExit: 0"),
    "parses": (
        "import argparse; argparse.ArgumentParser().parse_args(['--no-such-option'])",
        "SystemExit: 2",
    ),
    "interrupts": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "generator exit": ("raise GeneratorExit", "GeneratorExit"),
    "silent": (
        "class E(Exception):\n    def __str__(self): raise SystemExit(0)\nraise E",
        "E: its text cannot be had",
    ),
    "loud": ("raise ValueError('a' * 5_000_000)", "characters left out"),
    "no hook": ("x = 1", "it has no hook"),
    "unknown hook": (HOOK + "@hookimpl\ndef frostbench_methds(): return []", "frostbench_methds"),
    "arguments": (METHODS.format("x", "return []"), "Argument(s) {'x'} are declared"),
    "other contract": ("FROSTBENCH_CONTRACT = '2.0'\n" + offering("late"), "version 2.0"),
    "no contract": ("FROSTBENCH_CONTRACT = 3\n" + offering("late"), "no version like"),
    "raises": (METHODS.format("", "raise RuntimeError('inside')"), "methods: RuntimeError: inside"),
    "exits in a hook": (METHODS.format("", "raise SystemExit"), "methods: SystemExit"),
    "none": (METHODS.format("", "return None"), "methods: it returns None"),
    "numbers": (METHODS.format("", "return [3]"), "methods: 3 is no offer of a Card"),
    "a number": (METHODS.format("", "return 3"), "methods: it returns 3"),
    "instances": (METHODS.format("", "return [object()]"), "is no offer of a Card"),
    "texts": (METHODS.format("", "return 'abc'"), "'a' is no offer of a Card"),
    "lazy": (METHODS.format("", "yield 3 / 0"), "methods: ZeroDivisionError"),
    "endless": (
        METHODS.format("", "import itertools; return map(card, itertools.count())")
        + "\ndef card(i):\n    return Offer(Card(str(i), ''), 'json:loads')",
        "more than 10000 methods",
    ),
    "twice": (
        METHODS.format("", "return [Offer(Card('a', ''), 'json:loads')] * 2"),
        "offers the name 'a' twice",
    ),
    "no text": (METHODS.format("", SPOILED.format("summary", "3")), "summary is of a wrong type"),
    "no texts": (METHODS.format("", SPOILED.format("backbones", "(3,)")), "backbones is of a wro"),
    "nameless": (
        HOOK + "@hookimpl\ndef frostbench_engines():\n"
        "    from frostbench.plugins.contract.cards import Offer\n    return [Offer('', 'a:b')]",
        "no name of 1 to 200 characters",
    ),
    "evil repr": (
        METHODS.format("", "return [E()]")
        + "\nclass E:\n    def __repr__(self): raise SystemExit(0)",
        "methods: SystemExit",
    ),
    "half": (ALSO_A_PACK, "controls: RuntimeError: the other half"),
    "taken": (offering("v2l"), "the method name 'v2l' is taken by plugin 'v2l'"),
}


@pytest.fixture
def site(tmp_path, monkeypatch):
    (tmp_path / "site").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return tmp_path / "site"


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_installed_plugin_is_left_out_whole_and_said(site, kind):
    code, said = BAD[kind]
    install(site, "bad", code)
    install(site, "good", offering("good"))
    host = Host()
    (one,) = host.left_out
    (sentence,) = host.problems
    assert one.plugin == "bad"
    assert said in sentence
    assert sentence.startswith("plugin 'bad' (bad_of_")
    assert len(sentence) < 1200
    assert {"v2l", "good"} <= set(host.methods)
    assert not {"half", "late", "a", "0"} & {*host.methods, *host.packs}


@pytest.mark.parametrize("kind", [kind for kind in BAD if kind != "taken"])
def test_the_same_plugin_in_a_file_that_is_asked_for_is_refused(tmp_path, kind):
    code, said = BAD[kind]
    path = tmp_path / "mine.py"
    path.write_text(code)
    with pytest.raises(PluginError) as caught:
        Host([path], installed=False)
    assert said in str(caught.value)
    assert "mine.py" in str(caught.value)


def test_names_of_a_plugin_that_is_left_out_are_free_and_the_first_of_two_keeps_its_own(site):
    install(site, "a-half", ALSO_A_PACK)
    install(site, "b", offering("half"))
    install(site, "c", offering("half"))
    host = Host()
    assert host.methods["half"].plugin == "b"
    assert [one.plugin for one in host.left_out] == ["a-half", "c"]
    assert "the method name 'half' is taken by plugin 'b'" in host.problems[1]


def test_two_packages_with_a_plugin_of_one_name_are_told_apart(site, tmp_path):
    install(site, "same", offering("one"), module="first_same")
    other = install(site, "other", offering("two"), module="second_same")
    (other / "entry_points.txt").write_text("[frostbench]\nsame = second_same\n")
    host = Host()
    assert "two" in host.methods
    assert "one" not in host.methods
    (sentence,) = host.problems
    assert "the plugin name is taken by" in sentence
    assert "second_same.py" in sentence


def test_plugins_are_disabled_by_their_name_or_their_packages(site, monkeypatch):
    install(site, "exits", "raise SystemExit(0)")
    install(site, "good", offering("good"))
    for name in ("exits", "exits-package"):
        host = Host(disabled=[name])
        assert host.problems == []
        assert [(one.plugin, one.wanted) for one in host.left_out] == [("exits", True)]
        assert "good" in host.methods
    with pytest.raises(LookupError, match=r"plugins\.disabled: no .* 'exit'.* mean 'exits'"):
        Host(disabled=["exit"])
    assert "v2l" not in Host(disabled=["v2l"]).methods


@pytest.mark.parametrize(("value", "bare"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_without_plugins_nothing_of_others_is_imported(site, monkeypatch, value, bare):
    install(site, "good", offering("good") + "\nopen(__file__ + '.seen', 'w').close()\n")
    monkeypatch.setenv("FROSTBENCH_NO_PLUGINS", value)
    host = Host()
    assert "v2l" in host.methods
    assert ("good" in host.methods) != bare
    assert bool(list(site.glob("*.seen"))) != bare
    assert host.problems == []


@pytest.mark.parametrize("spoiled", ["entry points", "metadata", "bytes"])
def test_damaged_metadata_of_a_package_takes_no_other_along(site, spoiled):
    info = install(site, "damaged", offering("damaged"))
    install(site, "good", offering("good"))
    if spoiled == "entry points":
        (info / "entry_points.txt").write_text("[frostbench]\nno equals sign\n")
    if spoiled == "metadata":
        (info / "METADATA").unlink()
    if spoiled == "bytes":
        (info / "entry_points.txt").write_bytes(b"[frostbench]\n\xff\xfe = \xff\n")
    host = Host()
    assert {"v2l", "good"} <= set(host.methods)
    (sentence,) = host.problems
    assert "damaged" in sentence
    assert re.search("its package.* cannot be read", sentence)


def test_a_plugin_without_a_file_is_named_by_its_entry_point(site):
    info = install(site, "thing", HOOK)
    text = HOOK + "class T:\n    @hookimpl\n    def frostbench_methods(self): raise ValueError\n"
    (site / "a_thing.py").write_text(text + "thing = T()\n")
    (info / "entry_points.txt").write_text("[frostbench]\nthing = a_thing:thing\n")
    (sentence,) = Host().problems
    assert sentence.startswith("plugin 'thing' (a_thing:thing) is left out")


def test_a_name_that_is_not_there_is_answered_with_what_is_left_out(site):
    install(site, "bad", "raise RuntimeError")
    with pytest.raises(LookupError, match="Left out are the plugins bad"):
        Host().pick("method", "bad")
