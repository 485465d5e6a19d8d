"""Files of keys, packs, plugin files and packages that are wrong."""

import json

import bad_inputs
import pytest
from bad_inputs import BLANK, LIGHT, Bad
from light_plugin import pack

RUN = f"run {BLANK} tasks=reconstruction"
LIST = "list methods"
NAMING = f"run {LIGHT} methods=light tasks=light_naming limit=2 out=run"

HOOK = "from frostbench.plugins import *\nfrom frostbench.plugins import hookimpl\n"
METHOD = """
class Mine(Method):
    card = {card}
    @classmethod
    def build(cls, setup): return cls()
    @classmethod
    def toy(cls): return cls()
    fingerprint = "0"
    def tokenize(self, images, sizes): raise RuntimeError
    def prompt(self, request, tokens): return None; yield
    def decode(self, requests, outcomes): return []

@hookimpl
def frostbench_methods():
    return {offered}
"""


def plugin(body: str) -> dict[str, str]:
    """A plugin file."""
    return {"mine.py": HOOK + body}


def offering(hook: str, returned: str) -> dict[str, str]:
    """A plugin file with one hook."""
    return plugin(f"\n@hookimpl\ndef frostbench_{hook}():\n    return {returned}\n")


def method(card: str = "Card('mine', 'a paper')", offered: str = "[Mine]") -> dict[str, str]:
    """A plugin file with a method."""
    return plugin(METHOD.format(card=card, offered=offered))


def config(content: str | bytes, *says: str) -> Bad:
    """A file of keys."""
    return Bad(f"{RUN} config=keys.yaml", ("keys.yaml", *says), files={"keys.yaml": content})


def packed(change, *says: str, words: str = NAMING) -> Bad:
    """The pack of `light_plugin` with a change to its pack.json: a text, or keys."""

    def make(folder):
        place = pack(folder / "light") / "pack.json"
        if isinstance(change, dict):
            kept = {**json.loads(place.read_text()), **change}
            kept = {key: value for key, value in kept.items() if value != "absent"}
            place.write_text(json.dumps(kept))
        else:
            place.write_bytes(change)

    return Bad(words, says, make=make)


def mine(files: dict[str, str], *says: str, words: str = LIST, code: int = 2) -> Bad:
    """A plugin file that is named."""
    return Bad(f"{words} plugins=mine.py", ("mine.py", *says), code, files=files, quotes=True)


CONFIGS = [
    config("limit: [", "line 1"),
    config("limit: 'ten", "line 1"),
    config("- a\n- b\n", "keys"),
    config("just text", "keys"),
    config(b"limit: caf\xe9\n", "UTF-8"),
    config(b"\x00\x01\x02", "keys.yaml"),
    config(b"PK\x03\x04zip", "keys.yaml"),
    config("limit: 3\nlimit: 4\n", "'limit'", "twice"),
    config("limt: 3\n", "'limt'", "Did you mean 'limit'"),
    config("limit: ten\n", "limit", "'ten'"),
    config("limit: {a: 3}\n", "limit"),
    config("controls: 7\n", "controls"),
    config("plugins: {files: [a.py], enabled: [b]}\n", "plugins"),
    config("tasks: {a: b}\n", "tasks"),
    config("method: [v2l]\n", "method"),
    config("limits: 3\n", "limits"),
    config("seed: -1\n", "seed=-1"),
    config("a:\n\tb: 3\n", "line 2"),
    config("limit: !!python/object:os.system x\n", "line 1"),
    config("limit: &a [*a]\n", "limit"),
    config("limit: *nothing\n", "line 1"),
    config("seed: ${limit\n", "seed"),
    config("seed: ${nothing}\n", "seed"),
    config("seed: ${env:HOME}\n", "seed"),
    config("[" * 3000, "keys.yaml"),
    Bad(f"{RUN} preset=keys.yaml", ("'limt'",), files={"keys.yaml": "limt: 3"}),
    Bad("list config=keys.yaml", ("'limit'",), files={"keys.yaml": "limit: 3"}),
]

PACKS = [
    packed(b"", "pack.json", "it is empty"),
    packed(b"{", "pack.json", "ends in the middle"),
    packed(b'{\n"name": nobody}', "pack.json", "line 2"),
    packed(b"[]", "pack.json"),
    packed(b"3", "pack.json"),
    packed(b'{"name": "caf\xe9"}', "pack.json", "UTF-8"),
    packed(b"[" * 100_000, "pack.json"),
    packed({"name": "absent"}, "pack.json", "'name'"),
    packed({"name": 3}, "pack.json", "name"),
    packed({"backbones": "absent"}, "pack.json", "'backbones'"),
    packed({"backbones": []}, "pack.json", "backbones"),
    packed({"backbones": {"llm": {"kind": "causal_lm"}}}, "pack.json", "llm", "'source'"),
    packed({"backbones": {"llm": {"source": "llm"}}}, "pack.json", "llm", "'kind'"),
    packed({"backbones": {"llm": "llm"}}, "pack.json", "llm"),
    packed({"methods": "absent"}, "pack.json", "'methods'"),
    packed({"methods": {"light": 3}}, "pack.json", "light"),
    packed({"methods": {"light": {"weights": 3}}}, "pack.json", "light", "weights"),
    packed({"methods": {"light": {"settings": 3}}}, "pack.json", "light", "settings"),
    packed({"data": {"light_pictures": 3}}, "pack.json", "light_pictures"),
    packed({"data": {"light_pictures": "nowhere"}}, "nowhere"),
    packed({"alternatives": []}, "pack.json", "alternatives"),
    packed({"metric_weights": {"alex": 3}}, "pack.json", "alex"),
    Bad("run pack=. out=run", ("no pack at .",)),
    Bad("look scene:1 pack=p", ("p/pack.json",), files={"p/pack.json": "{"}),
    Bad("score nowhere pack=p", ("no run at nowhere",)),
    Bad("train llm pack=p scratch=s", ("p",), files={"p": "a file"}),
]

PLUGINS = [
    mine(plugin("def ("), "line 3"),
    mine(plugin("import nothing_like_this"), "nothing_like_this"),
    mine(plugin("raise SystemExit(0)"), "SystemExit"),
    mine(plugin("1 / 0"), "ZeroDivisionError"),
    mine({"mine.py": b"x = '\xff'\n"}, "UTF-8"),  # type: ignore[dict-item]
    mine({"mine.py": b"x = '\x00'\n"}, "no text"),  # type: ignore[dict-item]
    mine({"mine.py": ""}, "mine.py"),
    mine(offering("methods", "3"), "methods"),
    mine(offering("methods", "None"), "methods"),
    mine(offering("methods", "[3]"), "methods"),
    mine(offering("methods", "[int]"), "methods"),
    mine(offering("methods", "1 / 0"), "ZeroDivisionError"),
    mine(offering("metods", "[]"), "metods"),
    mine(plugin("@hookimpl\ndef frostbench_methods(x): return []"), "'x'"),
    mine(method(card="None"), "the class Mine"),
    mine(method(card="Card('v2l', 'a paper')"), "'v2l'", "taken"),
    mine(method(card="Card('a b', 'a paper')"), "'a b'"),
    mine(method(card="Card('', 'a paper')"), "name"),
    mine(method(card="Card('mine', 'a paper', capabilities=frozenset({'Fly'}))"), "'Fly'"),
    mine(method(offered="[Mine, Mine]"), "'mine'"),
    mine(method(offered="(one for one in iter(lambda: Mine, 0))"), "methods"),
    mine(offering("metrics", "[Offer(MetricFacts('mine'), abs, 3)]"), "metrics"),
    mine(offering("metrics", "[Offer(MetricFacts('mine', lower=2.0, upper=1.0), abs)]"), "mine"),
    mine(offering("controls", "[Offer(3, abs)]"), "controls"),
    mine(offering("datasets", "[Offer(3, abs)]"), "datasets"),
    mine(offering("tasks", "[Offer(MetricFacts('mine'), abs)]"), "tasks"),
    mine(offering("presets", "3"), "presets"),
    mine(offering("recipes", "[3]"), "recipes"),
    mine(offering("converters", "['mine']"), "converters"),
    mine(offering("engines", "[3]"), "engines"),
    mine(offering("backbones", "[3]"), "backbones"),
    mine(offering("packs", "[3]"), "packs"),
    Bad(f"{LIST} plugins=frostbench.py", ("frostbench.py",), files={"frostbench.py": "x = 1"}),
    Bad(f"{LIST} plugins=a,b.py", ("a",), files={"b.py": "x = 1"}),
    Bad(
        f"{LIST} plugins=a/mine.py,b/mine.py",
        ("a/mine.py", "b/mine.py"),
        files={f"{one}/mine.py": next(iter(method().values())) for one in "ab"},
    ),
]


def working(body: str, *says: str, code: int = 1, rows: int = 1) -> Bad:
    """A plugin file that is sound until it is at work, beside another method that is done."""
    files = plugin(f"from dataclasses import replace\nfrom light_plugin import Light\n{body}")
    run = NAMING.replace("plugins=", "plugins=mine.py,").replace(
        "methods=light ", "methods=light,mine "
    )
    # A metric that gives no score fails the samples of all rows.
    done = ("light_naming",) if rows == 1 else ()
    return Bad(run, says, code, files, pack_light, rows, done, quotes=True)


def pack_light(folder):
    pack(folder / "light")


def light(change: str) -> str:
    """A method like that of `light_plugin`, with a change."""
    return f"""
class Mine(Light):
    card = replace(Light.card, name="mine")
{change}

@hookimpl
def frostbench_methods(): return [Mine]
"""


def hooked(hook: str, returned: str) -> str:
    return (
        light("    pass")
        + f"""
@hookimpl
def frostbench_{hook}: {returned}
"""
    )


ODD = "MetricFacts('odd', tasks=('light_naming',))"
WORKING = [
    working(
        light("    @classmethod\n    def build(cls, setup): raise OSError('gone')"),
        "'mine'",
        "gone",
    ),
    working(light("    @classmethod\n    def build(cls, setup): return 3"), "'mine'", "no Method"),
    working(light("    def tokenize(self, images, sizes): return None"), "'mine'", "tokenize"),
    working(light("    def tokenize(self, images, sizes): 1 / 0"), "'mine'", "ZeroDivisionError"),
    working(light("    def prompt(self, request, tokens): return 3"), "'mine'", "prompt"),
    working(light("    def prompt(self, request, tokens): yield 3"), "'mine'", "prompt"),
    working(light("    def decode(self, requests, outcomes): return []"), "'mine'", "decode"),
    working(
        light("    def decode(self, requests, outcomes): return [3] * len(requests)"),
        "'mine'",
        "decode",
    ),
    working(
        light("    def decode(self, requests, outcomes): raise KeyError(chr(0xd800))"),
        "'mine'",
        "KeyError",
    ),
    working(
        hooked("sample_scored(sample)", "return {'x': float('inf')}"), "mine", "scored", code=0
    ),
    working(
        hooked("sample_scored(sample)", "1 / 0"), "mine", "scored", "ZeroDivisionError", code=0
    ),
    working(
        hooked("run_started(manifest)", "1 / 0"), "mine", "started", "ZeroDivisionError", code=0
    ),
    working(
        hooked("run_finished(folder)", "1 / 0"), "mine", "finished", "ZeroDivisionError", code=0
    ),
    working(
        hooked(
            "metrics()",
            f"return [Offer({ODD}, lambda p, t: 'x')]",
        ),
        "'odd'",
        rows=2,
    ),
    working(
        hooked(
            "metrics()",
            f"return [Offer({ODD}, lambda p, t: float('inf'))]",
        ),
        "'odd'",
        rows=2,
    ),
    working(
        hooked(
            "metrics()",
            f"return [Offer({ODD}, lambda p, t: 1 / 0)]",
        ),
        "'odd'",
        "ZeroDivisionError",
        rows=2,
    ),
]


@pytest.mark.parametrize("bad", WORKING, ids=str)
def test_a_plugin_that_fails_at_work_takes_nothing_along(bad, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    bad_inputs.ended(bad, tmp_path, capsys)


@pytest.mark.parametrize("bad", [*CONFIGS, *PACKS, *PLUGINS], ids=str)
def test_a_wrong_file_is_refused_in_one_sentence(bad, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    bad_inputs.ended(bad, tmp_path, capsys)
