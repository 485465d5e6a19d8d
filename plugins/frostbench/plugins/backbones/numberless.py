"""Networks without numbers, for counting: shapes, types and devices are there, and no memory.

They are made of torch's fake tensors: tensors of the device "meta" that know which device they
stand for. Code that needs a number must do without.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def numberless() -> Iterator[None]:
    """A context in which new tensors have no numbers."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    with warnings.catch_warnings(), FakeTensorMode(allow_non_fake_inputs=True):
        # Copying a module asks where its numbers are.
        warnings.filterwarnings("ignore", message="Accessing the data pointer of FakeTensor")
        yield


def is_numberless(tensor: Tensor) -> bool:
    """Whether a tensor has no numbers."""
    return tensor.is_meta or type(tensor).__name__ == "FakeTensor"


def emptied(build: Callable[[], Any]) -> Any:
    """A module whose builder moves it to a device, which modules without numbers do not allow."""
    from torch._subclasses.fake_tensor import unset_fake_temporarily

    with unset_fake_temporarily(), torch.device("meta"):
        module = build()
    for part in module.modules():
        for key, one in part._parameters.items():
            if one is not None:
                like = torch.empty(one.shape, dtype=one.dtype)
                part._parameters[key] = nn.Parameter(like, requires_grad=one.requires_grad)
        for key, one in part._buffers.items():
            if one is not None:
                part._buffers[key] = torch.empty(one.shape, dtype=one.dtype)
    return module
