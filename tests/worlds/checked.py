"""Every annotation of the packages is checked while tests run: what takes `jaxtyped`'s place.

jaxtyping's own decorator binds the arguments of each call to the signature and has beartype check
them twice. Sizes that a shape names need that; elsewhere, one check by beartype says the same.
"""

import dataclasses
import functools
import inspect
from typing import Any, get_args

import jaxtyping
from beartype import BeartypeConf, beartype
from jaxtyping import AbstractArray, jaxtyped

by_beartype = beartype(conf=BeartypeConf(violation_type=jaxtyping.TypeCheckError))


def checked(item: Any = None, *, typechecker: Any) -> Any:
    """The function or dataclass, which refuses what its annotations do not allow."""
    if item is None:
        return functools.partial(checked, typechecker=typechecker)
    if isinstance(item, type):
        if dataclasses.is_dataclass(item) and not hasattr(item.__init__, "__wrapped__"):
            item.__init__ = checked(item.__init__, typechecker=typechecker)
        return item
    # Called, a generator is checked at once by the one, and by the other when it is iterated.
    if inspect.isgeneratorfunction(item) or any(map(_has_shape, item.__annotations__.values())):
        return jaxtyped(item, typechecker=typechecker)
    return by_beartype(item)


def _has_shape(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return True  # a name that is not looked up here
    if isinstance(annotation, type) and issubclass(annotation, AbstractArray):
        return True
    return any(map(_has_shape, get_args(annotation)))
