"""Which lmms-eval this frostbench works with."""

from importlib.metadata import PackageNotFoundError, version

FROM, BELOW = "0.7.3", "0.8"
"""The range that was tried; the extra `lmms` of pyproject.toml names the same."""

REACHING = "0.7.3"
"""The last version that was seen to need filelock below 4, which it does not ask for."""


class LmmsError(ValueError):
    """lmms-eval, or what it was asked for, does not fit; the message is one sentence."""


def fitting() -> str:
    """The version of the lmms-eval that is installed.

    Raises:
        LmmsError: there is none, or it is not among those that were tried.
    """
    try:
        found = version("lmms-eval")
    except PackageNotFoundError:
        raise LmmsError(
            "lmms-eval is not installed: pip install 'frostbench[lmms]' adds it."
        ) from None
    if not _numbers(FROM) <= _numbers(found) < _numbers(BELOW):
        raise LmmsError(
            f"lmms-eval {found} is installed, and frostbench {version('frostbench')} works with "
            f"lmms-eval from {FROM} and below {BELOW}: pip install 'frostbench[lmms]' puts that in "
            "its place."
        )
    if _numbers(found) <= _numbers(REACHING) and _numbers(version("filelock")) >= (4,):
        raise LmmsError(
            f"filelock {version('filelock')} is installed, and lmms-eval {found} reaches into what "
            "filelock below 4 is made of: pip install 'frostbench[lmms]' puts that in its place."
        )
    return found


def _numbers(said: str) -> tuple[int, ...]:
    """The leading numbers of a version.

    >>> _numbers("0.7.3rc1"), _numbers("0.8")
    ((0, 7, 3), (0, 8))
    """
    numbers = []
    for part in said.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)
