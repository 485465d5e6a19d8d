"""What a run and a method's own process say to each other: nothing in it can run code."""

import json
import pickle
import struct

import pytest
import torch
from runner_world import picture

from frostbench.bench.isolation import codec
from frostbench.bench.isolation.codec import MessageError, MessageReader, MessageWriter
from frostbench.plugins import (
    Generate,
    Generated,
    Ids,
    ImagePiece,
    Prompt,
    Score,
    Scored,
    Texts,
    TokenSets,
    VisualTokens,
)
from frostbench.plugins.contract.completions import Cost


def test_what_a_prompt_shares_is_sent_once_and_the_same_object_again():
    writer, reader = MessageWriter(), MessageReader()
    image = picture("a")
    allowed = TokenSets((frozenset({3, 5}),) * 40)
    waves = [[Prompt((ImagePiece(image), Ids((1, 2))), Generate(40, allowed))] for _ in range(2)]
    first, second = (b"".join(writer.write(wave)[1:]) for wave in waves)
    assert len(second) < len(first) / 2
    (one,), (two,) = (reader.read(memoryview(written)) for written in (first, second))
    assert one == waves[0][0]
    assert one.query[0].image is two.query[0].image
    assert one.ask.allowed.sets[0] is two.ask.allowed.sets[39]


def test_asks_and_their_answers_arrive_as_they_were_sent():
    writer, reader = MessageWriter(), MessageReader()
    image = picture("a")
    drawn = Generated(
        (1, 2), "a b", (-0.5, -1.0), Cost(0.5, 3, 4), (Generated((3,), "c", (-2.0,)),)
    )
    sent = [
        Generate(4, None, ("\n",), samples=3, temperature=0.7, seed=5),
        Score(("a cat", "\ud800"), image),
        Score((), None),
        Scored((0.25, -0.5), Cost(0.5)),
        drawn,
        VisualTokens({"captions": Texts((("a cat", "ein Hund"), ()))}),
    ]
    *others, tokens = reader.read(memoryview(b"".join(writer.write(sent)[1:])))
    assert others[1].image.digest == image.digest
    assert [others[0], others[1].texts, *others[2:]] == [sent[0], sent[1].texts, *sent[2:5]]
    assert tokens.texts("captions") == (("a cat", "ein Hund"), ())


def test_more_than_is_kept_is_forgotten_on_both_sides(monkeypatch):
    monkeypatch.setattr(codec, "KEPT_BYTES", 2000)
    writer, reader = MessageWriter(), MessageReader()
    for name in "abca":
        image = picture(name)
        written = b"".join(writer.write([image, image])[1:])
        assert reader.read(memoryview(written)) == [image, image]
        assert len(reader._known) <= 3
    picture_of = {"new": {"Image": [{"tensor": 0}, "a", None]}}
    forged = message(picture_of, [["float32", [3, 20, 20], "cpu"]], bytes(4800))
    reader.read(forged)
    with pytest.raises(MessageError, match="more is to be remembered than was agreed"):
        reader.read(forged)


def message(tree, heads=(), data=b""):
    head = json.dumps([False, list(heads), tree]).encode()
    return memoryview(struct.pack("<Q", len(head)) + head + data)


MALICE = {
    "a pickle": memoryview(struct.pack("<Q", 9) + pickle.dumps(print)),
    "a name of no kind": message({"os.system": ["true"]}),
    "a class beside the contract": message({"Popen": [["true"]]}),
    "a function": message({"feed": 0}),
    "too few fields": message({"Prompt": []}),
    "two names": message({"path": "/", "tuple": []}),
    "a tensor that is cut short": message({"tensor": 0}, [["float32", [4], "cpu"]], b"1234"),
    "a negative size": message({"tensor": 0}, [["float32", [-1], "cpu"]]),
    "another device": message({"tensor": 0}, [["float32", [1], "meta"]], b"1234"),
    "a dtype of objects": message({"tensor": 0}, [["object", [1], "cpu"]], b"12345678"),
    "bytes behind the end": message(1, data=b"1"),
    "a deep tree": memoryview(struct.pack("<Q", 200_012) + b"[false,[],%s]" % (b"[" * 200_000)),
    "what was never sent": message({"known": 3}),
    "nothing": memoryview(b""),
}


@pytest.mark.parametrize("what", MALICE)
def test_a_message_that_is_none_is_refused_and_makes_nothing(what):
    with pytest.raises(MessageError, match="the message cannot be read"):
        MessageReader(feed=None).read(MALICE[what])


def test_what_is_no_part_of_the_contract_is_not_sent():
    for value in (object(), print, {1, 2}, torch.zeros(2, dtype=torch.complex64), b"bytes"):
        with pytest.raises(MessageError, match="no part of the contract"):
            MessageWriter().write([value])
