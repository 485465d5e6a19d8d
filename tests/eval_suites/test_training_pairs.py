import json
from pathlib import Path

from frostbench.bench.cli.train import train_command
from frostbench.plugins.host.packs import embedded_pack

ROOT = Path(__file__).parents[2]


def test_recipes_get_pairs_of_the_pack_s_own_images(tmp_path):
    (tmp_path / "data").symlink_to(embedded_pack("mini") / "data")
    plugin = ROOT / "tests" / "worlds" / "probe_world.py"
    words = ["probe", f"pack={tmp_path}", f"scratch={tmp_path}", f"plugins=[{plugin}]"]
    assert train_command(words) == 0
    shape, same, black = json.loads((tmp_path / "probe.json").read_text())
    assert shape == [3, 3, 64, 64]
    assert same
    assert 0.05 < black < 0.3
