"""One digest of everything that a method is made of, to see whether it is still the same."""

import os
from collections.abc import Mapping
from pathlib import Path

from frostbench.plugins.host.packs import digest_of, digests


def code_identity(
    origin: Mapping[str, str], weights: Mapping[str, str], settings: Mapping[str, object]
) -> str:
    """The digest of what a method is made of.

    `origin` is the plugin that offers it with the SHA-256 of its code, `weights` are SHA-256 by
    file.
    """
    return digest_of([dict(origin), dict(weights), dict(settings)])


def token_key(fingerprint: str, identity: str) -> str:
    """The key of a method's stored tokens; `fingerprint` adds to `identity`, never replaces it.

    Raises:
        ValueError: the fingerprint is no hex digest.
    """
    if not 8 <= len(fingerprint) <= 128 or set(fingerprint) - set("0123456789abcdef"):
        raise ValueError(f"the fingerprint {fingerprint!r} is no hex digest of 8 to 128 digits.")
    return digest_of([fingerprint, identity])


def named_files(settings: object, name: str) -> dict[str, str]:
    """SHA-256 of the files and folders that settings name, by the setting.

    Raises:
        ValueError: one names a folder that cannot be read to its end; see `digests`.
    """
    if isinstance(settings, Mapping):
        pairs = [(f"{name}.{key}", value) for key, value in settings.items()]
    elif isinstance(settings, list | tuple):
        pairs = [(f"{name}.{place}", value) for place, value in enumerate(settings)]
    else:
        text = str(settings) if isinstance(settings, str | Path) else ""
        # A full stop or a slash is punctuation; a text that is no path may be too long for one.
        path = any(map(str.isalnum, text)) and len(text) < 1000 and os.path.exists(text)
        return {name: digest_of(digests(Path(text)))} if path else {}
    return {place: sha for key, value in pairs for place, sha in named_files(value, key).items()}
