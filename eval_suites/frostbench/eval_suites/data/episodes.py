"""Fixed episodes of mini-ImageNet, in the files of V2L-Tokenizer and of Frozen.

Nothing is downloaded: each class reads a folder of the user.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from frostbench.eval_suites.data.annotations import inside, read_json, require, text_in, text_lines
from frostbench.eval_suites.data.class_names import v2l_classes
from frostbench.eval_suites.data.sound import OneByOne
from frostbench.plugins.contract.datasets import Episode
from frostbench.plugins.contract.images import read_image
from frostbench.plugins.contract.requests import LabelledImage
from frostbench.plugins.host.litter import files_like


class V2LEpisodes:
    """Episodes of V2L-Tokenizer (Zhu et al., CVPR 2024), one a line of a CSV file.

    The folder holds `fewshot_split/<N>_way_<K>_shot.csv`, and the images as
    `images/<wnid>/<file>`. It may hold `class_names.json`, an object from wnid to the name that
    prompts use, "" for classes that no episode has; without it, names are those of V2L's code. A
    line is N x K supports in the order of the prompt, then the query, each `wnid/file`, each
    followed by a comma: the line ends with one.

    Raises:
        ValueError: the folder lacks one of these, or the names are no names.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        require(folder, ("fewshot_split", "images"), "V2L's set of episodes")
        path = folder / "class_names.json"
        self._names = _names(path) if path.exists() else v2l_classes()

    def episodes(self, ways: int, shots: int, seed: int) -> Iterator[Episode]:
        """The file's episodes in its order, whatever the seed; see `EpisodeSource`."""
        path = self._folder / "fewshot_split" / f"{ways}_way_{shots}_shot.csv"
        if not path.is_file():
            found = [file.name for file in files_like(path.parent, "*.csv")]
            raise ValueError(
                f"no {path.name} in {path.parent}; there are {', '.join(found) or 'no files'}."
            )
        lines = text_lines(path)
        return OneByOne(partial(self._episode, *line, ways, shots) for line in lines)

    def _episode(self, where: str, line: bytes, ways: int, shots: int) -> Episode:
        text = text_in(where, line)
        if not text.endswith(","):
            raise ValueError(
                f"{where} does not end with a comma: V2L's reader drops the last field, and would "
                "take the last example for the query."
            )
        cells = text[:-1].split(",")
        if len(cells) != ways * shots + 1:
            raise ValueError(
                f"{where} has {len(cells)} images; {ways}-way {shots}-shot needs "
                f"{ways * shots + 1}."
            )
        strange = [cell for cell in cells if not re.fullmatch(r"[^/\s]+/[^/\s]+", cell)]
        if strange:
            raise ValueError(f"{where}: {strange[0]!r} is not wnid/file.")
        classes = [cell.partition("/")[0] for cell in cells]
        nameless = sorted(set(classes) - set(self._names))
        if nameless:
            raise ValueError(
                f"{where}: class_names.json, or V2L's code where there is none, has no name for "
                f"{', '.join(nameless)}."
            )
        labels = [self._names[wnid] for wnid in classes]
        _check(where, labels[:-1], labels[-1], ways, shots)
        images = [read_image(inside(self._folder / "images", cell, where)) for cell in cells]
        examples = map(LabelledImage, images[:-1], labels[:-1])
        stem, _, number = where.rpartition(", line ")
        name = f"{Path(stem).stem}-{int(number):05d}"
        return Episode(name, tuple(examples), images[-1], labels[-1])


class OpenEndedEpisodes:
    """Open-Ended and Real-Name mini-ImageNet (Tsimpoukelli et al., NeurIPS 2021).

    The folder holds `<task>_shots_<n>_ways_<m>_all_questions.json` and the images beside it. A
    label is the whole caption ("This is a dax."), as there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        if not self._files("*", "*"):
            raise ValueError(
                f"no <task>_shots_<n>_ways_<m>_all_questions.json in {folder}; the archives of "
                "Open-Ended mini-ImageNet hold them beside the images."
            )

    def episodes(self, ways: int, shots: int, seed: int) -> Iterator[Episode]:
        """The file's episodes in its order, whatever the seed; see `EpisodeSource`."""
        files = self._files(str(shots), str(ways))
        if len(files) != 1:
            names = ", ".join(file.name for file in files or self._files("*", "*"))
            raise ValueError(
                f"{self._folder} has {len(files)} files of {ways} ways and {shots} shots, and one "
                f"is wanted; there are {names}."
            )
        entries = read_json(files[0])
        if not isinstance(entries, list):
            raise ValueError(f"{files[0]} is no list of questions.")
        return OneByOne(
            partial(self._episode, files[0], index, entry, ways, shots)
            for index, entry in enumerate(entries)
        )

    def _episode(self, path: Path, index: int, entry: Any, ways: int, shots: int) -> Episode:
        where = f"{path}, question {index}"

        def text(key: str) -> str:
            value = entry.get(key) if isinstance(entry, dict) else None
            if not isinstance(value, str) or not value.strip():
                raise ValueError(f"{where} has no text under {key!r}.")
            return value

        numbers = range(1, ways * shots + 1)
        labels = [text(f"caption_{number}") for number in numbers]
        if f"image_{len(labels) + 1}" in entry:
            given = next(n - 1 for n in count(1) if f"image_{n}" not in entry)
            raise ValueError(f"{where} has {given} examples; {ways * shots} are wanted.")
        answer = text("answer")
        _check(where, labels, answer, ways, shots)
        images = [
            read_image(inside(self._folder, text(f"image_{number}"), where)) for number in numbers
        ]
        query = read_image(inside(self._folder, text("question_image"), where))
        examples = map(LabelledImage, images, labels)
        return Episode(f"{shots}-shots-{ways}-ways-{index:05d}", tuple(examples), query, answer)

    def _files(self, shots: str, ways: str) -> list[Path]:
        return files_like(self._folder, f"*_shots_{shots}_ways_{ways}_all_questions.json")


def _names(path: Path) -> Mapping[str, str]:
    names = read_json(path)
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise ValueError(f"{path} is no object from wnid to a name.")
    return {wnid: name for wnid, name in names.items() if name.strip()}


def _check(where: str, labels: list[str], answer: str, ways: int, shots: int) -> None:
    """Refuse an episode that is not N-way K-shot; two classes of the same name count as one."""
    counts = Counter(labels)
    if len(counts) != ways or set(counts.values()) != {shots}:
        told = ", ".join(f"{name!r} x {times}" for name, times in sorted(counts.items()))
        raise ValueError(
            f"{where} is not {ways}-way {shots}-shot: its examples are {told}. Two classes of one "
            "name count as one."
        )
    if answer not in counts:
        raise ValueError(
            f"{where}: the query is {answer!r}, and no example is; there are "
            f"{', '.join(map(repr, sorted(counts)))}."
        )
