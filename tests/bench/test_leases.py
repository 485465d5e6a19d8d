"""Laws of leases: one has a part, the dead lose it, what is done stays done."""

import itertools
import os
import time

import pytest

from frostbench.bench.store.leases import Leases, forget_leases


@pytest.fixture
def two(tmp_path):
    a, b = Leases(tmp_path, "a", expiry=0.2), Leases(tmp_path, "b", expiry=0.2)
    a.beat()
    b.beat()
    return a, b


def test_one_of_several_has_a_part_until_it_is_done(two):
    a, b = two
    assert (a.state("x"), a.claim("x"), b.claim("x"), b.state("x")) == ("free", True, False, "held")
    assert (a.mine("x"), b.mine("x")) == (True, False)
    b.finish("x")  # which is not its own
    assert b.state("x") == "held"
    a.finish("x")
    assert (a.state("x"), b.state("x"), b.claim("x")) == ("done", "done", False)


def test_of_many_processes_that_want_the_same_parts_each_part_has_one(tmp_path):
    children = []
    for number in range(6):
        child = os.fork()
        if child == 0:
            mine = Leases(tmp_path, f"w{number}")
            mine.beat()
            won = [str(part) for part in range(40) if mine.claim(str(part))]
            (tmp_path / f"{number}.won").write_text(" ".join(won))
            os._exit(0)
        children.append(child)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    won = [path.read_text().split() for path in tmp_path.glob("*.won")]
    assert sorted(itertools.chain(*won), key=int) == [str(part) for part in range(40)]


def test_a_part_of_one_who_gives_no_sign_of_life_is_taken_over(two):
    a, b = two
    assert a.claim("x")
    assert b.state("x") == "held"
    time.sleep(0.3)
    assert b.state("x") == "free"
    assert b.claim("x")
    assert b.taken_over == [("x", "a")]
    a.beat()  # it only slept
    assert not a.mine("x")
    a.finish("x")
    assert a.state("x") == "held"


def test_who_lives_keeps_its_part(two):
    a, b = two
    assert a.claim("x")
    with a.beating():
        assert b.state("x") == "held"
        time.sleep(0.4)
        assert b.state("x") == "held"
    assert b.state("x") == "free"  # it has said that it ends


@pytest.mark.parametrize("how", ["buried", "begun again"])
def test_what_a_dead_worker_held_is_free_at_once(two, tmp_path, how):
    a, b = two
    assert a.claim("x")
    if how == "buried":
        b.bury("a")
    else:
        again = Leases(tmp_path, "a")
        again.beat()
        assert again.state("x") == "free"
    assert b.claim("x")


def test_a_lease_without_a_word_of_its_owner_is_free(two, tmp_path):
    a, b = two
    assert a.claim("x")
    (tmp_path / "workers" / "a.beat").unlink()
    assert b.claim("x")


def test_names_of_any_kind_are_parts_and_nothing_is_left(two, tmp_path):
    a, _ = two
    for key in ("../../etc", "a b@c/d.0", "~1", "ü", "x~1"):
        assert a.claim(key)
        a.finish(key)
        assert a.state(key) == "done"
    assert {path.name for path in tmp_path.iterdir()} == {"leases", "workers"}
    forget_leases(tmp_path)
    assert not list(tmp_path.iterdir())
