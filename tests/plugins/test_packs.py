import json

import pytest

from frostbench.plugins.host.packs import digest_of_files, embedded_pack, read_pack

PACK = {
    "name": "tiny",
    "summary": "a test",
    "backbones": {
        "llm": {"kind": "causal_lm", "source": "llm", "dtype": "bfloat16"},
        "clip": {"kind": "open_clip", "source": "ViT-L-14"},
    },
    "methods": {"v2l": {"weights": "v2l", "settings": {"words": 5}}},
    "data": {"photos": "data"},
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "llm").mkdir()
    (tmp_path / "llm" / "weights").write_bytes(b"1")
    (tmp_path / "pack.json").write_text(json.dumps(PACK))
    return tmp_path


def test_a_source_inside_the_folder_is_a_path_and_any_other_stands(folder):
    pack = read_pack(folder)
    assert pack.backbones["llm"].source == str(folder / "llm")
    assert pack.backbones["clip"].source == "ViT-L-14"
    assert pack.method("v2l").settings == {"words": 5}
    assert pack.method("stranger").weights is None


def test_a_language_model_is_an_alternative_a_folder_of_the_pack_or_whatever_else_stands(folder):
    other = {"kind": "causal_lm", "source": "other", "dtype": "float16"}
    (folder / "pack.json").write_text(
        json.dumps({**PACK, "alternatives": {"llm": {"tiny": other}}})
    )
    pack = read_pack(folder)
    assert pack.language_model("tiny").source == "other"
    assert pack.language_model("tiny").role == "llm"
    assert pack.language_model("tiny").dtype == "float16"
    inside, outside = pack.language_model("llm"), pack.language_model("org/model")
    assert inside == pack.backbones["llm"]
    assert (outside.role, outside.kind, outside.source, outside.dtype) == (
        "llm",
        "causal_lm",
        "org/model",
        "bfloat16",
    )


def test_a_method_s_adapters_are_folders_of_the_pack(folder):
    entry = {"weights": "v2l", "adapters": {"masked": "v2l_adapter"}}
    (folder / "pack.json").write_text(json.dumps({**PACK, "methods": {"v2l": entry}}))
    method = read_pack(folder).method("v2l")
    assert method.adapters == {"masked": folder / "v2l_adapter"}


def test_the_digest_changes_with_any_file_but_not_with_the_card(folder):
    before = read_pack(folder).digest()
    (folder / "CARD.md").write_text("words")
    (folder / "card.json").write_text("{}")
    assert read_pack(folder).digest() == before
    (folder / "v2l").mkdir()  # with nothing in it, as if it were not there
    (folder / "runs").mkdir()
    (folder / "runs" / "last.ckpt").write_bytes(b"what pack.json does not name")
    assert read_pack(folder).digest() == before
    (folder / "llm" / "weights").write_bytes(b"2")
    assert read_pack(folder).digest() != before


def digest(folder, place):
    text = json.dumps({**PACK, "data": {"photos": str(place)}})
    (folder / "pack.json").write_text(text)
    pack = read_pack(folder)
    return digest_of_files(pack.data["photos"])


def test_data_have_one_digest_wherever_they_lie_and_whatever_their_folder_is_called(folder):
    inside, outside = folder / "coco", folder.parent / f"{folder.name} elsewhere"
    for place in (inside, outside):
        (place / "deep").mkdir(parents=True)
        (place / "deep" / "one").write_text("1")
    (folder / "linked").symlink_to(outside)
    (folder / "part").mkdir()
    (folder / "part" / "deep").symlink_to(outside / "deep")
    ways = ("coco", outside, f"../{outside.name}", "linked", "part")
    before = {digest(folder, way) for way in ways}
    assert len(before) == 1
    (outside / "deep" / "one").write_text("2")
    changed = [digest(folder, way) for way in ways]
    assert changed[0] in before
    assert not before & set(changed[1:])
    assert len(set(changed[1:])) == 1


def test_the_digest_of_a_folder_leaves_out_those_whose_names_begin_alike(folder):
    for name in ("coco", "coco_val", "v2l", "v2l_adapter"):
        (folder / name).mkdir()
        (folder / name / "file").write_text(name)
    before = digest(folder, "coco")
    (folder / "coco_val" / "file").write_text("changed")
    assert digest(folder, "coco") == before
    assert list(read_pack(folder).digests_of(folder / "v2l")) == ["v2l/file"]


def test_a_link_in_a_circle_ends_and_no_files_at_all_are_one_sentence(folder):
    (folder / "coco").mkdir()
    for place in ("coco", "nowhere"):
        with pytest.raises(ValueError, match=rf"{place} holds no files"):
            digest(folder, place)
    (folder / "coco" / "again").symlink_to(folder / "coco")
    (folder / "coco" / "file").write_text("1")
    assert digest(folder, "coco")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "a pack is a folder with a pack.json"),
        ("{", "is no JSON"),
        ("{}", "has no 'name'"),
        (json.dumps({**PACK, "backbones": {"llm": {"kind": "x"}}}), "'source'"),
        (json.dumps({**PACK, "methods": []}), "a list under 'methods', where a mapping"),
        (json.dumps({**PACK, "alternatives": ["llama"]}), "a list under 'alternatives'"),
    ],
)
def test_a_bad_pack_ends_in_one_sentence(tmp_path, text, expected):
    if text is not None:
        (tmp_path / "pack.json").write_text(text)
    with pytest.raises(ValueError, match=r"pack\.json") as caught:
        read_pack(tmp_path)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_mini_pack_is_found_and_small():
    pack = read_pack(embedded_pack("mini"))
    files = [path for path in pack.folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 40e6
    assert {"llm", "clip", "perceptual"} <= set(pack.backbones)
    assert {"v2l", "vqgan"} <= set(pack.methods)
