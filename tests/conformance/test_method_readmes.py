"""Each method's README leads from its paper to files that exist and cite the same equations."""

import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\[[^]]*\]\(([^)#]+)\)")
CITED = re.compile(r"equations? ((?:\(\d+\)(?:, | and |, and )?)+)")
FORMAL = {"__init__.py", "card.py", "plugin.py"}

FOLDERS = sorted(
    path.parent
    for path in ROOT.glob("*/frostbench/**/method.py")
    if path.parent.name not in {"contract", "prompting", "isolation", "prefix"}  # parts of methods
)
README = {
    folder: next(
        place / "README.md"
        for place in (folder, *folder.parents)
        if (place / "README.md").is_file()
    )
    for folder in FOLDERS
}


def numbers(text):
    """The numbers of equations that a text cites, however its lines are broken."""
    flat = re.sub(r"[\s#]+", " ", text)
    return {number for cited in CITED.findall(flat) for number in re.findall(r"\d+", cited)}


def prose(path):
    """The comments and strings of a module."""
    read = io.StringIO(path.read_text(encoding="utf-8")).readline
    kinds = {tokenize.COMMENT, tokenize.STRING}
    return "\n".join(part.string for part in tokenize.generate_tokens(read) if part.type in kinds)


def rows(readme):
    """What a table row says, and the files that it links to."""
    lines = readme.read_text(encoding="utf-8").splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    linked = [(said, LINK.findall(files)) for said, files in cells[1:]]
    return [(said, [(readme.parent / link).resolve() for link in links]) for said, links in linked]


def test_every_method_of_the_house_has_a_readme_of_its_own():
    assert len(FOLDERS) >= 6
    assert len(set(README.values())) == len(FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_row_names_files_that_exist_and_cite_its_equations(folder):
    table = rows(README[folder])
    assert table
    for said, files in table:
        assert files, f"{said!r} names no file"
        for file in files:
            assert file.is_file(), f"{said!r} names {file}"
        for number in numbers(said):
            assert any(number in numbers(prose(file)) for file in files), f"{said!r}: ({number})"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_equation_and_every_file_of_a_method_stands_in_its_readme(folder):
    table = rows(README[folder])
    listed = {number for said, _ in table for number in numbers(said)}
    named = {file for _, files in table for file in files}
    for module in folder.glob("*.py"):
        assert numbers(prose(module)) <= listed, module
        assert module.name in FORMAL or module.resolve() in named, module
