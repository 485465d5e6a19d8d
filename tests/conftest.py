"""What all tests share: the small worlds in `tests/worlds` can be imported by name."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent / folder) for folder in ("worlds", "house")]
