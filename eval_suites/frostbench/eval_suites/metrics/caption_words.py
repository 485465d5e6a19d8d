"""The words of a caption, as the official caption evaluation counts them.

That evaluation (pycocoevalcap 1.2) runs the Stanford PTBTokenizer 3.4.1, a Java program, in lower
case, and drops a list of marks. Its rules are followed here for what captions hold: words with
hyphens, slashes and full stops inside, numbers and times, contractions and possessives, initials
and common abbreviations, brackets, repeated marks, quotes and dashes of Unicode. Brackets and
repeated marks stay as words ("-lrb-", "!!"): the official list names brackets in capitals, which
lower case has removed, and repeated marks not at all. Emoji and whatever else lies above U+FFFF are
dropped, and older signs ("♥") are words.

The full stop after a single letter ("people a.") belongs to it unless a word that begins sentences
follows in capitals. That tokenizer reads all captions as one text, so that the word may be the next
caption's; here every caption is followed by one that begins with "A", as most of COCO's do.

Not followed, because captions hardly hold them: telephone numbers and dates, ampersands within
names ("AT&T"), rarer abbreviations, apostrophes in rarer words, rarer faces made of marks, and
entities of HTML.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

_MARKS = "\" ' ` . ? ! , : - ;"
_DROPPED = frozenset(_MARKS.split())
_BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
_SPELLED = str.maketrans(
    {"’": "'", "‘": "`", "“": '"', "”": '"', "«": '"', "»": '"', "‹": "`", "›": "'"}
    | {"—": "--", "–": "--", "…": "...", "\u00a0": " ", "½": " 1/2", "£": "#", "€": "$"}
    | {"\u00ad": ""}
)

# Abbreviations that are one word with their full stop.
_ABBREVIATIONS = (
    "mr mrs ms dr prof gen sgt lt rev hon jr sr st ave blvd rd mt ft dept est sq al vs etc nos "
    "inc co corp ltd bros plc jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri"
)
# Words that keep their apostrophe; any other apostrophe separates two words.
_APOSTROPHES = "hallowe'en cap'n ne'er e'er o'er s'mores c'mon ma'am more'n y'all"
# Texts that are two words, and where the second begins.
_TWO_WORDS = {"cannot": 3, "gonna": 3, "wanna": 3, "gotta": 3, "gimme": 3, "lemme": 3}
_TWO_WORDS |= {"'tis": 2, "'twas": 2, "more'n": 4, "y'all": 2}

# Words before which the full stop of a single letter ends a sentence.
_BEGINNINGS = (
    "A About According Additionally After An As At But Earlier He Her Here However If In It Last "
    "Many More Now Once One Other Our She Since So Some Such That The Their Then There These They "
    "This We What When While Yet You"
)
_LAST_LETTER = re.compile(
    rf"(?<![\w.])([A-Za-z])\.(?=\s*$|\s+(?:{'|'.join(_BEGINNINGS.split())})(?:\s|$))"
)
# Above U+FFFF, what joins, varies or encloses emoji, and characters without width.
_UNREAD = re.compile("[\u200b-\u200f\u20d0-\u20f0\ufe00-\ufe0f\ufeff\U00010000-\U0010ffff]")

_CONTRACTED = r"'(?:s|m|d|ll|re|ve)(?!\w)|(?<=n)'t(?!\w)"
_TOKEN = re.compile(
    "|".join(
        (
            r"</?[a-z][^<>\s]*>",  # a tag: <unk>
            r"\w+://\S+|[\w.+-]+@\w+(?:\.\w+)+",  # an address
            r"[:;=]-?(?:[()]|[dp](?!\w))",  # a face: :-)
            r"'n'|'(?:em|tis|twas|n|\d0s)(?!\w)",
            r"(?:[a-z]\.)+(?!\w)",  # initials: a.m.
            rf"(?:{_ABBREVIATIONS.replace(' ', '|')}|ph\.d|no(?=\.\s*\d))\.(?!\w)",
            r"\d+(?:[,:]\d+)+(?:\.\d+)?|(?<!\w)[-+]\d+(?:\.\d+)?|\.\d+",
            rf"(?:{_APOSTROPHES.replace(' ', '|')}|(?:[dlo]'(?=\w\w))?[^\W_]\w*"
            rf"(?:[-/.?!][^\W_]\w*)*)(?:{_CONTRACTED})*",
            _CONTRACTED,
            r"[#@][^\W\d_]\w*",
            r"[!?]{2,}|\S",
        )
    )
)
_ENDING = re.compile(r"(?:n't|'(?:s|m|d|ll|re|ve))$")


def caption_words(caption: str) -> tuple[str, ...]:
    """Words in lower case, without most punctuation, contractions in two.

    >>> caption_words("The dog's ball isn't red (it was).")
    ('the', 'dog', "'s", 'ball', 'is', "n't", 'red', '-lrb-', 'it', 'was', '-rrb-')
    """
    read = _UNREAD.sub(" ", _LAST_LETTER.sub(r"\1 .", caption))
    tokens = _TOKEN.findall(read.translate(_SPELLED).lower())
    words = (word for token in tokens for word in _parts(token))
    return tuple(word for word in words if word not in _DROPPED)


def _parts(token: str) -> Iterator[str]:
    """A token in the words that it is made of."""
    endings: list[str] = []
    while (ending := _ENDING.search(token)) and ending.start():
        endings.insert(0, ending[0])
        token = token[: ending.start()]
    second = _TWO_WORDS.get(token, len(token))
    yield "".join(_BRACKETS.get(mark, mark) for mark in token[:second])
    if token[second:]:
        yield token[second:]
    yield from endings


def ngrams(words: Sequence[str], orders: int) -> Counter[tuple[str, ...]]:
    """How often each run of 1 to `orders` words occurs.

    >>> ngrams(["so", "so"], 2)
    Counter({('so',): 2, ('so', 'so'): 1})
    """
    return Counter(
        tuple(words[start : start + order])
        for order in range(1, orders + 1)
        for start in range(len(words) - order + 1)
    )
