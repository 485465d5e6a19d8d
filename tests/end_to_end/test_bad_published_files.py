"""Damaged, foreign and ill-matched published files: one sentence, and nothing left behind."""

import json
import os
import pickle
import shutil
import zipfile

import annotation_trees
import msgpack
import numpy as np
import official_files
import pytest
import torch

from frostbench.bench.cli import main
from frostbench.plugins.kit import toys

TINY_WORDS = 64  # CLIP reads no text here


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Official files of every converter, all of them as they should be."""
    root = tmp_path_factory.mktemp("sound")
    official_files.vqgan(root / "last.ckpt")
    official_files.v2l(root)
    official_files.lqae(root / "lqae.npz")
    official_files.lqae(root / "lqae.msgpack")
    official_files.lm4lv(root / "pytorch_model.pt", ranks=(2, 2))
    official_files.flmm(root / "heads.pth")
    heads = torch.load(root / "heads.pth", weights_only=True)
    torch.save(heads, root / "old.pth", _use_new_zipfile_serialization=False)
    official_files.openai_clip(root / "ViT-L-14.pt", TINY_WORDS)
    transformers_clip(root / "clip")
    official_files.llama(root / "llm")
    return root


def transformers_clip(folder, act="quick_gelu"):
    """A CLIP in transformers' layout, of one layer."""
    import transformers

    tower = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    tower |= {"num_attention_heads": 2, "hidden_act": act}
    config = transformers.CLIPConfig(
        vision_config={**tower, "image_size": 16, "patch_size": 8},
        text_config={**tower, "vocab_size": TINY_WORDS, "eos_token_id": 2},
        projection_dim=8,
    )
    with toys.seeded():
        transformers.CLIPModel(config).save_pretrained(folder)


# By the file: its converter, and what else that wants.
V2L = ("global_words=codebooks/global_vocabulary.npy", "llm=llm")
FILES = {
    "last.ckpt": ("vqgan", "checkpoint", ()),
    "checkpoints/v2l-decode.pth": ("v2l", "checkpoint", V2L),
    "codebooks/global_vocabulary.npy": (
        "v2l",
        "global_words",
        ("checkpoint=checkpoints/v2l-decode.pth", "llm=llm"),
    ),
    "llm/tokenizer.json": ("v2l", "", ("checkpoint=checkpoints/v2l-decode.pth", *V2L)),
    "lqae.npz": ("lqae", "parameters", ()),
    "lqae.msgpack": ("lqae", "parameters", ()),
    "pytorch_model.pt": ("lm4lv", "checkpoint", ()),
    "heads.pth": ("flmm", "checkpoint", ()),
    "old.pth": ("flmm", "checkpoint", ()),  # as torch < 1.6 wrote it
    "ViT-L-14.pt": ("clip", "clip", ()),
    "clip/model.safetensors": ("clip", "", ("clip=clip",)),
    "clip/config.json": ("clip", "", ("clip=clip",)),
}


def converting(root, name, file=None):
    """The words that convert a file, or another one in its place."""
    converter, key, others = FILES[name]
    words = [f"{one.split('=')[0]}={root / one.split('=')[1]}" for one in others]
    own = [f"{key}={file or root / name}"] if key else []
    return [converter, *own, *words]


def refused(tmp_path, capsys, words, *names):
    """Convert, and see one sentence that names the files, and nothing that is left."""
    out = tmp_path / "made" / "out"
    capsys.readouterr()
    assert main(["convert", *words, f"out={out}"]) == 2
    said = capsys.readouterr().err
    assert not any(tmp_path.glob("made/*"))
    (line,) = said.strip().splitlines()
    assert line.startswith("frostbench: ")
    assert "Traceback" not in line
    assert len(line) < 700
    for name in names:
        assert str(name) in line
    return line


@pytest.fixture
def copied(sound, tmp_path):
    """Links to the sound files, of which `rewritten` puts others in the place of some."""
    shutil.copytree(sound, tmp_path / "files", copy_function=os.link)
    return tmp_path / "files"


def rewritten(path, content):
    """Another file in the place of a link."""
    path.unlink()
    path.write_bytes(content)


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, -1])
@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_short(copied, tmp_path, capsys, name, kept):
    path = copied / name
    whole = path.read_bytes().rstrip(b"\n")
    rewritten(path, whole[: int(len(whole) * kept) if isinstance(kept, float) else kept])
    refused(tmp_path, capsys, converting(copied, name), copied / name.split("/")[0])


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_middle(copied, tmp_path, capsys, name):
    """Bytes in the middle of a file are others: it is refused, or all numbers are still finite."""
    path = copied / name
    whole = bytearray(path.read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 64] = b"\xff" * 64
    rewritten(path, bytes(whole))
    out = tmp_path / "made" / "out"
    code = main(["convert", *converting(copied, name), f"out={out}"])
    said = capsys.readouterr().err.strip()
    assert "Traceback" not in said
    if code:
        assert len(said.splitlines()) == 1
        assert not any(tmp_path.glob("made/*"))


@pytest.mark.parametrize("name", [name for name in FILES if FILES[name][1]])
def test_another_methods_file(sound, tmp_path, capsys, name):
    same = FILES[name][0]
    for other in FILES:
        if FILES[other][0] != same:
            refused(tmp_path, capsys, converting(sound, name, sound / other), sound / other)
    for other in ("llm", "llm/config.json"):
        refused(tmp_path, capsys, converting(sound, name, sound / other), sound / other)


def test_a_lora_of_two_ranks(tmp_path, capsys):
    file = official_files.lm4lv(tmp_path / "lora.pt", ranks=(2, 4))
    line = refused(tmp_path, capsys, ["lm4lv", str(file)], file)
    assert "its ranks are [2, 4]" in line
    asked = ["lm4lv", str(official_files.lm4lv(tmp_path / "two.pt", (2,))), "lora_alpha=much"]
    assert "lora_alpha is 'much'" in refused(tmp_path, capsys, asked, tmp_path / "two.pt")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lora_B": torch.ones(32, 3)}, "rank"),
        ({"lora_B": None}, "lora_B"),
        ({"lora_A": torch.ones(2)}, "rank"),
    ],
)
def test_halves_of_a_lora_that_do_not_fit(tmp_path, capsys, change, said):
    file = official_files.lm4lv(tmp_path / "lora.pt", ranks=(2,))
    content = torch.load(file, weights_only=True)
    for part, tensor in change.items():
        (name,) = [one for one in content if part in one]
        del content[name]
        content |= {} if tensor is None else {name: tensor}
    torch.save(content, file)
    assert said in refused(tmp_path, capsys, ["lm4lv", str(file)], file)


def test_a_lora_of_a_wider_language_model(tmp_path, capsys):
    """Widths that adapters and LoRA share are those of one language model."""
    file = official_files.lm4lv(tmp_path / "lora.pt", ranks=(2,))
    content = torch.load(file, weights_only=True)
    for name in [one for one in content if "lora" in one]:
        content[name] = torch.ones((2, 48) if "lora_A" in name else (48, 2))
    torch.save(content, file)
    assert "48" in refused(tmp_path, capsys, ["lm4lv", str(file)], file)


@pytest.mark.parametrize("act", ["gelu", "quick_gelu"])
def test_a_clip_of_the_other_activation(sound, tmp_path, capsys, act):
    transformers_clip(tmp_path / "clip", act)
    other = {"gelu": "quick_gelu", "quick_gelu": "gelu"}[act]
    asked = ["clip", str(tmp_path / "clip"), f"activation={other}"]
    line = refused(tmp_path, capsys, asked, tmp_path / "clip")
    assert f"computes {act}, and activation={other} was asked for" in line
    asked = ["clip", str(sound / "ViT-L-14.pt"), "activation=gelu"]
    assert "computes quick_gelu" in refused(tmp_path, capsys, asked, sound / "ViT-L-14.pt")


def vocabulary(path, words):
    np.save(path, np.array(words))
    return path


def test_a_vocabulary_of_another_model(sound, copied, tmp_path, capsys):
    """One of another size, and one of the same size whose words are others."""
    checkpoint = f"checkpoint={sound / 'checkpoints/v2l-decode.pth'}"
    words = f"global_words={sound / 'codebooks/global_vocabulary.npy'}"
    few = vocabulary(tmp_path / "few.npy", [f"w{i}" for i in range(7)])
    line = refused(tmp_path, capsys, ["v2l", checkpoint, words, f"local_words={few}"], few)
    assert "has 7 words" in line
    asked = ["v2l", checkpoint, f"global_words={few}", f"llm={sound / 'llm'}"]
    assert "the global vocabulary" in refused(tmp_path, capsys, asked, few)
    other = vocabulary(tmp_path / "other.npy", [f"w{i}" for i in range(official_files.TOKENS)])
    asked = ["v2l", checkpoint, words, f"local_words={other}", f"llm={sound / 'llm'}"]
    assert "another language model" in refused(tmp_path, capsys, asked, other, sound / "llm")
    official_files.v2l(copied / "wide", tokens=official_files.TOKENS + 8)
    wide = copied / "wide" / "checkpoints" / "v2l-decode.pth"
    asked = ["v2l", f"checkpoint={wide}", words, f"llm={sound / 'llm'}"]
    refused(tmp_path, capsys, asked, wide, sound / "llm")


def evil_files(folder):
    """Files that make a folder when they are unpickled, by what they stand for."""
    harm = folder / "harm"
    evil = Evil(harm)
    torch.save({"state_dict": {"x": torch.zeros(1)}, "callbacks": evil}, folder / "zip.ckpt")
    (folder / "old.pth").write_bytes(pickle.dumps({"state_dict": evil}))
    np.save(folder / "words.npy", np.array([evil], dtype=object), allow_pickle=True)
    np.savez(folder / "lqae.npz", **{"encoder/pos_embedding": np.array([evil], dtype=object)})
    (folder / "lqae.msgpack").write_bytes(msgpack.packb(msgpack.ExtType(2, pickle.dumps(evil))))
    with zipfile.ZipFile(folder / "script.pt", "w") as archive:
        archive.writestr("script/data.pkl", pickle.dumps(evil))
        archive.writestr("script/constants.pkl", pickle.dumps(evil))
        archive.writestr("script/version", "6")
    return harm


@pytest.mark.parametrize(
    ("file", "name"),
    [
        *(("zip.ckpt", name) for name in ("last.ckpt", "heads.pth", "pytorch_model.pt")),
        *(("old.pth", name) for name in ("last.ckpt", "heads.pth", "ViT-L-14.pt")),
        ("words.npy", "codebooks/global_vocabulary.npy"),
        ("lqae.npz", "lqae.npz"),
        ("lqae.msgpack", "lqae.msgpack"),
        ("script.pt", "ViT-L-14.pt"),
    ],
)
def test_nothing_that_is_pickled_is_run(sound, tmp_path, capsys, file, name):
    harm = evil_files(tmp_path)
    refused(tmp_path, capsys, converting(sound, name, tmp_path / file), tmp_path / file)
    assert not harm.exists()


def test_a_pack_names_the_bad_part_and_keeps_the_good_ones(copied, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (copied / "lqae.msgpack").unlink()
    rewritten(copied / "lqae.npz", (copied / "lqae.npz").read_bytes()[:-1])
    rewritten(copied / "checkpoints/v2l-decode.pth", (copied / "last.ckpt").read_bytes())
    assert main(["pack", "paper", f"root={copied}"]) == 1
    said = capsys.readouterr().err.strip().splitlines()
    # The stand-in of CLIP is none of the file that OpenAI published, which is a warning.
    lines = [line for line in said if "is not the file that was published" not in line]
    assert [line.split(": ")[1] for line in lines] == ["v2l", "lqae"]
    assert str(copied / "lqae.npz") in lines[1]
    pack = json.loads((copied / "pack.json").read_text())
    assert set(pack["methods"]) == {"vqgan", "lm4lv"}
    assert {path.name for path in (copied / "converted").iterdir()} == {"vqgan", "lm4lv", "clip"}


def foreign_llm(folder):
    """A language model of which no token is a word of the toy one's."""
    from tokenizers import Tokenizer, models
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = ["<unk>", "<s>", "</s>", *(chr(0x4E00 + number) for number in range(317))]
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, "<unk>"))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    )
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
    )
    with toys.seeded():
        LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_language_model_of_another_vocabulary_is_refused_before_the_run(
    sound, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "root"
    for name in ("checkpoints", "codebooks", "llm"):
        shutil.copytree(sound / name, root / name)
    official_files.openai_clip(root / "ViT-L-14.pt", TINY_WORDS)
    annotation_trees.imagenet(root / "imagenet", 2)
    assert main(["pack", "paper", f"root={root}"]) == 0
    other, out = foreign_llm(tmp_path / "other"), tmp_path / "run"
    capsys.readouterr()
    sizes = ("method.v2l.image_size=32", "data.imagenet_val.side=32", "quiet=true")
    metrics = "task.reconstruction.metrics=['psnr[y]']"
    asked = ["run", "preset=v2l-table3", *sizes, metrics, "limit=1", f"out={out}"]
    assert main([*asked, f"llm={other}"]) != 0
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert f"with llm={other} method 'v2l' cannot be built" in line
    assert "have only 0 of the codebook's 320 words" in line
    assert not (out / "manifest.json").exists()
