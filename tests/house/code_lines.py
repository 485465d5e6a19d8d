"""Counts code lines: no blanks, comments or docstrings.

    python tests/house/code_lines.py [FOLDER]

counts the Python of all components of a checkout, this one without FOLDER.
"""

import ast
import io
import sys
import tokenize
from pathlib import Path

COMPONENTS = ("plugins", "v2l", "baselines", "eval_suites", "bench", "packs")
_SPACE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def code_lines(text: str) -> int:
    """Lines on which a token of code stands; a line inside a string that is no docstring counts.

    >>> code_lines('"Docstring."\\n\\nx = (  # why\\n    1\\n)\\n')
    3
    """
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    lines = {
        line
        for token in tokens
        if token.type not in _SPACE
        for line in range(token.start[0], token.end[0] + 1)
    }
    for node in ast.walk(ast.parse(text)):
        match node:
            # A string that stands alone says something to the reader, and nothing to the machine.
            case ast.Expr(value=ast.Constant(value=str())):
                lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def sources(repository: Path, folders: tuple[str, ...] = COMPONENTS) -> list[Path]:
    """The Python files of the components, tests and benchmarks left out."""
    return sorted(path for name in folders for path in (repository / name).rglob("*.py"))


def main(repository: Path) -> None:
    """Print the count of each component, and of all."""
    total = 0
    for name in COMPONENTS:
        files = sources(repository, (name,))
        count = sum(code_lines(path.read_text(encoding="utf-8")) for path in files)
        print(f"{name:<12}{count:>8} lines in {len(files)} files")
        total += count
    print(f"{'all':<12}{total:>8}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2])
