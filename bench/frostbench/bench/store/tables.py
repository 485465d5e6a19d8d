"""The samples of a task and protocol in columns, so that millions of them can be read."""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, get_type_hints

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float, Int

from frostbench.bench.store.atomic import reading
from frostbench.bench.store.chunks import NEEDED, Places, check, entries, floats, leaf, within
from frostbench.bench.store.records import Record
from frostbench.bench.store.sealed import Sealed, as_parquet
from frostbench.bench.store.typed import typed

Who: TypeAlias = tuple[str | None, str | None]
"""A row of the leaderboard: method and control."""
NO_PLACES = np.zeros(0, dtype=np.int64)
CODED = pa.dictionary(pa.int32(), pa.string())
T = TypeVar("T")


class Tables:
    """The samples of a run in columns, task by task."""

    def __init__(self, files: Sequence[tuple[Sealed, Set[tuple[str, str | None]]]]) -> None:
        self._files = files

    @staticmethod
    def of(sealed: Sequence[Path], lines: Sequence[Any]) -> "Tables":
        """Tables from sealed files, and from lines that are Arrow tables already.

        Raises:
            StoreError: a sealed file is damaged.
        """
        files = []
        sources: list[Path | bytes] = [*sealed, *([as_parquet(lines)] if lines else [])]
        for source in sources:
            with reading(_name(source)):
                file = Sealed(source)
                files.append((file, _held(file)))
        return Tables(files)

    def table(self, task: str, protocol: str | None) -> "SampleTable":
        """The samples of a task and protocol.

        Raises:
            StoreError: a column of them is damaged.
        """
        files = [file for file, held in self._files if (task, protocol) in held]
        return SampleTable(files, task, protocol)


class SampleTable:
    """The samples of a task and protocol, each once, ordered by row and then by id.

    A column's value for a sample stands at the sample's place, from 0 on. Columns are read on
    demand. For a sample that is stored twice, the first file counts.

    Attributes:
        rows: the places of each row.

    Raises:
        ValueError: a column is not what it should be.
    """

    rows: Mapping[Who, Places]

    def __init__(self, files: Sequence[Sealed], task: str, protocol: str | None) -> None:
        self._files = files
        self._kept: dict[tuple[object, ...], Any] = {}
        # Where each sample lies in all files, one after the other.
        self._lies = np.arange(sum(map(len, files)))
        self._lies = np.flatnonzero(self.where("task", task) & self.where("protocol", protocol))
        methods, method_names = self._codes("method")
        controls, control_names = self._codes("control")
        samples, _ = self._codes("sample")
        order = np.lexsort((samples, controls, methods))
        keys = np.stack([methods, controls, samples])[:, order]
        new = np.ones(keys.shape, dtype=bool)
        new[:, 1:] = keys[:, 1:] != keys[:, :-1]
        kept = np.flatnonzero(np.any(new, axis=0))
        self._lies = self._lies[order[kept]]
        starts = np.flatnonzero(np.any(new[:2], axis=0)[kept])
        self.rows = {
            (_named(method_names, method), _named(control_names, control)): places
            for places, (method, control) in zip(
                np.split(np.arange(len(kept)), starts[1:]),
                keys[:2, kept[starts]].T.tolist(),
                strict=False,  # there is one empty part if there are no rows
            )
        }

    def __len__(self) -> int:
        return len(self._lies)

    @property
    def every(self) -> Places:
        """All places."""
        return np.arange(len(self))

    @cached_property
    def scored(self) -> Bool[np.ndarray, " n"]:
        """Which samples did not fail."""
        codes, names = self._codes("status")
        return np.isin(codes, [number for number, name in enumerate(names) if name == "scored"])

    def samples(self, places: Places) -> tuple[str, ...]:
        """The ids of samples; the same tuple for the same samples."""
        return self._names("sample", places)

    def clusters(self, places: Places) -> tuple[str, ...]:
        """The clusters of samples, as `samples` gives their ids."""
        return self._names("cluster", places)

    def errors(self, places: Places) -> list[str]:
        """The different errors of samples, sorted."""
        codes, names = self._codes("error")
        return [names[code] for code in np.unique(codes[places]).tolist() if code >= 0]

    def has(self, column: str, key: str | None = None) -> Bool[np.ndarray, " n"]:
        """Which samples' mapping ("scores", "pictures") has a key or, without one, is not empty."""

        def read() -> Bool[np.ndarray, " n"]:
            found = np.zeros(self._stored, dtype=bool)
            for start, chunk in self._chunks(f"{column}.key_value.key"):
                rows, mine = entries(chunk, chunk.values.field(0), key)
                found[start + rows[mine]] = True
            return found[self._lies]

        return self._once((column, key, "has"), read)

    def scores(self, metric: str) -> Float[np.ndarray, " n"]:
        """The scores under a metric; NaN where there is none."""

        def read() -> Mapping[str, Float[np.ndarray, " n"]]:
            found: dict[str, Float[np.ndarray, " n"]] = {}
            for start, chunk in self._chunks("scores"):
                numbers = floats(within(chunk, chunk.items))
                for name in chunk.keys.dictionary.to_pylist():
                    rows, mine = entries(chunk, chunk.keys, name)
                    if name not in found:
                        found[name] = np.full(self._stored, np.nan)
                    found[name][start + rows[mine]] = numbers[mine]
            return {name: scores[self._lies] for name, scores in found.items()}

        every = self._once(("scores",), read)
        return every[metric] if metric in every else np.full(len(self), np.nan)

    def numbers(self, name: str) -> Float[np.ndarray, " n"]:
        """A leaf of numbers ("cost.seconds"); NaN where there is none."""

        def read() -> Float[np.ndarray, " n"]:
            found = np.full(self._stored, np.nan)
            for start, chunk in self._chunks(name):
                found[start : start + len(chunk)] = floats(leaf(chunk))
            return found[self._lies]

        return self._once((name,), read)

    def counts(self, metric: str, places: Places, width: int) -> Float[np.ndarray, "m k"]:
        """What samples add to the sums of a metric.

        Raises:
            ValueError: one of them does not add that many finite numbers.
        """
        found = np.full((self._stored, width), np.nan)
        for start, chunk in self._chunks("counts"):
            rows, mine = entries(chunk, chunk.keys, metric)
            lists = within(chunk, chunk.items)
            ends, flat = lists.offsets.to_numpy(), floats(lists.values)
            mine = mine[np.diff(ends)[mine] == width]
            found[start + rows[mine]] = flat[ends[mine, None] + np.arange(width)]
        asked: Float[np.ndarray, "m k"] = found[self._lies[places]]
        for place in places[~np.isfinite(asked).all(1)].tolist():
            (one,) = self.records(np.array([place]))
            counts = one.counts.get(metric, ())
            raise ValueError(
                f"sample {one.sample!r}: {metric} sums {width} finite counts; these are {counts}."
            )
        return asked

    def values(self, column: str, key: str, places: Places) -> list[Any]:
        """The values of some samples under a key of a mapping ("matches"), as in `Record`.

        Raises:
            StoreError: it is not what it should be.
        """
        wanted = np.zeros(self._stored, dtype=bool)
        wanted[self._lies[places]] = True
        found: dict[int, Any] = {}
        for start, chunk in self._chunks(column):
            rows, mine = entries(chunk, chunk.keys, key)
            mine = mine[wanted[start + rows[mine]]]
            items = within(chunk, chunk.items).take(pa.array(mine)).to_pylist()
            found.update(zip((start + rows[mine]).tolist(), items, strict=True))
        hint = get_type_hints(Record, include_extras=True)[column]
        return [typed(hint, {key: found[place]})[key] for place in self._lies[places].tolist()]

    def where(self, name: str, text: str | None) -> Bool[np.ndarray, " n"]:
        """Which samples have a text in a column or leaf ("prediction.kind")."""
        codes, names = self._codes(name)
        wanted = -1 if text is None else names.index(text) if text in names else -2
        return np.asarray(codes == wanted)

    def first(self, among: Bool[np.ndarray, " n"], count: int) -> Places:
        """The places of all samples with one of the first ids."""
        codes, _ = self._numbered("sample")
        return np.flatnonzero(np.isin(codes, np.unique(codes[among])[:count]))

    def paired(self, some: Places, others: Places) -> tuple[Places, Places]:
        """Of two rows' places, those of samples that both have, side by side."""
        codes, _ = self._numbered("sample")
        both = np.intersect1d(codes[some], codes[others], return_indices=True)
        return some[both[1]], others[both[2]]

    def alike(self, name: str, some: Places, others: Places) -> Bool[np.ndarray, " m"]:
        """Whether samples and others have the same text, place by place, or both none."""
        codes = self._once((name, "codes"), lambda: self._codes(name)[0])
        return np.asarray(codes[some] == codes[others])

    def records(self, places: Places) -> list[Record]:
        """The whole records of few samples, in the order of the places."""
        lie, start = self._lies[places], 0
        found: dict[int, Record] = {}
        for file in self._files:
            mine = lie[(lie >= start) & (lie < start + len(file))]
            if len(mine):
                with reading(_name(file.source)):
                    read = file.records(mine - start)
                found.update(zip(mine.tolist(), read, strict=True))
            start += len(file)
        return [found[place] for place in lie.tolist()]

    @property
    def _stored(self) -> int:
        """How many samples there are in all files."""
        return sum(map(len, self._files))

    def _chunks(self, name: str) -> Iterator[tuple[int, Any]]:
        """The parts of a column or leaf, each with where it begins in all files."""
        start = 0
        for file in self._files:
            place = start
            with reading(_name(file.source)):
                for chunk in file.column(name):
                    check(name, chunk)
                    yield place, chunk
                    place += len(chunk)
            start += len(file)

    def _coded(self, name: str) -> Any:
        """A column of texts in all files, as codes."""
        parts, end = [], 0
        for start, chunk in self._chunks(name):
            parts += [pa.nulls(start - end, CODED), leaf(chunk)]
            end = start + len(chunk)
        parts.append(pa.nulls(self._stored - end, CODED))
        return pa.chunked_array(parts, CODED).unify_dictionaries().combine_chunks()

    def _codes(self, name: str) -> tuple[Places, list[str]]:
        """For each sample the number of its text among all texts, sorted; -1 where it has none."""
        coded = self._coded(name)
        order = pc.array_sort_indices(coded.dictionary)
        ranks = np.empty(len(order), dtype=np.int64)
        ranks[order.to_numpy()] = np.arange(len(order))
        codes = coded.indices.fill_null(-1).to_numpy()[self._lies]
        names = coded.dictionary.take(order)
        return np.where(codes < 0, -1, ranks[codes] if len(ranks) else -1), names.to_pylist()

    def _numbered(self, name: str) -> tuple[Int[np.ndarray, " n"], Any]:
        """`_codes` of ids or clusters, which are asked for again and again."""

        def read() -> tuple[Int[np.ndarray, " n"], Any]:
            codes, names = self._codes(name)
            return codes.astype(np.int32), np.array(names, dtype=object)

        return self._once((name, "codes"), read)

    def _names(self, name: str, places: Places) -> tuple[str, ...]:
        codes, names = self._numbered(name)
        mine = codes[places]
        return self._once((name, mine.tobytes()), lambda: tuple(names[mine].tolist()))

    def _once(self, key: tuple[object, ...], read: Callable[[], T]) -> T:
        """Read once, and keep the result for later."""
        if key not in self._kept:
            self._kept[key] = read()
        found: T = self._kept[key]
        return found


def _name(source: Path | bytes) -> object:
    return source if isinstance(source, Path) else "what is not sealed yet"


def _held(file: Sealed) -> set[tuple[str, str | None]]:
    """The tasks and protocols with samples in a file."""
    for name in NEEDED:
        if name not in file.names:
            raise ValueError(f"it lacks {name!r}")
    found: set[tuple[str, str | None]] = set()
    for tasks, protocols in zip(file.column("task"), file.column("protocol"), strict=True):
        check("task", tasks)
        names = [*tasks.dictionary.to_pylist()], [*protocols.dictionary.to_pylist(), None]
        codes = tasks.indices.to_numpy(), protocols.indices.fill_null(-1).to_numpy()
        both = codes[0] * len(names[1]) + codes[1] % len(names[1])
        for code in np.flatnonzero(np.bincount(both)).tolist():
            task, protocol = divmod(code, len(names[1]))
            found.add((names[0][task], names[1][protocol]))
    return found


def _named(names: Sequence[str], code: int) -> str | None:
    return None if code < 0 else names[code]
