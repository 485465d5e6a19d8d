from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostbench.plugins.host.settings import read_settings
from frostbench.plugins.host.words import as_list, plain, several


@dataclass(frozen=True)
class Inner:
    step: int = 2
    rates: tuple[float, ...] = (0.5, 0.2)

    def __post_init__(self) -> None:
        if self.step < 1:
            raise ValueError("step is at least 1.")


@dataclass(frozen=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    size: int | None = 64
    way: Literal["trie", "union"] = "trie"
    quirky: bool = True
    pair: tuple[int, str] = (1, "one")
    name: str = ""


@dataclass(frozen=True)
class Demanding:
    needed: int


def test_nothing_given_is_all_defaults():
    assert read_settings(Outer, {}, "methods.m") == Outer()


def test_groups_dots_and_texts_mean_the_same():
    wanted = Outer(Inner(4, (0.1, 1.0)), None, "union", False, (2, "two"), "n")
    plain = {
        "inner": {"step": 4, "rates": [0.1, 1]},
        "size": None,
        "way": "union",
        "quirky": False,
        "pair": [2, "two"],
        "name": "n",
    }
    texts = {
        "inner.step": "4",
        "inner.rates": "[0.1, 1]",
        "size": "none",
        "way": "union",
        "quirky": "false",
        "pair": "2,two",
        "name": "n",
    }
    assert read_settings(Outer, plain, "methods.m") == wanted
    assert read_settings(Outer, texts, "methods.m") == wanted


def test_dots_add_to_a_group():
    mixed = {"inner.step": 4, "inner": {"rates": [0.1]}}
    assert read_settings(Outer, mixed, "m").inner == Inner(4, (0.1,))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"sice": 3}, "methods.m: no setting named 'sice'.*Did you mean 'size'"),
        ({"inner.stepp": 3}, "methods.m.inner: no setting named 'stepp'.*Did you mean 'step'"),
        ({"size": "big"}, "methods.m.size is a whole number, and was given 'big'"),
        ({"size": 1.5}, "methods.m.size is a whole number, and was given 1.5"),
        ({"size": True}, "methods.m.size is a whole number, and was given True"),
        ({"quirky": "perhaps"}, "methods.m.quirky is true or false"),
        ({"way": "tree"}, "methods.m.way is one of 'trie', 'union', not 'tree'"),
        ({"inner": 3}, "methods.m.inner is a group of settings"),
        ({"inner": 3, "inner.step": 3}, "'inner' is given both a value and a part"),
        ({"inner.step": 0}, "methods.m.inner: step is at least 1"),
        ({"inner.rates": ["a"]}, r"methods.m.inner.rates\[0\] is a number, and was given 'a'"),
        ({"inner.rates": None}, "methods.m.inner.rates is a list"),
        ({"size": "1_000"}, "methods.m.size is a whole number, and was given '1_000'"),
        ({"pair": [1]}, "methods.m.pair has 2 values, and was given 1"),
    ],
)
def test_what_does_not_fit_is_one_sentence_with_the_way_to_it(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        read_settings(Outer, values, "methods.m")


def test_a_field_without_default_must_be_given():
    assert read_settings(Demanding, {"needed": 3}, "m") == Demanding(3)
    with pytest.raises(ValueError, match="m: 'needed' must be given"):
        read_settings(Demanding, {}, "m")


@dataclass(frozen=True)
class Worded:
    name: str = ""
    metrics: tuple[str, ...] = ()
    either: int | str = 0
    way: Literal["8", "true"] = "8"
    rates: tuple[float, ...] = ()
    quick: bool = False


@pytest.mark.parametrize(
    ("key", "typed", "meant"),
    [
        ("name", 7, "7"),
        ("name", True, "true"),
        ("name", "007", "007"),
        ("metrics", "lpips[alex]", ("lpips[alex]",)),
        ("metrics", "psnr[rgb],mae[rgb]", ("psnr[rgb]", "mae[rgb]")),
        ("metrics", "[psnr[rgb], 'a,b']", ("psnr[rgb]", "a,b")),
        ("metrics", ["lpips[alex]"], ("lpips[alex]",)),
        ("metrics", 7, ("7",)),
        ("either", 5, 5),
        ("either", "word", "word"),
        ("way", 8, "8"),
        ("way", True, "true"),
        ("rates", 5, (5.0,)),
        ("rates", "1e-3", (0.001,)),
        ("quick", 1, True),
    ],
)
def test_a_setting_takes_what_is_typed_as_it_wants_it(key, typed, meant):
    assert getattr(read_settings(Worded, {key: typed}, "m"), key) == meant


@given(items=st.lists(st.text()))
def test_a_list_that_is_written_is_read_as_it_was(items):
    assert several(as_list(items)) == items


@given(text=st.text(st.sampled_from("0123456789.-eEtrufalsn[],'")) | st.text())
def test_what_a_plain_value_is_made_of_can_be_had_back(text):
    value = plain(text)
    if value is not None and not isinstance(value, list):
        assert (str(value).lower() if isinstance(value, bool) else str(value)) == text
