"""What crosses the interface between methods, tasks, metrics, packs and the bench."""

CONTRACT_VERSION = "1.3"
"""The first number changes with what breaks plugins, the second with what is added."""


class GoingAwayWarning(DeprecationWarning):
    """A plugin uses a name that a later version will not have; the message says what to write."""


def serves(wanted: str) -> bool:
    """Whether a plugin that was written for version `wanted` of the contract works with this one.

    >>> serves("1.0"), serves("1.99"), serves("2.0")
    (True, False, False)

    Raises:
        ValueError: `wanted` is no version.
    """
    (major, minor), (asked, least) = (
        map(int, version.split(".")) for version in (CONTRACT_VERSION, wanted)
    )
    return asked == major and least <= minor
