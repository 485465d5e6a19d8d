"""The methods' papers, and frostbench itself, as BibTeX."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from frostbench.bench.exchange.names import folder_name
from frostbench.bench.exchange.tex import escaped
from frostbench.bench.store.manifest import Manifest

OWN_KEY = "frostbench"
TITLE = "frostbench: one bench on which frozen-model vision methods meet on equal terms"


@dataclass(frozen=True)
class Reference:
    """An entry of a bibliography; fields are plain texts."""

    key: str
    kind: str
    fields: Mapping[str, str]

    def __str__(self) -> str:
        lines = (f"  {name} = {{{_field(name, text)}}}," for name, text in self.fields.items())
        return "\n".join([f"@{self.kind}{{{self.key},", *lines, "}"])


def references(manifests: Sequence[Manifest]) -> Mapping[str, Reference]:
    """The entry of each method's paper, by method; methods without a paper are left out."""
    known = {entry["paper"]: entry for entry in _papers()}
    found: dict[str, Reference] = {}
    for manifest in manifests:
        for name, about in manifest.methods.items():
            if about.paper and name not in found:
                entry = known.get(about.paper.rstrip("/"))
                found[name] = (
                    _unknown(name, about.title, about.paper) if entry is None else _known(entry)
                )
    return found


def bibliography(manifests: Sequence[Manifest]) -> str:
    """The file: frostbench, and each paper once."""
    own = Reference(
        OWN_KEY,
        "misc",
        {
            "author": "{The frostbench authors}",
            "title": TITLE,
            "note": f"version {', '.join(dict.fromkeys(one.frostbench for one in manifests))}",
            "year": manifests[0].created[:4],
        },
    )
    entries = {one.key: one for one in (own, *references(manifests).values())}
    return "\n\n".join(map(str, entries.values())) + "\n"


def _papers() -> Iterator[Mapping[str, str]]:
    yield from json.loads(files(__package__).joinpath("papers.json").read_text(encoding="utf-8"))


def _known(entry: Mapping[str, str]) -> Reference:
    where = {"booktitle": entry["where"]} if entry["where"] else {}
    fields = {"author": entry["author"], "title": f"{{{entry['title']}}}", **where}
    fields |= {"year": str(entry["year"]), **_place(entry["paper"])}
    return Reference(entry["key"], entry["kind"], fields)


def _unknown(name: str, title: str, paper: str) -> Reference:
    """The entry of a paper of which only the address is known."""
    key = folder_name(name).lower().replace("_", "-")
    return Reference(f"method-{key}", "misc", {"title": f"{{{title}}}", **_place(paper)})


def _place(paper: str) -> Mapping[str, str]:
    arxiv = re.fullmatch(r"https?://arxiv\.org/abs/(\d{4}\.\d{4,5})(v\d+)?/?", paper)
    return {"eprint": arxiv[1], "archivePrefix": "arXiv", "url": paper} if arxiv else {"url": paper}


def _field(name: str, text: str) -> str:
    """A field's value: braces around a whole text keep its capitals, all else is escaped."""
    if name == "url":
        return re.sub(r"[^!-~]|[{}\\%]", lambda one: _percent(one[0]), text)
    if text.startswith("{") and text.endswith("}"):
        return f"{{{escaped(text[1:-1])}}}"
    return escaped(text)


def _percent(letter: str) -> str:
    return "".join(f"\\%{byte:02X}" for byte in letter.encode(errors="replace"))
