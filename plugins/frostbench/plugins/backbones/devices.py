"""Devices and number types, by the names that users write."""

import errno
import gc
import sys
from contextlib import suppress
from pathlib import Path

import torch

DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float64": torch.float64,
}

# What allocators say in a RuntimeError where they raise no torch.OutOfMemoryError; the last is what
# oneDNN says when it has no room for what it computes.
_NO_MEMORY = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "could not create a primitive",
)


def device_of(name: str) -> torch.device:
    """The device called "cpu", "cuda" or "cuda:N".

    Raises:
        ValueError: there is no such device; the message lists those there are.
    """
    kind, _, number = name.partition(":")
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    known = ["cpu", *(f"cuda:{i}" for i in range(there))]
    if name == "cpu":
        return torch.device("cpu")
    if kind == "cuda" and (not number or number.isdigit()) and int(number or 0) < there:
        return torch.device("cuda", int(number or 0))
    raise ValueError(f"no device named {name!r}; there are {', '.join(known)}.")


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
    """Give what nobody holds any more back to the device."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def limit_memory(device: torch.device, most: int) -> None:
    """Let this process hold no more than `most` bytes, of the device or, on a CPU, of the host.

    What asks for more is told that there is none left, as if the device had no more.

    Raises:
        ValueError: the device has no such limit here, or holds more already.
    """
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, most / total), device)
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
    """What the kernel tells of this process under a key; 0 where it does not tell."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    line = next((one for one in status.splitlines() if one.startswith(f"{key}:")), "none: 0 kB")
    return int(line.split()[1]) * 1024


class Gauge:
    """Memory of a device from now on, in bytes.

    On CUDA it is what tensors hold, on a CPU what the process holds of the host. The largest amount
    on a CPU is the kernel's own mark (Linux), or what is held in the end where there is none.

    Attributes:
        before: what is held when it begins.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        else:
            with suppress(OSError):
                Path("/proc/self/clear_refs").write_text("5")  # the mark begins anew
        self.before = held_bytes(device)

    def more(self) -> int:
        """How much more is held than in the beginning."""
        return max(0, held_bytes(self._device) - self.before)

    def peak(self) -> int:
        """How much more was held at most."""
        if self._device.type == "cuda":
            most = int(torch.cuda.max_memory_allocated(self._device))
        else:
            most = max(held_bytes(self._device), _status_bytes("VmHWM"))
        return max(0, most - self.before)


def held_bytes(device: torch.device) -> int:
    """What tensors hold of a CUDA device, or this process of the host."""
    if device.type == "cuda":
        return int(torch.cuda.memory_allocated(device))
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
    try:
        import resource
    except ImportError:
        return None
    most, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return None if most == resource.RLIM_INFINITY else max(0, most - _status_bytes("VmData"))


class Meter:
    """Memory and energy of one device, between `start` and `stop`.

    On CUDA the memory is the largest amount that tensors held at once; on a CPU, whose memory is
    the host's, it is what the process holds when the measurement stops. Energy is the driver's own
    counter (NVML), None where the driver or the package `nvidia-ml-py` is not there.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._energy = _EnergyCounter(device)
        self._begun: float | None = None

    def start(self) -> None:
        """Begin a measurement."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
            torch.cuda.reset_peak_memory_stats(self._device)
        self._begun = self._energy.joules()

    def stop(self) -> tuple[int | None, float | None]:
        """End it: bytes and joules, each None where the device does not tell."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        ended = self._energy.joules()
        joules = None if ended is None or self._begun is None else ended - self._begun
        return self._bytes(), joules

    def _bytes(self) -> int | None:
        if self._device.type == "cuda":
            return int(torch.cuda.max_memory_allocated(self._device))
        return held_bytes(self._device) if self._device.type == "cpu" else None


class _EnergyCounter:
    """The driver's count of the joules that a CUDA device has used, where it keeps one."""

    def __init__(self, device: torch.device) -> None:
        self._nvml = self._handle = None
        if device.type != "cuda":
            return
        try:
            import pynvml  # type: ignore[import-not-found]

            pynvml.nvmlInit()
            uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
            self._nvml, self._handle = pynvml, pynvml.nvmlDeviceGetHandleByUUID(uuid)
        except Exception as error:  # a missing package, driver or right: no figure, and said once
            print(f"no energy figures for {device}: {error}", file=sys.stderr)

    def joules(self) -> float | None:
        if self._nvml is None:
            return None
        try:
            return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)) / 1000
        except self._nvml.NVMLError:
            return None
