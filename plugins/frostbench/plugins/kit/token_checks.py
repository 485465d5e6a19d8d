"""Checks of `tokenize`, and of the words that tokens are shown as."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from frostbench.plugins.contract.images import as_batch
from frostbench.plugins.contract.method import ReadsWhole, visual_tokens
from frostbench.plugins.contract.tokens import VisualTokens, join
from frostbench.plugins.contract.validity import check_tokens
from frostbench.plugins.host.identity import code_identity, token_key
from frostbench.plugins.host.packs import digests
from frostbench.plugins.host.sources import Sources
from frostbench.plugins.kit.sameness import same
from frostbench.plugins.kit.trial import Trial, expect

NEIGHBOURS = 3  # how many nearest words of each token are asked for


def tokenize_gives_one_row_an_image(trial: Trial) -> None:
    """Every part has one batch row an image, and its ids stand for codes."""
    check_tokens(trial.tokenize(trial.images), len(trial.images), trial.method.codes)


def tokens_do_not_depend_on_the_batch(trial: Trial) -> None:
    """An image alone, in a batch, in any order, padded with anything: the same tokens."""
    images = trial.images
    together = trial.tokenize(images).split()
    for image, tokens in zip(images, together, strict=True):
        expect(same(trial.tokenize([image]).split()[0], tokens), f"{image.name!r} alone differs.")
    backwards = trial.tokenize(images[::-1]).split()[::-1]
    expect(same(backwards, together), "in reverse order they differ.")
    white = trial.method.tokenize(*as_batch(images, fill=1.0)).split()
    expect(same(white, together), "they depend on the padding outside of `sizes`.")


def the_whole_of_a_whole_image_is_the_image(trial: Trial) -> None:
    """A method that also reads whole images gives the same tokens where nothing was cut off."""
    if isinstance(trial.method, ReadsWhole):
        whole = [replace(image, whole=image.pixels) for image in trial.images]
        given = visual_tokens(trial.method, whole)
        expect(same(given, trial.tokenize(trial.images)), "tokenize_whole gives other tokens.")


def tokenize_repeats_itself_and_changes_nothing(trial: Trial) -> None:
    """Twice the same, and the batch is left as it was."""
    batch, sizes = as_batch(trial.images)
    kept, kept_sizes = batch.clone(), sizes.clone()
    first, second = trial.method.tokenize(batch, sizes), trial.method.tokenize(batch, sizes)
    expect(same(first, second), "a second call gives other tokens.")
    expect(torch.equal(batch, kept) and torch.equal(sizes, kept_sizes), "it changes the images.")


def tokens_survive_being_kept(trial: Trial) -> None:
    """Tokens are unchanged after being split and joined, stored and read back."""
    tokens = trial.tokenize(trial.images)
    expect(same(join(tokens.split()), tokens), "split and joined, they differ.")
    expect(
        same(VisualTokens.from_tensors(tokens.tensors()), tokens),
        "stored and read back, they differ; keep them on the CPU, and names without '/'.",
    )


def a_changed_weight_changes_the_key(trial: Trial) -> None:
    """Tokens of other weights or other code have another key, whatever the fingerprint is."""
    fingerprint = trial.method.fingerprint
    code = Sources().of(trial.method_class)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "weights"
        keys = []
        for content in (b"0", b"1", b"0"):
            file.write_bytes(content)
            keys.append(token_key(fingerprint, code_identity(code, digests(Path(folder)), {})))
    expect(keys[0] == keys[2], "the same weights give another key.")
    expect(keys[0] != keys[1], "other weights give the same key.")
    other = code_identity({**code, "changed": ""}, {}, {})
    expect(
        token_key(fingerprint, other) != token_key(fingerprint, code_identity(code, {}, {})),
        "other code gives the same key.",
    )


def words_are_rows_of_texts(trial: Trial) -> None:
    """What people are shown is text, in rows, for parts that exist; "part/1" is its layer 1."""
    for image, tokens in trial.tokens.items():
        for name, rows in trial.method.words(tokens).items():
            part = name.partition("/")[0]
            expect(part in tokens.parts, f"{name!r} is none of {', '.join(tokens.parts)}.")
            expect(
                all(isinstance(word, str) for row in rows for word in row),
                f"the words of {image.name!r}, part {name!r}, are not all texts.",
            )


def neighbours_begin_with_the_words(trial: Trial) -> None:
    """The nearest word of each token is the token's own, or a part has no neighbours at all."""
    several = trial.method.neighbours(*as_batch(trial.images), NEIGHBOURS)
    shown, given = len(trial.images), len(several)
    expect(shown == given, f"{shown} images get the neighbours of {given}.")
    for image, parts in zip(trial.images, several, strict=True):
        words = trial.method.words(trial.tokens[image])
        for name, rows in parts.items():
            where = f"the neighbours of {image.name!r}, part {name!r},"
            expect(name in words, f"{where} are of no part that has words.")
            expect(
                [len(row) for row in rows] == [len(row) for row in words[name]],
                f"{where} are not in the rows of its words.",
            )
            cells = [cell for row in rows for cell in row]
            expect(
                all(isinstance(word, str) for cell in cells for word in cell),
                f"{where} are not all texts.",
            )
            expect(
                all(0 < len(cell) <= NEIGHBOURS for cell in cells),
                f"{where} are not 1 to {NEIGHBOURS} for each token.",
            )
            firsts = [cell[0] for cell in cells]
            expect(
                firsts == [word for row in words[name] for word in row],
                f"{where} do not begin with the words.",
            )
