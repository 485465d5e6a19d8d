"""What ends a build: links that lead nowhere, files from elsewhere, names without a docstring."""

import ast
import importlib
import inspect
import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from frostbench import bench, plugins

LOADING = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src"}
"""Elements whose files a browser gets by itself."""


class _Links(HTMLParser):
    """The anchors of a page, the links on it, and the files that it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: "list[tuple[str, str | None]]") -> None:
        said = {name: value for name, value in attrs if value is not None}
        self.anchors |= {said[name] for name in ("id", "name") if name in said}
        if tag == "a" and "href" in said:
            self.links.append(said["href"])
        if LOADING.get(tag, "") in said and said.get("rel") not in ("canonical", "prev", "next"):
            self.loaded.append(said[LOADING[tag]])


def dead_links(site: Path) -> list[str]:
    """A sentence for each link of a built site to a page, file or anchor that is not there."""
    pages = {path.resolve(): _Links(path.read_text("utf-8")) for path in site.rglob("*.html")}
    wrong = []
    for path, page in pages.items():
        if path.name == "404.html":  # its links begin at the site's root
            continue
        for said in (*page.links, *page.loaded):
            parts = urlsplit(said)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            anchor = unquote(parts.fragment)
            known = pages[target].anchors if target in pages else set()
            if not target.is_file() or (anchor and anchor not in known and anchor != "__top"):
                wrong.append(f"{path.relative_to(site.resolve())}: nothing is at {said}.")
    return sorted(set(wrong))


def loaded_from_elsewhere(site: Path) -> list[str]:
    """A sentence for each file that a page, or its styles, would get from the network."""
    wrong = []
    for path in sorted(site.rglob("*.html")):
        loaded = _Links(path.read_text("utf-8")).loaded
        wrong += [f"{path.name} loads {said}." for said in loaded if urlsplit(said).netloc]
    for path in sorted(site.rglob("*.css")):
        urls = re.findall(r"(?:url\(|@import )[\"']?((?:https?:)?//[^\"')]+)", path.read_text())
        wrong += [f"{path.name} loads {said}." for said in urls]
    return sorted(set(wrong))


def undocumented() -> list[str]:
    """A sentence for each name that authors import, or call a method of, without a docstring."""
    names = [(plugins, name) for name in plugins.__all__] + [
        (bench, name) for name in bench.__all__
    ]
    return [
        f"{module.__name__}.{name} has no docstring."
        for module, one in names
        for name in _bare(module.__name__, one)
    ]


def _bare(module: str, name: str) -> Iterator[str]:
    """The name, or names inside the class, that no docstring says anything of."""
    thing = getattr(importlib.import_module(module), name)
    home = getattr(thing, "__module__", None)
    source = home_of(module, name) if home is None or not inspect.isclass(thing) else home
    for node, doc in _definitions(importlib.import_module(source or module)):
        match node:
            case ast.ClassDef(name=found) if found == name:
                yield from [name] if doc is None else []
                yield from (f"{name}.{one}" for one in _methods(node))
            case ast.FunctionDef(name=found) if found == name and doc is None:
                yield name
            case ast.Assign() | ast.AnnAssign() if name in _assigned(node) and doc is None:
                yield name


def home_of(module: str, name: str) -> str:
    """The module that defines what `module` hands on."""
    homes: dict[str, str] = getattr(importlib.import_module(module), "_HOME", {})
    return f"{module}.contract.{homes[name]}" if name in homes else module


def _definitions(module: object) -> Iterator[tuple[ast.stmt, str | None]]:
    """The statements of a module, each with its docstring; that of a value stands below it."""
    body = ast.parse(inspect.getsource(module)).body  # type: ignore[arg-type]
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node, ast.get_docstring(node)
            continue
        match after:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield node, text
            case _:
                yield node, None


def _methods(node: ast.ClassDef) -> Iterable[str]:
    for one in node.body:
        if isinstance(one, ast.FunctionDef) and not one.name.startswith("_"):
            overloaded = any("overload" in ast.unparse(mark) for mark in one.decorator_list)
            if ast.get_docstring(one) is None and not overloaded:
                yield one.name


def _assigned(node: ast.Assign | ast.AnnAssign) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {target.id for target in targets if isinstance(target, ast.Name)}
