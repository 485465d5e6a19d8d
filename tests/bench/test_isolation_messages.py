"""What a run and a method's own process say to each other: nothing in it can run code."""

import json
import pickle
import struct

import pytest
import torch
from runner_world import picture

from frostbench.bench.isolation import codec
from frostbench.bench.isolation.codec import MessageError, MessageReader, MessageWriter
from frostbench.plugins import Generate, Ids, ImagePiece, Prompt, TokenSets


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
