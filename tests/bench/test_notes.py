import warnings

from frostbench.bench.cli.notes import notes_as_sentences
from frostbench.plugins.host.errors import UserNote


def test_a_note_for_the_user_is_a_sentence_and_another_warning_stays_what_it_is(capsys):
    with warnings.catch_warnings(record=True) as recorded, notes_as_sentences():
        warnings.simplefilter("always")
        warnings.warn("the file is followed.", UserNote, stacklevel=1)
        warnings.warn("old", RuntimeWarning, stacklevel=1)
    assert capsys.readouterr().err == "frostbench: the file is followed.\n"
    assert [str(one.message) for one in recorded] == ["old"]
