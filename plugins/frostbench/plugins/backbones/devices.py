"""Devices and number types, by the names that users write."""

import gc
import sys
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
    """Whether an error says that the device, or the host, has no memory left."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(
        phrase in str(error).lower() for phrase in _NO_MEMORY
    )


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
    held = _data_bytes()
    if most <= held:
        raise ValueError(f"memory: {most} bytes are fewer than the {held} that are held already.")
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _data_bytes() -> int:
    """The bytes that RLIMIT_DATA counts of this process; 0 where the system does not tell."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    line = next((one for one in status.splitlines() if one.startswith("VmData:")), "VmData: 0 kB")
    return int(line.split()[1]) * 1024


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
        if self._device.type == "cpu":
            import psutil

            return int(psutil.Process().memory_info().rss)
        return None


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
