import ast
import json
import re
from collections import defaultdict

import pytest
from code_lines import code_lines
from example_packages import EXAMPLES, NAMES, Environment

MOST_LINES = 150  # of code, in all files together
OWN = {"torch", "scipy"}  # what examples import besides frostbench and the standard library


def sources(name):
    return [p for p in (EXAMPLES / name).rglob("*.py") if "tests" not in p.parts]


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    made = Environment(tmp_path_factory.mktemp("clean"))
    for name in NAMES:
        made.install(name)
    return made


def listed(clean):
    methods = json.loads(clean.frostbench("list", "methods", "--json"))["methods"]
    return {one["name"]: one["package"] for one in methods}


@pytest.mark.parametrize("name", NAMES)
def test_an_installed_example_keeps_the_contract(clean, name):
    assert "all checks hold" in clean.frostbench("check", name)


# Behind the checks, which need what it removes.
def test_an_example_is_listed_as_somebody_elses_and_goes_with_its_package(clean):
    before = listed(clean)
    distributions = {name: f"frostbench-{name.replace('_', '-')}" for name in NAMES}
    assert {name: before[name] for name in NAMES} == {
        name: f"{distribution} 0.1.0" for name, distribution in distributions.items()
    }
    assert {package for name, package in before.items() if name not in NAMES} == {""}
    clean.remove(distributions[NAMES[0]])
    assert set(before) - set(listed(clean)) == {NAMES[0]}


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_short_and_uses_public_names_alone(name):
    texts = {path: path.read_text() for path in sources(name)}
    assert sum(map(code_lines, texts.values())) <= MOST_LINES
    for path, text in texts.items():
        for node in ast.walk(ast.parse(text)):
            names = []
            if isinstance(node, ast.ImportFrom):
                names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            elif isinstance(node, ast.Attribute):
                names = [node.attr]
            private = [one for one in names if one.startswith("_") and not one.endswith("__")]
            assert not private, (path, private)


@pytest.mark.parametrize("name", NAMES)
def test_a_readme_shows_install_check_run_and_board_in_six_lines(name):
    (block,) = re.findall(
        r"^```sh\n(.*?)^```$", (EXAMPLES / name / "README.md").read_text(), re.M | re.S
    )
    lines = block.splitlines()
    assert len(lines) <= 6
    found = defaultdict(list)
    for line in lines:
        program, verb, *_ = line.split()
        found[program].append(verb)
    assert found["pip"] == ["install"]
    assert {"check", "run", "leaderboard"} <= set(found["frostbench"])
