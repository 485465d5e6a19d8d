"""Devices and number types, by the names that users write."""

import errno
import gc
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor

from frostbench.plugins.backbones.energy import Energy

DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float64": torch.float64,
}

# Messages of allocators that raise a RuntimeError and no torch.OutOfMemoryError; the last is what
# oneDNN says when it has no room for what it computes.
_NO_MEMORY = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "could not create a primitive",
)


# The limit given to Metal's one device, which does not report it.
_metal_limit: list[int] = []


def cards() -> list[torch.device]:
    """The CUDA devices of this machine."""
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return [torch.device("cuda", number) for number in range(there)]


def device_of(name: str) -> torch.device:
    """The device called "cpu", "cuda", "cuda:N" or "mps".

    Raises:
        ValueError: there is no such device; the message lists those there are.
    """
    kind, _, number = name.partition(":")
    there = cards()
    metal = ["mps"] if torch.backends.mps.is_available() else []
    if name in ("cpu", *metal):
        return torch.device(name)
    if kind == "cuda" and (not number or number.isdigit()) and int(number or 0) < len(there):
        return there[int(number or 0)]
    known = ", ".join(["cpu", *map(str, there), *metal])
    raise ValueError(f"no device named {name!r}; there are {known}.")


def check_dtype(device: torch.device, dtype: torch.dtype) -> None:
    """Check that a device computes in a number type.

    Raises:
        ValueError: it does not.
    """
    if device.type != "mps":
        return
    if dtype == torch.float64:
        raise ValueError("device mps has no float64; choose float32, float16 or bfloat16.")
    if dtype == torch.bfloat16 and not torch.backends.mps.is_macos_or_newer(14, 0):
        raise ValueError("device mps has bfloat16 from macOS 14 on; choose float32 or float16.")


def exact(numbers: Tensor) -> Tensor:
    """Numbers in float64: on their own device, or on the host where that has none (mps)."""
    return (numbers.cpu() if numbers.device.type == "mps" else numbers).double()


def dtype_of(name: str) -> torch.dtype:
    """The number type called "float32", "bfloat16", "float16" or "float64".

    Raises:
        ValueError: there is no such type.
    """
    if name not in DTYPES:
        raise ValueError(f"no dtype named {name!r}; there are {', '.join(DTYPES)}.")
    return DTYPES[name]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, or what caused it, says that device or host have no memory left."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    if isinstance(error, RuntimeError) and any(
        phrase in str(error).lower() for phrase in _NO_MEMORY
    ):
        return True
    return error.__cause__ is not None and is_out_of_memory(error.__cause__)


def release_memory(device: torch.device) -> None:
    """Give unused memory back to the device."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()  # of all cards
    elif device.type == "mps":
        torch.mps.empty_cache()


def synchronize(device: torch.device) -> None:
    """Wait until a device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def limit_memory(device: torch.device, most: int) -> None:
    """Let this process hold no more than `most` bytes, of the device or, on a CPU, of the host.

    A request for more fails as if the device had no memory left.

    Raises:
        ValueError: the device has no such limit here, or holds more already.
    """
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, most / total), device)
        return
    if device.type == "mps":
        # A fraction of 0 would be no limit at all.
        share = max(most, 1) / torch.mps.recommended_max_memory()
        torch.mps.set_per_process_memory_fraction(min(1.0, share))
        _metal_limit[:] = [most]
        return
    try:
        import resource
    except ImportError as error:
        raise ValueError("this system has no limit on a process's memory.") from error
    held = _status_bytes("VmData")  # what RLIMIT_DATA counts
    if most <= held:
        raise ValueError(f"memory: {most} bytes are fewer than the {held} that are held already.")
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _status_bytes(key: str) -> int:
    """The kernel's figure for this process under a key; 0 where it gives none."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    line = next((one for one in status.splitlines() if one.startswith(f"{key}:")), "none: 0 kB")
    return int(line.split()[1]) * 1024


class Gauge:
    """Memory of a device from now on, in bytes.

    On CUDA and on Metal it is what tensors hold, on a CPU what the process holds of the host. The
    largest amount on a CPU is the kernel's own mark (Linux); where there is none, and on Metal, it
    is what is held in the end.

    Attributes:
        before: what is held when it begins.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        elif device.type == "cpu":
            with suppress(OSError):
                Path("/proc/self/clear_refs").write_text("5")  # the kernel's mark starts again
        self.before = held_bytes(device)

    def more(self) -> int:
        """How much more is held than at the beginning."""
        return max(0, held_bytes(self._device) - self.before)

    def peak(self) -> int:
        """How much more was held at most."""
        most = _most_bytes(self._device)
        if self._device.type == "cpu":
            most = max(most, _status_bytes("VmHWM"))
        return max(0, most - self.before)


def held_bytes(device: torch.device) -> int:
    """What tensors hold of a CUDA device or of Metal, or this process of the host."""
    if device.type == "cuda":
        return int(torch.cuda.memory_allocated(device))
    if device.type == "mps":
        return int(torch.mps.current_allocated_memory())
    import psutil

    return int(psutil.Process().memory_info().rss)


def room_bytes(device: torch.device) -> int | None:
    """How much more may be held; None where nothing but the host itself limits it."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        most = int(total * torch.cuda.get_per_process_memory_fraction(device))
        reserved = int(torch.cuda.memory_reserved(device))
        unused = reserved - int(torch.cuda.memory_allocated(device))
        return max(0, min(int(free), most - reserved) + unused)
    if device.type == "mps":
        # What a Mac recommends; beyond it, memory is the host's, and everything slows down.
        most = min([int(torch.mps.recommended_max_memory()), *_metal_limit])
        return max(0, most - held_bytes(device))
    try:
        import resource
    except ImportError:
        return None
    most, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return None if most == resource.RLIM_INFINITY else max(0, most - _status_bytes("VmData"))


class Meter:
    """Memory and energy of one or several devices, between `start` and `stop`.

    On CUDA the memory is the largest amount that tensors held at once, summed over cards; elsewhere
    it is what is held when the measurement stops, on a CPU by the whole process. Energy is measured
    by `Energy`.
    """

    def __init__(self, *devices: torch.device) -> None:
        self._devices = devices
        self._energy = Energy(devices)
        self._begun: float | None = None

    def start(self) -> None:
        """Begin a measurement."""
        for device in self._devices:
            synchronize(device)
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(device)
        self._begun = self._energy.joules()

    def stop(self) -> tuple[int, float | None]:
        """End it: bytes, and joules, None where the devices do not tell."""
        for device in self._devices:
            synchronize(device)
        ended = self._energy.joules()
        joules = None if ended is None or self._begun is None else ended - self._begun
        return sum(map(_most_bytes, self._devices)), joules


def _most_bytes(device: torch.device) -> int:
    """The most that tensors held on a card since its mark was reset; elsewhere what is held now."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return held_bytes(device)
