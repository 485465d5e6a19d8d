"""One digest of everything that visual tokens depend on."""

import hashlib
import json


def fingerprint(**parts: str | int | float | bool | None) -> str:
    """SHA-256 of named plain values; their order does not matter."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
