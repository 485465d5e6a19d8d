import json

from frostbench.bench.training.card import render
from frostbench.plugins.host.packs import embedded_pack


def test_the_card_of_the_embedded_pack_is_written_from_its_entries_under_its_name():
    pack = embedded_pack("mini")
    card = json.loads((pack / "card.json").read_text())
    assert render(pack, card) == (pack / "CARD.md").read_text()
    assert render(pack, card).startswith("# The `mini` pack\n")


def test_a_pack_in_the_making_is_called_by_its_folder(tmp_path):
    assert render(tmp_path / "mine", {}).startswith("# The `mine` pack\n")
