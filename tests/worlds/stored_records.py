"""Records of any form that can be stored, and plain ones."""

from typing import Any

from hypothesis import strategies as st

from frostbench.bench.store.records import Record, Stored, StoredCost, StoredMatches

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
HASHES = st.binary(min_size=32, max_size=32).map(bytes.hex)
RECORDS = st.builds(
    Record,
    suite=st.just("restoration"),
    task=st.sampled_from(["inpainting", "naming"]),
    protocol=st.sampled_from([None, "oracle_context"]),
    method=st.none() | TEXTS,
    control=st.sampled_from([None, "copy"]),
    sample=TEXTS,
    cluster=TEXTS,
    status=st.sampled_from(["scored", "failed"]),
    error=st.none() | TEXTS,
    prediction=st.builds(Stored, st.just("text"), text=TEXTS),
    target=st.builds(
        Stored, st.just("text"), text=TEXTS, accepted=st.lists(TEXTS, max_size=2).map(tuple)
    ),
    scores=st.dictionaries(TEXTS, st.floats(allow_nan=False), max_size=3),
    features=st.dictionaries(TEXTS, st.tuples(HASHES, HASHES), max_size=2),
    cost=st.builds(
        StoredCost,
        st.floats(0, 1e6),
        st.integers(0, 10**9),
        st.integers(0, 10**9),
        st.none() | st.integers(0, 2**40),
        st.none() | st.floats(0, 1e6),
    ),
    pictures=st.dictionaries(TEXTS, HASHES, max_size=2),
    words=st.dictionaries(
        TEXTS, st.lists(st.lists(TEXTS, max_size=2), min_size=1, max_size=2), max_size=1
    ),
    extra=st.dictionaries(TEXTS, st.floats(allow_nan=False), max_size=2),
    counts=st.dictionaries(
        TEXTS,
        st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=3).map(tuple),
        max_size=2,
    ),
    matches=st.dictionaries(
        TEXTS,
        st.lists(
            st.builds(
                lambda name, things, found: (
                    StoredMatches(name, things, *zip(*found, strict=True))
                    if found
                    else StoredMatches(name, things)
                ),
                TEXTS,
                st.integers(3, 2**40),
                st.lists(
                    st.tuples(
                        st.floats(allow_nan=False, allow_infinity=False),
                        st.text("+-.", min_size=2, max_size=2),
                    ),
                    max_size=3,
                ),
            ),
            max_size=2,
        ).map(tuple),
        max_size=2,
    ),
)


def record(sample: str = "0", **fields: Any) -> Record:
    """A scored answer of V2L-Tokenizer."""
    plain: dict[str, Any] = {"suite": "s", "task": "naming", "protocol": None, "control": None}
    plain |= {"method": "v2l", "sample": sample, "cluster": sample, "status": "scored"}
    return Record(**{**plain, "scores": {"a": 1.0}, **fields})
