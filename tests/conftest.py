"""What all tests share: the small worlds in `tests/worlds` can be imported by name."""

import gc
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent / folder) for folder in ("worlds", "house")]
# Millions of objects come with the imports and stay: walking them again and again for garbage takes
# a third of the collection of tests. Tests themselves run with the collector on.
gc.disable()


def pytest_collection_finish():
    gc.collect()
    gc.freeze()
    gc.enable()
