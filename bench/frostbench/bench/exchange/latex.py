"""LaTeX tables: one matrix for each suite, one table for each task, and a whole document."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from frostbench.bench.exchange.bibliography import OWN_KEY, Reference, bibliography, references
from frostbench.bench.exchange.tex import escaped
from frostbench.bench.leaderboard.markdown import arrow
from frostbench.bench.leaderboard.matrix import Matrix, TaskPlace, matrix
from frostbench.bench.leaderboard.numbers import NONE, Format, count, readable, seconds
from frostbench.bench.leaderboard.rows import Leaderboard, Row
from frostbench.bench.leaderboard.tables import Line, Section, Table, sections
from frostbench.bench.printable import brief
from frostbench.bench.store.manifest import MetricEntry

# Rules of booktabs if it is installed, plain ones otherwise, so that it compiles anywhere.
PREAMBLE = r"""\documentclass{article}
\usepackage[margin=1.5cm]{geometry}
\usepackage{graphicx}
\IfFileExists{booktabs.sty}{\usepackage{booktabs}}{%
  \newcommand{\toprule}{\hline}\newcommand{\midrule}{\hline}\newcommand{\bottomrule}{\hline}}
\IfFileExists{url.sty}{\usepackage{url}}{\newcommand{\url}[1]{\texttt{#1}}}
\begin{document}
\sloppy
"""
NEEDS = "% needs booktabs and graphicx"
FIT = (
    r"\providecommand{\frostbenchfit}[1]"
    r"{\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{#1}}"
)
SYMBOLS = {"all": r"$\bullet$", "some": r"$\odot$", "none": r"$\circ$", None: ""}
WIDEST = 8  # methods beside one another
LONGEST_NAME = 80  # characters of a file's
LONGEST = 30  # rows of what papers report


def latex(leaderboard: Leaderboard) -> Iterator[tuple[str, str]]:
    """The files: tables to be put into a paper, their bibliography, and a document of them all."""
    cited = references(leaderboard.manifests)
    tables: list[tuple[str, str]] = []
    parts = sections(leaderboard)
    found = matrix(leaderboard, parts)
    for suite, group in groupby(range(len(found.places)), key=lambda n: found.places[n].suite):
        text = "\n".join(_matrix(suite, list(group), found, leaderboard, cited))
        tables.append((f"matrix-{_file(suite)}.tex", text))
    tables += _of_tasks(parts, leaderboard, cited)
    reported = [row for row in leaderboard.rows if row.kind == "reported"]
    if reported:
        tables.append(("reported.tex", "\n".join(_reported(reported, cited))))
    tables = _apart(tables)
    yield from tables
    yield "references.bib", bibliography(leaderboard.manifests)
    inputs = "".join(f"\\input{{{name}}}\n\\clearpage\n" for name, _ in tables)
    end = "\\bibliographystyle{plain}\n\\bibliography{references}\n\\end{document}\n"
    yield "frostbench.tex", f"{PREAMBLE}{inputs}\\nocite{{*}}\n{end}"


def _apart(tables: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Separate file names for tables whose names differ only in forbidden characters."""
    seen: dict[str, int] = {}
    found = []
    for name, text in tables:
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            stem, label = name.removesuffix(".tex"), f"-{seen[name]}"
            text = text.replace(f"\\label{{tab:{stem}}}", f"\\label{{tab:{stem}{label}}}")
            name = f"{stem}{label}.tex"
        found.append((name, text))
    return found


def _of_tasks(
    parts: Iterable[Section], leaderboard: Leaderboard, cited: Mapping[str, Reference]
) -> Iterator[tuple[str, str]]:
    for part in parts:
        for table in part.tables:
            yield (
                f"task-{_file(table.task.name)}.tex",
                "\n".join(_task(table, leaderboard, cited)),
            )


def _matrix(
    suite: str,
    places: Sequence[int],
    found: Matrix,
    leaderboard: Leaderboard,
    cited: Mapping[str, Reference],
) -> Iterator[str]:
    """A row a task, a column a method, in blocks of no more than fit a page."""
    here = [
        number
        for number in range(len(found.contenders))
        if any((cell := found.cell(p, number)) and cell.row.value is not None for p in places)
    ]
    caption = (
        f"{readable(suite).capitalize()}: the metric that ranks each task, with 95 % intervals as "
        "subscripts. Bold is significantly better than every other method; underlined are those "
        "that cannot be told from the best."
    ).replace("95 %", _level(leaderboard))
    yield from _open(f"{caption} {_about(leaderboard)}", f"tab:matrix-{_file(suite)}")
    for start in range(0, len(here), WIDEST):
        block = here[start : start + WIDEST]
        names = [_cited(found.contenders[n].method, found.contenders[n].name, cited) for n in block]
        yield rf"\frostbenchfit{{\begin{{tabular}}{{ll{'r' * len(block)}}}"
        yield r"\toprule"
        yield _row(["task", "metric", *names])
        yield r"\midrule"
        for place in places:
            where = found.places[place]
            cells = []
            for number in block:
                cell = found.cell(place, number)
                mark = SYMBOLS[cell.standing] if cell else ""
                cells.append(f"{_value(cell.row if cell else None, where.form)} {mark}".strip())
            yield _row([_named(where), _head(where.metric, where.form), *cells])
        yield r"\bottomrule"
        yield r"\end{tabular}}"
        yield r"\par\smallskip"
    yield (
        rf"{{\scriptsize {SYMBOLS['all']} beats all of its controls, {SYMBOLS['some']} some, "
        rf"{SYMBOLS['none']} none.}}"
    )
    yield r"\end{table}"


def _task(table: Table, leaderboard: Leaderboard, cited: Mapping[str, Reference]) -> Iterator[str]:
    """A table a protocol: methods, and below a rule their controls; a column a metric."""
    heads = [_head(m, form) for m, form in zip(table.metrics, table.forms, strict=True)]
    for number, group in enumerate(table.groups, start=1):
        named = ", ".join(filter(None, [readable(group.protocol or ""), group.note]))
        about = f"{readable(table.task.name).capitalize()}{f', {named}' if named else ''}. "
        label = f"tab:task-{_file(table.task.name)}"
        yield from _open(
            f"{about}{_sentence(table.task.summary)}{_about(leaderboard)}",
            label if number == 1 else f"{label}-{number}",
        )
        yield rf"\frostbenchfit{{\begin{{tabular}}{{l{'r' * (len(table.metrics) + 3)}}}"
        yield r"\toprule"
        yield _row(["", "rank", *heads, "samples", "s"])
        yield r"\midrule"
        answered = [line for line in group.methods if line.row.value is not None]
        for line in answered:
            yield _row(_cells(line, table.forms, _cited(line.row.method, line.name, cited)))
        if answered and group.controls:
            yield r"\midrule"
        for line in group.controls:
            cells = _cells(line, table.forms, escaped(brief(readable(line.name))))
            yield _row(rf"{{\footnotesize\itshape {cell}}}" if cell else "" for cell in cells)
        yield r"\bottomrule"
        yield r"\end{tabular}}"
        yield r"\end{table}"


def _reported(rows: Sequence[Row], cited: Mapping[str, Reference]) -> Iterator[str]:
    """Values of papers, in tables that fit a page."""
    for start in range(0, len(rows), LONGEST):
        label = "tab:reported" if not start else f"tab:reported-{start // LONGEST + 1}"
        yield from _open(
            "Reported by the papers, on other data and with other models: not comparable with what "
            "was measured. Values with a question mark were not seen in the publication itself.",
            label,
        )
        yield r"\frostbenchfit{\begin{tabular}{lllrp{6cm}p{6cm}}"
        yield r"\toprule"
        yield _row(["method", "task", "metric", "value", "setting", "source"])
        yield r"\midrule"
        for row in rows[start : start + LONGEST]:
            doubt = "" if row.verified else "?{}"
            texts = (
                readable(row.task),
                row.metric,
                f"{row.value:g}",
                brief(row.setting or ""),
                brief(row.source or ""),
            )
            task, metric, value, setting, source = map(escaped, texts)
            name = _cited(row.method, row.method, cited)
            yield _row([name, task, metric, f"{value}{doubt}", setting, source])
        yield r"\bottomrule"
        yield r"\end{tabular}}"
        yield r"\end{table}"


def _open(caption: str, label: str) -> Iterator[str]:
    yield NEEDS
    yield FIT
    yield r"\begin{table}[htbp]"
    yield r"\centering\footnotesize"
    yield rf"\caption{{{_caption(caption)}}}"
    yield rf"\label{{{label}}}"


def _caption(text: str) -> str:
    return f"{escaped(brief(text, 2000))} Measured with frostbench~\\cite{{{OWN_KEY}}}."


def _cells(line: Line, forms: Sequence[Format], name: str) -> list[str]:
    row = line.row
    values = (_value(cell, form) for cell, form in zip((row, *line.others), forms, strict=True))
    cost = seconds(row.cost.seconds) if row.cost else NONE
    rank = str(row.rank or "") if row.value is not None else ""
    return [name, escaped(rank), *values, escaped(count(row.samples)), escaped(cost)]


def _value(row: Row | None, form: Format) -> str:
    """A value with its interval as a subscript, bold or underlined as the caption says."""
    if row is None or row.value is None:
        return escaped(NONE)
    text = form(row.value).replace("−", "-")
    if row.best:
        text = rf"\mathbf{{{text}}}"
    elif row.rank is not None and row.rank.low == 1:
        text = rf"\underline{{{text}}}"
    low, high = (form(end).replace("−", "-") for end in (row.low, row.high))
    interval = "" if row.low is None or row.high is None else rf"_{{[{low},\,{high}]}}"
    return f"${text}{interval}$"


def _named(place: TaskPlace) -> str:
    named = f"{readable(place.task)} {readable(place.protocol or '')}".rstrip()
    return escaped(brief(f"{named} ({place.note})" if place.note else named))


def _head(metric: MetricEntry, form: Format) -> str:
    turn = "" if metric.direction == "neither" else f" {arrow(metric.higher_is_better)}"
    unit = f" ({form.unit})" if form.unit else ""
    return escaped(f"{metric.id}{turn}{unit}")


def _cited(method: str, name: str, cited: Mapping[str, Reference]) -> str:
    reference = cited.get(method)
    return escaped(brief(name)) + (rf"~\cite{{{reference.key}}}" if reference else "")


def _sentence(text: str) -> str:
    """A summary as a sentence of its own, followed by a blank."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}. " if text else ""


def _about(leaderboard: Leaderboard) -> str:
    packs = dict.fromkeys(manifest.pack.name for manifest in leaderboard.manifests)
    seeds = dict.fromkeys(str(manifest.seed) for manifest in leaderboard.manifests)
    versions = dict.fromkeys(manifest.frostbench for manifest in leaderboard.manifests)
    samples = {row.samples for row in leaderboard.rows if row.kind == "measured" and row.samples}
    least, most = (min(samples), max(samples)) if samples else (0, 0)
    told = f"{least} to {most}" if least != most else str(most)
    return (
        f"Pack {', '.join(packs)}, seed {', '.join(seeds)}, {told} samples a row, frostbench "
        f"{', '.join(versions)}."
    )


def _level(leaderboard: Leaderboard) -> str:
    return f"{leaderboard.inference.level:.0%}".replace("%", " %")


def _row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def _file(name: str) -> str:
    """A name for a file and a label, safe for LaTeX and for file systems."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:LONGEST_NAME] or "table"
