import numpy as np
import pytest
import torch

from frostbench.v2l.codebook import Codebooks, load, read_published, read_vocabulary, save

BOOKS = Codebooks(torch.randn(3, 4), torch.randn(2, 4), ("ein", " zwei", ""), ("a b", "ü"))


def test_codebooks_are_kept_with_their_words(tmp_path):
    save(tmp_path, BOOKS)
    again = load(tmp_path)
    assert torch.equal(again.local, BOOKS.local)
    assert torch.equal(again.global_, BOOKS.global_)
    assert (again.local_words, again.global_words) == (BOOKS.local_words, BOOKS.global_words)


def test_a_table_and_words_of_different_lengths_are_refused(tmp_path):
    with pytest.raises(ValueError, match="global codebook has 2 rows, and its vocabulary 1 words"):
        Codebooks(BOOKS.local, BOOKS.global_, BOOKS.local_words, ("one",))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"local": []}', '{"local": [1], "global": []}'])
def test_a_damaged_vocabulary_is_named(tmp_path, text):
    save(tmp_path, BOOKS)
    (tmp_path / "vocabulary.json").write_text(text)
    with pytest.raises(ValueError, match=r"vocabulary\.json"):
        load(tmp_path)


@pytest.mark.parametrize("kind", [object, None])
def test_official_files_are_read(tmp_path, kind):
    torch.save(BOOKS.local.half(), tmp_path / "local.pth")
    torch.save(BOOKS.global_.half(), tmp_path / "global.pth")
    words = np.array(BOOKS.global_words, dtype=kind)
    np.save(tmp_path / "words.npy", words, allow_pickle=True)
    paths = (tmp_path / name for name in ("local.pth", "global.pth", "words.npy"))
    books = read_published(*paths, BOOKS.local_words)
    assert torch.equal(books.global_, BOOKS.global_.half().float())
    assert books.global_words == BOOKS.global_words


class Bomb:
    def __reduce__(self):
        return (print, ("executed",))


def test_a_vocabulary_that_would_execute_something_is_refused(tmp_path, capsys):
    np.save(tmp_path / "bomb.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"asks for builtins\.print"):
        read_vocabulary(tmp_path / "bomb.npy")
    assert capsys.readouterr().out == ""


def test_a_vocabulary_of_numbers_or_cut_short_is_refused(tmp_path):
    np.save(tmp_path / "n.npy", np.arange(3))
    with pytest.raises(ValueError, match="something else than texts"):
        read_vocabulary(tmp_path / "n.npy")
    for kept in (0, 5, 100):
        data = (tmp_path / "n.npy").read_bytes()
        (tmp_path / "cut.npy").write_bytes(data[:kept])
        with pytest.raises(ValueError, match=r"cut\.npy is cut short"):
            read_vocabulary(tmp_path / "cut.npy")
    with pytest.raises(ValueError, match="no vocabulary at"):
        read_vocabulary(tmp_path / "gone.npy")
