"""Pages as GitHub shows them, written as Python-Markdown wants them."""

import re

_FENCE = re.compile(r"^```(\w+) (\S.*)$", re.MULTILINE)
_ITEM = re.compile(r"(?:[-*+]|\d+[.)]) ")
NOT_RUN = "checked by the tests, not run"


def for_site(text: str) -> str:
    r"""The text of a page, with its code blocks' notes as titles, and lists where they begin.

    >>> print(for_site("Two:\n- one\n- two\n```sh slow\nls\n```"))
    Two:
    <BLANKLINE>
    - one
    - two
    ```sh title="checked by the tests, not run"
    ls
    ```
    """
    return _FENCE.sub(_titled, _with_lists(text))


def _titled(found: "re.Match[str]") -> str:
    language, note = found[1], found[2].strip()
    if "=" in note:
        return found[0]
    return f'```{language} title="{NOT_RUN if note == "slow" else note}"'


def _with_lists(text: str) -> str:
    """The text with an empty line before each list that begins inside a paragraph."""
    lines: list[str] = []
    fenced = in_list = False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        if not fenced and _ITEM.match(line):
            if lines and lines[-1].strip() and not in_list:
                lines.append("")
            in_list = True
        elif not line.strip() or (not fenced and not line.startswith(" ") and line.startswith("#")):
            in_list = False
        lines.append(line)
    return "\n".join(lines)
