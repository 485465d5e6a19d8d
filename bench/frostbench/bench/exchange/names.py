"""Safe names of files and folders, made from names that users chose."""

import hashlib
import re

LONGEST = 80  # characters


def folder_name(name: str) -> str:
    """A safe name for one folder on any system; different names give different folders.

    >>> folder_name("v2l"), folder_name("../x")
    ('v2l', 'x-d6b96a97')
    """
    safe = re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("._-")[:LONGEST]
    if safe == name and safe:
        return safe
    digest = hashlib.sha256(name.encode(errors="backslashreplace")).hexdigest()[:8]
    return f"{safe}-{digest}" if safe else digest
