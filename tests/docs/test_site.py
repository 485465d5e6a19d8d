"""The pages that the code gives, and what ends a build of the site."""

import subprocess
import sys

import pytest
from docs_site.check import dead_links, loaded_from_elsewhere, undocumented
from docs_site.fields import settings
from docs_site.know import variants
from docs_site.markdown import for_site
from docs_site.navigation import navigation
from docs_site.page import DOCS, REPOSITORY, Page, table
from docs_site.pages import every_page, written_pages
from docs_site.reference.parts import metric_anchor
from docs_site.settings_of import host, of_command, of_method, of_recipe, of_task
from docs_site.source import with_sources

from frostbench.bench.cli.commands import COMMANDS
from frostbench.bench.cli.config import RunConfig, keys_of
from frostbench.bench.store.manifest import Manifest
from frostbench.plugins import __all__ as public


@pytest.fixture(scope="module")
def pages():
    return {page.path: page for page in every_page()}


def listed(nav):
    """The paths in a navigation."""
    for one in nav:
        if isinstance(one, str):
            yield one
        else:
            yield from listed(next(iter(one.values())))


def test_every_name_that_authors_import_has_a_docstring():
    assert undocumented() == []


def test_every_page_stands_in_the_navigation_once(pages):
    paths = list(listed(navigation(list(pages.values()))))
    assert sorted(paths) == sorted(pages)


def test_a_page_in_no_part_ends_the_build():
    with pytest.raises(ValueError, match=r"docs/stray/page\.md is in no part of the site: docs/"):
        navigation([Page("index.md", "# Home"), Page("stray/page.md", "# Stray")])


def test_a_page_without_a_title_ends_the_build():
    with pytest.raises(ValueError, match=r"docs/use/bare\.md: it has no heading"):
        navigation([Page("index.md", "# Home"), Page("use/bare.md", "text")])


def test_pages_that_no_list_names_follow_by_title():
    several = [Page(f"use/{name}.md", f"# {name}") for name in ("zebra", "runs", "apple")]
    paths = list(listed(navigation([Page("index.md", "# Home"), *several])))
    assert paths == ["index.md", "use/runs.md", "use/apple.md", "use/zebra.md"]


def test_everything_installed_stands_in_the_reference(pages):
    known = host()
    for kind, anchor in (
        ("tasks", str),
        ("metrics", metric_anchor),
        ("controls", str),
        ("datasets", str),
        ("presets", str),
        ("packs", str),
    ):
        text = pages[f"reference/{kind}.md"].text
        missing = [name for name in getattr(known, kind) if f"{{ #{anchor(name)} }}" not in text]
        assert missing == [], kind
    others = pages["reference/others.md"].text
    for items in (known.backbones, known.engines, known.recipes, known.converters):
        assert [name for name in items if f"| `{name}` |" not in others] == []


def test_every_method_and_suite_has_a_page(pages):
    methods = {name for path in pages for name in variants(path[13:-3]) if "know/methods/" in path}
    assert methods == set(host().methods)
    for suite in {item.card.suite for item in host().tasks.values()}:
        text = pages[f"know/suites/{suite}.md"].text
        assert all(heading in text for heading in ("## Protocols", "## Traps", "## Tasks"))


def test_a_method_page_has_a_picture_files_and_numbers(pages):
    for path, page in pages.items():
        if path.startswith("know/methods/"):
            image = page.text.partition("](../../pictures/")[2].partition(")")[0]
            assert (DOCS / "pictures" / image).is_file(), path
            assert ".py)" in page.text
            assert page.text.count("95 % interval") == len(variants(path[13:-3]))


def test_settings_are_found_of_all_that_have_some(pages):
    for kind, names, of in (
        ("method", host().methods, of_method),
        ("task", host().tasks, of_task),
        ("recipe", host().recipes, of_recipe),
    ):
        text = pages[f"reference/{kind}-settings.md"].text
        for name in names:
            assert f"`{kind}.{name}`" in text
            assert [one.key for one in settings(of(name)) if f"| `{one.key}` |" not in text] == []


def test_every_key_of_a_command_says_what_it_means():
    assert {one.key for one in settings(RunConfig)} == set(keys_of(RunConfig))
    bare = {
        (name, one.key)
        for name in COMMANDS
        if (kind := of_command(name)) is not None
        for one in settings(kind)
        if not one.meaning
    }
    assert bare == set()


def test_schemas_name_every_field(pages):
    text = pages["reference/manifest.md"].text
    assert [key for key in keys_of(Manifest) if f"| `{key}` |" not in text] == []
    assert all("::: frostbench.plugins." + name in "".join(p.text for p in pages.values())
               for name in public)  # fmt: skip


def test_a_link_to_a_file_of_the_repository_leads_to_a_page_with_it():
    page = Page("use/page.md", "# Page\n\n[code](../../docs_site/page.py) [own](runs.md#workers)\n")
    found = {one.path: one.text for one in with_sources([*written_pages(), page])}
    assert "(../source/docs_site/page.py.md) [own](runs.md#workers)" in found["use/page.md"]
    assert "A page of the site" in found["source/docs_site/page.py.md"]


def test_lists_and_notes_are_written_as_the_builder_wants_them():
    shown = for_site("Two:\n- one\n- two\n\n```python mine.py\n- no list\n```\n")
    assert shown == 'Two:\n\n- one\n- two\n\n```python title="mine.py"\n- no list\n```'


def test_a_table_of_no_rows_is_nothing():
    assert table(("a", "b:"), []) == ""
    assert table(("a", "b:"), [("x\ny", 1)]).splitlines()[1:] == ["| --- | ---: |", "| x y | 1 |"]


def test_dead_links_and_files_from_elsewhere_are_found(tmp_path):
    (tmp_path / "index.html").write_text(
        '<h1 id="top">T</h1><a href="#top">ok</a><a href="#none">no</a><a href="gone.html">no</a>'
        '<script src="https://example.org/x.js"></script><a href="https://example.org">ok</a>'
    )
    (tmp_path / "site.css").write_text('a { background: url("//example.org/x.png") }')
    assert dead_links(tmp_path) == [
        "index.html: nothing is at #none.",
        "index.html: nothing is at gone.html.",
    ]
    assert loaded_from_elsewhere(tmp_path) == [
        "index.html loads https://example.org/x.js.",
        "site.css loads //example.org/x.png.",
    ]


@pytest.mark.site
def test_the_site_is_built_whole(tmp_path):
    words = [sys.executable, "-m", "docs_site", str(tmp_path / "site")]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "site" / "know" / "methods" / "v2l.html").is_file()
