"""What a system leaves beside weights, packs and runs is none of them."""

import json

from frostbench.plugins.host.litter import files_like
from frostbench.plugins.host.packs import digests, read_pack


def test_no_digest_knows_what_a_system_left(tmp_path):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "a.safetensors").write_bytes(b"a")
    before = digests(tmp_path)
    for name in (".DS_Store", "Thumbs.db", "weights/._a.safetensors", "weights/desktop.ini"):
        (tmp_path / name).write_bytes(b"\0")
    assert digests(tmp_path) == before
    assert [path.name for path in files_like(tmp_path, "**/*.safetensors")] == ["a.safetensors"]


def test_a_pack_that_windows_saved_is_read(tmp_path):
    pack = {"name": "own", "backbones": {}, "methods": {}, "data": {}}
    (tmp_path / "pack.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(pack, indent=1).encode())
    assert read_pack(tmp_path).name == "own"
