"""All methods of the mini pack on one sample, watched: none is accused, and looking is counted."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from frostbench.plugins.host.packs import embedded_pack, read_pack

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "frozen_cost.py"
SPEC = spec_from_file_location("frozen_cost", SCRIPT)
frozen_cost = module_from_spec(SPEC)
sys.modules[SPEC.name] = frozen_cost
SPEC.loader.exec_module(frozen_cost)


def test_no_shipped_method_changes_a_frozen_model(capsys):
    methods = ",".join(read_pack(embedded_pack("mini")).methods)
    tasks = "reconstruction,referring_segmentation,visual_question_answering"
    _, costs = frozen_cost.measure([f"methods={methods}", f"tasks={tasks}", "limit=1"])
    said = capsys.readouterr().err
    assert "frozen" not in said
    assert {cost.name.partition("@")[0] for cost in costs} == set(tasks.split(","))
    assert all(cost.looks > 1 and 0 < cost.looking < cost.seconds for cost in costs)
    whole = frozen_cost.total(costs)
    assert whole.looks == sum(cost.looks for cost in costs)
    assert whole.bytes_read > 100_000
    assert f"in {whole.looks:>5} looks" in str(whole)
