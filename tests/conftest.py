"""What makes all tests cheaper. The small worlds in `tests/worlds` can be imported by name."""

import gc

import hypothesis
import jaxtyping
from checked import checked

# Whatever is imported from here on has its annotations checked by it.
jaxtyping.jaxtyped = checked

# A busy machine is no fault of a test; forty examples keep the suite within its ten minutes.
hypothesis.settings.register_profile("frostbench", deadline=None, max_examples=40)
hypothesis.settings.load_profile("frostbench")

# Millions of objects come with the imports and stay. Walked for garbage again and again, they take
# a third of the time in which tests are collected; the tests themselves run with the collector on.
gc.disable()


def pytest_collection_finish():
    gc.collect()
    gc.freeze()
    gc.enable()
