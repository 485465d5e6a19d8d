"""The leaderboard as Markdown: a compact table for each task."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from frostbench.bench.leaderboard.facts import facts
from frostbench.bench.leaderboard.numbers import NONE, Format, count, seconds
from frostbench.bench.leaderboard.parity import compared, parity_lines
from frostbench.bench.leaderboard.preservation import TITLE as PRESERVED_TITLE
from frostbench.bench.leaderboard.preservation import kept_frozen
from frostbench.bench.leaderboard.rows import Leaderboard, Row
from frostbench.bench.leaderboard.swap import TITLE, Swaps, swaps
from frostbench.bench.leaderboard.tables import Line, Remark, Table, sections
from frostbench.bench.printable import brief, printable

MEANING = (
    "The mini pack's models are small ones, trained for this bench: its numbers say whether the "
    "methods work end to end, and say nothing about the published models."
)


def markdown(leaderboard: Leaderboard, title: str) -> str:
    """The whole leaderboard as GitHub-flavoured Markdown."""
    return "\n".join(_lines(_escaped(leaderboard), cell(title))) + "\n"


def cell(text: str) -> str:
    r"""A stranger's text, escaped so that Markdown shows it as it is: no HTML, link or code.

    It stays in its line and in its table cell, and begins no heading, list, quote or fence.

    >>> cell("<b>|[x](y)"), cell("psnr[rgb]"), cell("# a`b")
    ('&lt;b>\|\[x\](y)', 'psnr[rgb]', '\# a\`b')
    """
    line = printable(brief(text)).replace("\n", " ").replace("\t", " ").strip()
    line = line.replace("\\", "\\\\").replace("&", "&amp;").replace("<", "&lt;")
    # Brackets in metrics' ids are no link: a word stands before them, and no target after.
    line = re.sub(r"[|`*~]|(?<!\w)\[|\](?=[\[(:])", r"\\\g<0>", line)
    return re.sub(r"^(?=[#>+=_-]|!\[)|^(\d+)(?=[.)])", r"\1\\", line)


def _escaped(value: Any) -> Any:
    """The data of a page with every text in it as a `cell`, so that none can be forgotten."""
    if isinstance(value, str):
        return cell(value)
    if isinstance(value, Mapping):
        return {_escaped(key): _escaped(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(map(_escaped, value))
    if is_dataclass(value) and not isinstance(value, type):
        parts = {one.name: _escaped(getattr(value, one.name)) for one in fields(value) if one.init}
        return replace(value, **parts)
    return value


def remark_sentence(remark: Remark) -> str:
    """Where a method does not beat some of its controls, in a sentence."""
    controls = _listed(control.replace("_", " ") for control in remark.controls)
    them = "it" if len(remark.controls) == 1 else "them"
    if remark.loses:
        tied = f"; it cannot be told from {them} on {_listed(remark.ties)}" if remark.ties else ""
        return f"{remark.method} loses to {controls} on {_listed(remark.loses)}{tied}."
    return f"{remark.method} cannot be told from {controls} on {_listed(remark.ties)}."


def _lines(leaderboard: Leaderboard, title: str) -> Iterable[str]:
    yield f"# {title}"
    yield ""
    for number, manifest in enumerate(leaderboard.manifests, start=1):
        run = facts(number, manifest)
        if len(leaderboard.manifests) > 1:
            yield f"**Run {number}**"
            yield ""
        yield from (f"- {name}: {value}" for name, value in run.pairs if value != NONE)
        yield f"- {run.frozen.sentence}"
        yield from (f"- {sentence}" for sentence in (*run.cache, *run.methods, *run.notes))
        yield from (f"- **{run.warning}**" for _ in range(bool(run.warning)))
        yield ""
    yield leaderboard.estimators
    yield ""
    yield (
        "Ranks are ranges of what the data tell apart; **bold** is significantly best; controls "
        "are in italics."
    )
    if any(manifest.pack.name == "mini" for manifest in leaderboard.manifests):
        yield ""
        yield MEANING
    for section in sections(leaderboard):
        yield ""
        yield f"## {section.suite}"
        for remark in section.remarks:
            yield ""
            yield remark_sentence(remark)
        for table in section.tables:
            yield ""
            yield f"### {table.task.name}"
            yield ""
            if table.task.summary:
                yield table.task.summary
                yield ""
            if table.plain:
                yield from _table(table.plain)
            if table.series:
                yield from [""] * bool(table.plain)
                yield from _series(table.series)
            yield from (line for note in table.doubts for line in ("", note))
    yield from _swaps(swaps(leaderboard))
    yield from _preserved(leaderboard)
    yield from parity_lines(compared(leaderboard))
    yield from _reported([row for row in leaderboard.rows if row.kind == "reported"])


def _table(table: Table) -> Iterable[str]:
    forms = list(table.forms)
    heads = [
        f"{metric.id}{' (' + form.unit + ')' if form.unit else ''}"
        f"{'' if metric.direction == 'neither' else ' ' + arrow(metric.higher_is_better)}"
        for metric, form in zip(table.metrics, forms, strict=True)
    ]
    with_protocol = any(group.protocol for group in table.groups)
    columns = [*(["protocol"] if with_protocol else []), "method", "rank", *heads]
    columns += ["samples", "s", "prompt tokens", "generated tokens"]
    lines = [line for group in table.groups for line in (*group.methods, *group.controls)]
    with_energy = any(line.row.cost and line.row.cost.joules is not None for line in lines)
    columns += ["J"] if with_energy else []
    yield _row(columns)
    words = 2 + with_protocol
    yield _row([*["---"] * words, *["---:"] * (len(columns) - words)])
    reasons: dict[str, None] = {}
    for group in table.groups:
        for line in (*group.methods, *group.controls):
            if line.row.reason:
                reasons[f"{line.name}: {line.row.reason}"] = None
            start = [group.protocol or ""] if with_protocol else []
            joules = line.row.cost.joules if line.row.cost else None
            energy = [seconds(joules)] if with_energy else []
            yield _row([*start, *_cells(line, forms), *energy])
    notes = dict.fromkeys(group.note for group in table.groups if group.note)
    for note in (*reasons, *notes):
        yield ""
        yield note


def _cells(line: Line, forms: list[Format]) -> Iterable[str]:
    row = line.row
    yield f"*{line.tagged}*" if row.control else line.tagged
    yield str(row.rank or "") if row.value is not None else NONE
    for cell, form in zip((row, *line.others), forms, strict=True):
        yield _value(cell, form)
    failed = f" ({row.failed} failed)" if row.failed else ""
    yield f"{count(row.samples)}{failed}"
    cost = row.cost
    yield from (
        (seconds(cost.seconds), count(cost.prompt_tokens), count(cost.generated_tokens))
        if cost
        else (NONE, NONE, NONE)
    )


def _value(row: Row | None, form: Format) -> str:
    if row is None or row.value is None:
        return NONE
    value = f"**{form(row.value)}**" if row.best else form(row.value)
    return f"{value}{form.brackets(row.low, row.high)}"


def _series(table: Table) -> Iterable[str]:
    """The ranking metric alone, protocols side by side."""
    metric, form = table.metrics[0], table.forms[0]
    unit = f" ({form.unit})" if form.unit else ""
    head = f"{metric.id}{unit} {arrow(metric.higher_is_better)}"
    yield _row([head, *(group.protocol or "" for group in table.groups)])
    yield _row(["---", *["---:"] * len(table.groups)])
    reasons: dict[str, None] = {}
    for across in table.side_by_side:
        name = f"*{across.line.name}*" if across.line.row.control else across.line.name
        yield _row([name, *(NONE if row is None else _value(row, form) for row in across.rows)])
        for row in across.rows:
            if row is not None and row.reason:
                reasons[f"{across.line.name}: {row.reason}"] = None
    for note in (*reasons, *dict.fromkeys(group.note for group in table.groups if group.note)):
        yield ""
        yield note


def _swaps(found: Swaps) -> Iterable[str]:
    """Methods down, language models across, task by task."""
    if not found.tables:
        return
    yield ""
    yield f"## {TITLE}"
    yield from (line for note in found.notes for line in ("", note))
    yield ""
    names = [f"{name} ({size} parameters)" for name, size in found.models]
    yield _row(["task", "protocol", "metric", "method", *names])
    yield _row([*["---"] * 4, *["---:"] * len(names)])
    for swap in found.tables:
        form, metric = swap.form, swap.metric
        unit = f" ({form.unit})" if form.unit else ""
        start = [
            swap.task,
            swap.protocol or "",
            f"{metric.id}{unit} {arrow(metric.higher_is_better)}",
        ]
        for line in swap.lines:
            # Bold is for the best among methods with one model, which these columns are not.
            cells = (cell and replace(cell, best=False) for cell in line.cells)
            yield _row([*start, line.method, *(_value(cell, form) for cell in cells)])


def _preserved(leaderboard: Leaderboard) -> Iterable[str]:
    """Answers that are the same with and without a method, and whether backbones changed."""
    rows = leaderboard.preserved
    if not rows:
        return
    yield ""
    yield f"## {PRESERVED_TITLE}"
    yield ""
    yield _row(["method", "task", "protocol", "same answers (%)", "of"])
    yield _row([*["---"] * 3, *["---:"] * 2])
    for row in rows:
        cells = [row.method, row.task, row.protocol or ""]
        yield _row([*cells, f"{100 * row.share:.1f}", count(row.of)])
    for kept in dict.fromkeys(kept_frozen(rows, leaderboard.manifests).values()):
        yield ""
        yield kept.sentence


def _reported(rows: list[Row]) -> Iterable[str]:
    if not rows:
        return
    yield ""
    yield "## Reported by the papers (other data, other models: not comparable)"
    yield ""
    yield _row(["method", "task", "metric", "value", "setting", "source"])
    yield _row(["---", "---", "---", "---:", "---", "---"])
    for row in rows:
        doubt = "" if row.verified else " (unverified)"
        yield _row(
            [
                row.method,
                row.task,
                row.metric,
                f"{row.value:g}",
                row.setting or "",
                f"{row.source}{doubt}",
            ]
        )


def arrow(higher_is_better: bool) -> str:
    """Which way is better."""
    return "↑" if higher_is_better else "↓"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _listed(places: Iterable[str]) -> str:
    *most, last = places
    return f"{', '.join(most)} and {last}" if most else last
