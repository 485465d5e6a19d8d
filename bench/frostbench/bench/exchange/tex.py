"""Escapes texts for LaTeX, so that any name is printed as it is and compiles."""

import unicodedata

SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\char34{}",
    "`": r"\char96{}",
    "'": "'",
    # A bracket or a star after a line break would be its argument, and two hyphens a dash.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "-": "-{}",
    "?": "?{}",
    "!": "!{}",
    ",": ",{}",
    **{letter: f"\\{letter}" for letter in "{}$&#_%"},
}
ACCENTS = {
    "\u0300": r"\`",
    "\u0301": r"\'",
    "\u0302": r"\^",
    "\u0303": r"\~",
    "\u0304": r"\=",
    "\u0306": r"\u",
    "\u0307": r"\.",
    "\u0308": r"\"",
    "\u030a": r"\r",
    "\u030b": r"\H",
    "\u030c": r"\v",
    "\u0323": r"\d",
    "\u0327": r"\c",
    "\u0331": r"\b",
}
LETTERS = {
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
    "–": "--",
    "—": "---",
    "‘": "`{}",
    "’": "'{}",
    "“": "``{}",
    "”": "''{}",
    "…": r"\ldots{}",
    "\u00a0": "~",
    "\u202f": r"\,",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "→": r"$\rightarrow$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "−": "$-$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "°": r"$^\circ$",
    "·": r"$\cdot$",
    "²": "$^2$",
    "³": "$^3$",
}
GREEK = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau"
GREEK += " upsilon phi chi psi omega"


def escaped(text: str) -> str:
    r"""A text for LaTeX's default fonts, in ASCII; characters that they lack are named by number.

    >>> print(escaped("50 % of a_b & Müller's <x>"))
    50 \% of a\_b \& M\"{u}ller's \textless{}x\textgreater{}
    >>> escaped("[1]"), escaped("中")
    ('{[}1{]}', '\\texttt{U+4E2D}')
    """
    return "".join(map(_letter, unicodedata.normalize("NFC", text)))


def _letter(letter: str) -> str:
    if letter in SPECIAL or letter in LETTERS:
        return SPECIAL.get(letter) or LETTERS[letter]
    if letter.isascii():
        return letter if letter.isprintable() else " "
    name = unicodedata.name(letter, "")
    small = name.removeprefix("GREEK SMALL LETTER ").lower()
    if small in GREEK.split():
        return rf"$\{small}$"
    parts = unicodedata.normalize("NFD", letter)
    base, marks = parts[0], parts[1:]
    if base.isascii() and base.isalpha() and marks and all(mark in ACCENTS for mark in marks):
        made = rf"\{base}{{}}" if base in "ij" else base
        for mark in marks:
            made = f"{ACCENTS[mark]}{{{made}}}"
        return made
    return rf"\texttt{{U+{ord(letter):04X}}}"
