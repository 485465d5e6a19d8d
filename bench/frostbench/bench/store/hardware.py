"""The hardware of a run, and the memory that methods took of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Hardware:
    """Processor, cores that the run may use, memory in bytes, accelerator and threads in use."""

    cpu: str = ""
    cores: int = 0
    memory_bytes: int = 0
    accelerator: str | None = None
    threads: int = 0


@dataclass(frozen=True)
class MethodMemory:
    """Bytes of the device, or of the host, that a method took; measured on its first chunk.

    `own` is what it holds once it is built, without its backbones; `working` is the most that its
    verbs and prompts took in addition to all that was held.
    """

    own: int = 0
    working: int = 0
