"""Runs on another language model, by the command line, in a pack of toys."""

import json
from dataclasses import replace

import pytest
import torch
from language_models import config
from stored_runs import changed
from transformers import AutoModelForCausalLM

from frostbench.bench.cli import main
from frostbench.bench.leaderboard import build
from frostbench.bench.leaderboard.markdown import markdown
from frostbench.bench.leaderboard.matrix import matrix
from frostbench.bench.leaderboard.numbers import count
from frostbench.bench.leaderboard.pages import pages
from frostbench.bench.leaderboard.swap import language_models, swaps
from frostbench.bench.leaderboard.tables import sections
from frostbench.bench.store.reader import open_run

WORDS = ("red", "green", "blue", "grey", "ink", "sky", "sun", "sea")

PLUGIN = '''
from dataclasses import dataclass
from types import SimpleNamespace

import torch

from frostbench.plugins import Card, Classify, Generate, Grid, Image, LabelledImage, Method, Offer
from frostbench.plugins import Prompt, Shot, TaskCard, Text, TextPrediction, Trie, VisualTokens
from frostbench.plugins import hookimpl
from frostbench.plugins.parts.prompting.shared_vocabulary import share_vocabulary
from frostbench.plugins.contract.task import Instance, Task

WORDS = ("red", "green", "blue", "grey", "ink", "sky", "sun", "sea")
CARD = Card("shades", "none", capabilities=frozenset({"Classify"}), backbones=("llm",))


class Shades(Method):
    """An image is one word for how bright it is."""

    card = CARD

    def __init__(self, language):
        self._shared_words = share_vocabulary(WORDS, language)

    @classmethod
    def build(cls, setup):
        return cls(setup.backbones.get("llm"))

    @classmethod
    def toy(cls):
        raise NotImplementedError

    @property
    def fingerprint(self):
        return "".join(f"{row:02}" for row in self._shared_words.rows)

    @property
    def notes(self):
        return self._shared_words.notes("shades")

    @property
    def shortened_by(self):
        return ("words",)

    def tokenize(self, images, sizes):
        level = images.flatten(1).mean(1) * (len(self._shared_words.rows) - 1)
        return VisualTokens({"word": Grid(level.round().long()[:, None, None])})

    def prompt(self, request, tokens):
        def word(image):
            code = int(tokens[image].grid("word")[0, 0, 0])
            return Text(f" {WORDS[self._shared_words.rows[code]]}")

        shots = tuple(Shot((word(e.image),), (Text(f" {e.text}"),)) for e in request.examples)
        (done,) = yield [Prompt((word(request.image),), Generate(9, Trie(request.options)), shots)]
        return done.text

    def decode(self, requests, outcomes):
        return [TextPrediction(text) for text in outcomes]


@dataclass(frozen=True)
class Shots:
    shots: int = 2
    data: str = "levels"


class Naming(Task):
    """Bright or dark?"""

    card = TaskCard("naming", "understanding", "Classify", "label", ("accuracy[exact]",),
                    "accuracy[exact]", controls=("chance",))
    data = "levels"
    settings = Shots
    shortened_by = ("shots",)

    def __init__(self, settings):
        self._shots = settings.shots

    def instances(self, data, limit, seed):
        generator = torch.Generator().manual_seed(seed)
        for index in range(limit):
            levels = torch.rand(self._shots + 1, generator=generator)
            images = [Image(torch.full((3, 4, 4), float(level)), str(level)) for level in levels]
            names = ["light" if level > 0.5 else "dark" for level in levels]
            shots = tuple(LabelledImage(i, n) for i, n in zip(images[1:], names[1:]))
            request = Classify(f"{index:03}", images[0], shots, ("light", "dark"), seed=index)
            yield Instance(request, names[0], None, f"{index:03}")

    def controls(self, instances):
        return {"chance": [TextPrediction("light") for _ in instances]}


@hookimpl
def frostbench_methods():
    return [Offer(CARD, Shades)]


@hookimpl
def frostbench_tasks():
    return [Offer(Naming.card, Naming)]


@hookimpl
def frostbench_datasets():
    return [Offer("levels", lambda folder: SimpleNamespace())]
'''


def tokenizer(words):
    """Byte-level BPE that has these words as single tokens, and hardly others."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<pad>", "<bos>", "<eos>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator([" ".join(words)] * 9, trainer)
    made.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>"
    )


def save(folder, family, words, context=96):
    reads = tokenizer(words)
    sizes = config(family, context)
    sizes.vocab_size = len(reads)
    torch.manual_seed(len(words))
    AutoModelForCausalLM.from_config(sizes).save_pretrained(folder)
    reads.save_pretrained(folder)


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    """The pack's own language model, one that has half of the words and a name, one without any."""
    folder = tmp_path_factory.mktemp("pack")
    save(folder / "llm", "llama", WORDS)
    save(folder / "half", "gpt2", WORDS[:4])
    save(folder / "bare", "llama", ("kiwi", "plum"))
    (folder / "plugin.py").write_text(PLUGIN)
    (folder / "levels").mkdir()
    (folder / "levels" / "levels.json").write_text("[]")
    text = {
        "name": "toys",
        "backbones": {"llm": {"kind": "causal_lm", "source": "llm"}},
        "alternatives": {"llm": {"other": {"kind": "causal_lm", "source": "half"}}},
        "methods": {"shades": {}},
        "data": {"levels": "levels"},
    }
    (folder / "pack.json").write_text(json.dumps(text))
    return folder


@pytest.fixture
def words_of_run(pack, tmp_path):
    def words(*more, out="run"):
        return [
            "run",
            f"pack={pack}",
            f"plugins={pack / 'plugin.py'}",
            "methods=shades",
            "tasks=naming",
            "limit=4",
            f"cache={tmp_path / 'tokens'}",
            f"out={tmp_path / out}",
            *more,
        ]

    return words


def test_a_run_names_its_language_model_and_the_words_that_it_lacks(words_of_run, tmp_path, capsys):
    assert main(words_of_run(out="own")) == 0
    assert "no single token" not in capsys.readouterr().err
    assert main(words_of_run("llm=other", out="other")) == 0
    sentence = "4 of the 8 words of shades's codebook (50.0%) are no single token"
    assert f"shades: {sentence}" in capsys.readouterr().err
    own, other = (open_run(tmp_path / name).manifest for name in ("own", "other"))
    assert own.methods["shades"].notes == ()
    assert other.methods["shades"].notes[0].startswith(sentence)
    first, second = own.backbones["llm"], other.backbones["llm"]
    assert (first.source, second.source) == ("llm", "half")
    assert first.sha256_before != second.sha256_before
    assert (own.config["llm"], other.config["llm"]) == (None, "other")
    assert main(["show", str(tmp_path / "other"), "all=true"]) == 0
    shown = capsys.readouterr().out
    assert f"shades: {sentence}" in shown
    assert "language model: half, float32" in shown
    board = ["leaderboard", str(tmp_path / "own"), str(tmp_path / "other")]
    assert main([*board, f"out={tmp_path / 'site'}"]) == 0
    site = (tmp_path / "site" / "leaderboard.md").read_text()
    assert "## Same tokenizer, other LLM" not in site  # not the same: it has no weights
    assert "shades · half" in site


def test_a_folder_works_as_a_name_does(words_of_run, pack, tmp_path):
    assert main(words_of_run("llm=half", out="inside")) == 0
    assert main(words_of_run(f"llm={pack / 'half'}", out="local")) == 0
    inside, local = (open_run(tmp_path / name).manifest for name in ("inside", "local"))
    assert inside.backbones == local.backbones


def test_the_type_of_numbers_can_be_chosen_with_it(words_of_run, tmp_path):
    assert main(words_of_run("llm=other", "dtype=bfloat16")) == 0
    assert open_run(tmp_path / "run").manifest.backbones["llm"].dtype == "bfloat16"


def test_a_run_is_not_resumed_on_another_language_model(words_of_run, capsys):
    assert main(words_of_run()) == 0
    assert main(words_of_run("llm=other")) == 2
    assert "llm.source was 'llm' and is now 'half'" in capsys.readouterr().err


def test_a_language_model_without_the_words_ends_in_one_sentence_before_anything_runs(
    words_of_run, tmp_path, capsys
):
    assert main(words_of_run("llm=bare")) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("frostbench: with llm=bare method 'shades' cannot be built")
    assert "have only 0 of the codebook's 8 words (0.0%); choose one" in line
    assert not (tmp_path / "run" / "manifest.json").exists()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("./nowhere", "no language model at nowhere: a folder with config.json"),
        ("levels", "no language model at"),
        ("nobody/nothing", "no language model 'nobody/nothing' in the local Hugging Face cache"),
        ("broken", "is cut short or no safetensors file"),
        ("empty", "no language model can be loaded from"),
        ("masked", "RobertaForMaskedLM, which reads in both directions"),
    ],
)
def test_what_is_no_language_model_is_refused_with_what_there_is(
    words_of_run, pack, tmp_path, capsys, monkeypatch, name, expected
):
    monkeypatch.chdir(tmp_path)
    save(pack / "broken", "llama", WORDS)
    (pack / "broken" / "model.safetensors").write_bytes(b"0" * 99)
    save(pack / "empty", "llama", WORDS)
    (pack / "empty" / "model.safetensors").unlink()
    masked(pack / "masked")
    capsys.readouterr()
    assert main(words_of_run(f"llm={name}")) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line
    assert line.endswith("The pack 'toys' has its own, other.")
    assert not (tmp_path / "run" / "manifest.json").exists()


def masked(folder):
    from transformers import RobertaConfig, RobertaForMaskedLM

    reads = tokenizer(WORDS)
    sizes = RobertaConfig(
        vocab_size=len(reads),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=64,
    )
    RobertaForMaskedLM(sizes).save_pretrained(folder)
    reads.save_pretrained(folder)


def test_a_context_that_is_too_long_is_told_with_length_limit_and_settings(
    words_of_run, pack, tmp_path, capsys
):
    save(pack / "short", "llama", WORDS, context=20)
    capsys.readouterr()
    assert main(words_of_run("llm=short", "task.naming.shots=6")) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "naming with method shades: " in line
    assert "backbone 'llm' reads 20; shorten it with method.shades.words or" in line
    assert line.endswith("or task.naming.shots.")
    assert not (tmp_path / "run" / "manifest.json").exists()


def test_a_packs_other_language_models_are_listed(pack, tmp_path, capsys):
    plugin = tmp_path / "pack_plugin.py"
    plugin.write_text(
        "from frostbench.plugins import PackCard, hookimpl\n\n\n"
        "@hookimpl\ndef frostbench_packs():\n"
        f"    return [PackCard('toys', {str(pack)!r}, 'toys')]\n"
    )
    assert main(["list", "packs", f"plugins={plugin}"]) == 0
    assert "llm=other in place of its own" in capsys.readouterr().out


def other(run, number, **methods):
    """The run as another language model would have given it."""
    manifest = with_model(
        run.manifest,
        source=f"elsewhere/model-{number}",
        sha256_before=f"{number:02}" * 32,
        parameters=number * 1_000_000,
    )
    for name, changes in methods.items():
        manifest = manifest.with_method(name, **changes)
    return changed(run, manifest=manifest)


def with_model(manifest, **changes):
    """The manifest of the same run on a language model of which something is changed."""
    llm = replace(manifest.backbones["llm"], **changes)
    return replace(manifest, backbones={**manifest.backbones, "llm": llm})


@pytest.fixture(scope="module")
def swapped(synthetic):
    first = synthetic(samples=6)
    lacking = {"fingerprint": "9" * 64, "notes": ("half of its words are missing.",)}
    second = other(synthetic("b", samples=6, skill=0.4), 2, v2l=lacking)
    return build([first, second])


def test_rows_of_different_language_models_are_named_and_never_ranked_together(swapped):
    rows = [row for row in swapped.rows if row.kind == "measured" and row.metric == "psnr[rgb]"]
    assert {row.llm for row in rows} == {"llm", "model-2"}
    assert {row.rank.high for row in rows} <= {1, 2}
    groups = [group for s in sections(swapped) for table in s.tables for group in table.groups]
    for group in groups:
        assert len({line.row.llm for line in group.methods}) == 1
    names = {line.name for group in groups for line in group.methods}
    assert names == {"v2l · llm", "vqgan · llm", "v2l · model-2", "vqgan · model-2"}
    assert any("language model model-2: ranked among themselves" in g.note for g in groups)


def test_a_table_has_methods_down_and_language_models_across(swapped):
    found = swaps(swapped)
    assert found.models == (("llm", count(5_120_000)), ("model-2", count(2_000_000)))
    places = {(swap.task, swap.protocol) for swap in found.tables}
    assert ("inpainting", "held_out_context") in places
    assert len(places) == len(found.tables) == 4 + 1 + 4
    for swap in found.tables:
        assert [line.method for line in swap.lines] == ["v2l", "vqgan"]
        for line in swap.lines:
            assert [cell.llm for cell in line.cells] == ["llm", "model-2"]
            assert all(cell.low <= cell.value <= cell.high for cell in line.cells if cell.low)
    assert found.notes == ("v2l · model-2: half of its words are missing.",)
    text = markdown(swapped, "title")
    assert "## Same tokenizer, other LLM" in text
    assert f"| llm ({count(5_120_000)} parameters) | model-2 (" in text
    assert "half of its words are missing." in text
    parts = sections(swapped)
    shown = dict(pages(swapped, (), {}, parts, matrix(swapped, parts), {}))["about.html"]
    assert 'id="swap"' in shown
    assert "model-2" in shown


def test_another_training_of_a_method_is_another_tokenizer(synthetic):
    run = synthetic(samples=6)
    trained_again = {"weights": {"model.safetensors": "cd" * 32}, "fingerprint": "8" * 64}
    found = swaps(build([run, other(run, 2, v2l=trained_again)]))
    assert {line.method for swap in found.tables for line in swap.lines} == {"vqgan"}


def test_an_adapter_of_one_language_model_alone_makes_no_other_tokenizer(synthetic):
    run = synthetic(samples=6)
    adapted = {
        "weights": {"model.safetensors": "ab" * 32, "adapter.safetensors": "ef" * 32},
        "fingerprint": "8" * 64,
    }
    found = swaps(build([run, other(run, 2, v2l=adapted)]))
    assert {line.method for swap in found.tables for line in swap.lines} == {"v2l", "vqgan"}


def test_other_samples_are_never_put_side_by_side(synthetic):
    runs = synthetic(samples=6), other(synthetic(samples=6, seed=3), 2)
    assert swaps(build(list(runs))).tables == ()


def test_runs_on_one_language_model_have_no_such_table_and_no_names(synthetic):
    leaderboard = build([synthetic(samples=6), synthetic("b", samples=6, skill=0.4)])
    assert swaps(leaderboard).tables == ()
    assert {row.llm for row in leaderboard.rows} == {None}
    assert "other LLM" not in markdown(leaderboard, "title")


def test_two_language_models_of_one_name_are_told_apart(synthetic):
    run = synthetic(samples=6)
    halves = [with_model(run.manifest, sha256_before=f"{number}" * 64) for number in range(3)]
    halves[1] = with_model(halves[1], dtype="bfloat16")
    assert language_models(halves) == (
        "llm float32 000000",
        "llm bfloat16 111111",
        "llm float32 222222",
    )
    assert language_models(halves[:2]) == ("llm float32", "llm bfloat16")
    halves[0] = replace(halves[0], backbones={})
    assert language_models(halves)[0] is None
