"""What makes all tests cheaper. The small worlds in `tests/worlds` can be imported by name."""

import gc

import jaxtyping
from checked import checked

# Whatever is imported from here on has its annotations checked by it.
jaxtyping.jaxtyped = checked

# Millions of objects come with the imports and stay. Walked for garbage again and again, they take
# a third of the time in which tests are collected; the tests themselves run with the collector on.
gc.disable()


def pytest_collection_finish():
    gc.collect()
    gc.freeze()
    gc.enable()
