"""What a wheel and an sdist would hold, asked of the tool that builds them."""

import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager

REPOSITORY = Path(__file__).parents[2]
CITED = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tracked():
    if not (REPOSITORY / ".git").exists():
        pytest.skip("only a checkout knows which files are the repository's")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    return {path for path in listed.stdout.split("\0") if (REPOSITORY / path).is_file()}


def _held(builder):
    files = builder(str(REPOSITORY)).recurse_included_files()
    return {str(Path(file.path).relative_to(REPOSITORY)): file.distribution_path for file in files}


def test_the_wheel_holds_the_components_and_nothing_else(tracked):
    config = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    roots = config["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    held = _held(WheelBuilder)
    wanted = {path for path in tracked if any(path.startswith(f"{root}/") for root in roots)}
    # What an editor or a run has left, and nobody has added yet, is no fault of the wheel's.
    assert {path for path in held if path in tracked} == wanted
    assert all(place.startswith("frostbench/") for place in held.values())
    assert {
        "frostbench/packs/mini/files/llm/model.safetensors",
        "frostbench/packs/mini/files/data/OFL.txt",
        "frostbench/packs/paper/presets/v2l-table1.yaml",
        "frostbench/plugins/kit/templates/every/pyproject.toml.txt",
        "frostbench/bench/leaderboard/reported.json",
        "frostbench/plugins/py.typed",
    } <= set(held.values())


def test_the_sdist_holds_what_git_does_but_the_hosts_own_files(tracked):
    held = {path for path in _held(SdistBuilder) if path in tracked}
    assert {path for path in tracked - held if not path.startswith(".")} == set()


def test_the_version_is_the_cited_one():
    metadata = ProjectMetadata(str(REPOSITORY), PluginManager())
    assert metadata.version == CITED["version"]
    assert metadata.core.license_expression == CITED["license"]
    assert CITED["cff-version"] == "1.2.0"
    assert CITED["authors"] == [{"name": metadata.core.authors_data["name"][0]}]


def test_a_python_that_the_metadata_names_is_one_that_is_required():
    core = ProjectMetadata(str(REPOSITORY), PluginManager()).core
    named = [one.rpartition(" ")[2] for one in core.classifiers if ":: Python :: 3." in one]
    assert named
    assert all(core.python_constraint.contains(f"{one}.0") for one in named)
