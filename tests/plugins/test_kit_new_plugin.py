import os
import re
import subprocess
import sys

import pytest

from frostbench.plugins.contract import CONTRACT_VERSION
from frostbench.plugins.host.registry import Host
from frostbench.plugins.kit.conformance import CHECKS
from frostbench.plugins.kit.new_plugin import KINDS, write


@pytest.fixture(scope="module", params=KINDS)
def package(request, tmp_path_factory):
    return write("mean-colour", tmp_path_factory.mktemp(request.param), request.param)


def test_a_package_is_four_files(package):
    files = {str(path.relative_to(package)) for path in package.rglob("*") if path.is_file()}
    assert {name for name in files if not name.endswith(".pyc")} == {
        "README.md",
        "pyproject.toml",
        "mean_colour.py",
        "tests/test_mean_colour.py",
    }


def test_the_file_alone_is_a_plugin(package):
    host = Host([package / "mean_colour.py"], installed=False)
    offered = (host.methods, host.metrics, host.controls, host.datasets, host.tasks)
    (found,) = (item for items in offered for item in items.values())
    assert found.name in {"mean-colour", "mean-colour[mean]"}
    assert found.load()


def test_the_written_tests_pass_and_try_the_whole_contract(package):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(package), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "tests"],
        cwd=package,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    of_a_method = len(CHECKS) + 1  # the whole contract, and one of its own
    assert re.search(f"({of_a_method}|3) passed", done.stdout)


def test_the_written_code_is_formatted_and_clean(package):
    for command in (["format", "--check"], ["check"]):
        subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--isolated", "--line-length=100", package],
            check=True,
        )


def test_no_template_word_is_left_over(package):
    for path in package.rglob("*"):
        assert "@" not in path.name
        if path.suffix in {".py", ".toml", ".md"}:
            assert not re.search(r"@[A-Z]+@", path.read_text())


def test_the_package_enters_through_the_entry_point(package):
    assert '[project.entry-points.frostbench]\nmean-colour = "mean_colour"' in (
        package / "pyproject.toml"
    ).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["", "My-Method", "3d", "a b", "class", "../up", "frostbench"])
def test_a_name_that_is_no_package_is_refused(name, tmp_path):
    with pytest.raises(ValueError, match="a plugin cannot be called"):
        write(name, tmp_path)


def test_nothing_is_overwritten(package):
    with pytest.raises(ValueError, match="is there already"):
        write("mean-colour", package.parent)


def test_a_kind_that_is_not_there_is_said_with_those_that_are(tmp_path):
    with pytest.raises(LookupError, match=r"no kind of plugin named 'methods'; there are .*method"):
        write("mine", tmp_path, "methods")


def test_the_package_says_which_contract_it_is_written_for(package):
    module = package / "mean_colour.py"
    assert f'FROSTBENCH_CONTRACT = "{CONTRACT_VERSION}"' in module.read_text(encoding="utf-8")
