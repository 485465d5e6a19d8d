"""All pages of the site: those of `docs/`, and those that the code gives."""

from functools import cache

from docs_site.know import with_facts
from docs_site.page import DOCS, Page
from docs_site.reference.api import api_pages
from docs_site.reference.commands import command_pages
from docs_site.reference.hooks import hook_pages
from docs_site.reference.parts import part_pages
from docs_site.reference.schemas import schema_pages
from docs_site.reference.settings import settings_pages


def written_pages() -> list[Page]:
    """The pages of `docs/`."""
    paths = sorted(DOCS.rglob("*.md"))
    return [
        Page(path.relative_to(DOCS).as_posix(), path.read_text(encoding="utf-8")) for path in paths
    ]


@cache
def generated_pages() -> tuple[Page, ...]:
    """The pages that the code gives."""
    return (
        *command_pages(),
        *settings_pages(),
        *part_pages(),
        *schema_pages(),
        *hook_pages(),
        *api_pages(),
    )


def generated_paths() -> frozenset[str]:
    """Where the pages that the code gives stand below `docs/`."""
    return frozenset(page.path for page in generated_pages())


def every_page() -> list[Page]:
    """All pages of the site, but those of files that they lead to."""
    return [*map(with_facts, written_pages()), *generated_pages()]
