"""`frostbench work`: a worker that joins a run, and how a run starts such workers."""

import os
import platform
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from frostbench.bench.cli.config import (
    RunConfig,
    UsageError,
    WorkConfig,
    bytes_of,
    read_config,
    split_words,
)
from frostbench.bench.cli.keeping import start_worker
from frostbench.bench.cli.plugins import open_host
from frostbench.bench.printable import say
from frostbench.bench.runner.crew import Crew
from frostbench.bench.runner.plan import Plan
from frostbench.plugins.host.words import as_list

SAMPLES = 1000
"""Samples, controls counted, below which another worker costs more than it saves."""
PROCESS = 2 << 30  # bytes of torch itself, and of activations


def work_command(words: list[str]) -> int:
    """Join a run as a worker until nothing is left to do."""
    plain, overrides = split_words(words, WorkConfig)
    config = read_config(WorkConfig, overrides)
    if len(plain) != 1:
        raise UsageError("work on one run: frostbench work RUN.")
    folder = Path(plain[0])
    if config.led:
        threading.Thread(target=_end_with_standard_input, daemon=True).start()

    import torch

    from frostbench.bench.cli.assemble import assemble
    from frostbench.bench.cli.lmms_tasks import offer
    from frostbench.bench.cli.stored import config_of, left_out
    from frostbench.bench.runner.joining import join
    from frostbench.bench.store.reader import open_run

    run = open_run(folder)
    if ungiven := left_out(run, config.plugins):
        raise UsageError(ungiven)
    if config.threads:
        torch.set_num_threads(config.threads)
    asked = config_of(run)
    stored = replace(
        asked,
        device=config.device or asked.device,
        out=str(folder),
        cache=config.cache,
        lease=config.lease,
        plugins=config.plugins,
        plugins_disabled=config.plugins_disabled,
    )
    name = config.worker or f"{platform.node()}-{os.getpid()}"
    host = open_host(config)
    offer(host, stored.data)
    plan = assemble(stored, host)
    keep_within(config.memory, plan)
    done = join(plan, name)
    say(f"{folder}: worker {name} stored {done} samples; nothing is left to take.")
    return 0


def keep_within(memory: str, plan: Plan) -> None:
    """Limit the memory of this process on each of a plan's devices, if `memory` is set.

    Raises:
        UsageError: it is no number of bytes, or cannot be enforced.
    """
    if not memory:
        return
    from frostbench.bench.runner.memory import devices_of
    from frostbench.plugins.backbones.devices import limit_memory

    try:
        for device in devices_of(plan):
            limit_memory(device, bytes_of("memory", memory))
    except ValueError as error:
        raise UsageError(str(error)) from error


@contextmanager
def crew_for(config: RunConfig, plan: Plan, note: Callable[[str], None]) -> Iterator[Crew | None]:
    """The workers of a run, wherever they are started; None where its own process does the work.

    Raises:
        UsageError: `workers` is neither a number nor `auto`, or no Ray can be reached.
        ValueError: there is no such device.
    """
    if config.launcher == "ray":
        from frostbench.bench.cli.on_ray import ray_crew

        with ray_crew(config, plan, note) as crew:
            yield crew
    else:
        yield crew_of(config, plan)


def crew_of(config: RunConfig, plan: Plan) -> Crew | None:
    """The workers of a run on this machine; None where its own process does the work.

    Raises:
        UsageError: `workers` is neither a number nor `auto`.
        ValueError: there is no such device.
    """
    import torch

    from frostbench.plugins.backbones.devices import device_of

    threads = torch.get_num_threads()
    devices = config.devices or [config.device]
    for device in devices:
        device_of(device)
    number = number_of(config)
    if number is None:
        number = (
            len(devices) if config.devices else automatic(plan, threads, isolated=config.isolate)
        )
    memory = bytes_of("memory", config.memory) if config.memory else 0
    if number == 1 and not config.devices:
        keep_within(config.memory, plan)
        return None
    each = max(1, threads // number)

    def launch(name: str) -> subprocess.Popen[bytes]:
        device = devices[(int(name) - 1) % len(devices)]
        share = sum(devices[n % len(devices)] == device for n in range(number))
        words = (
            [f"device={device}", f"memory={memory // share}"] if memory else [f"device={device}"]
        )
        folder = os.path.abspath(config.out)
        return start_worker(folder, name, words_of_worker(config, name, each, words), each)

    return Crew([str(number) for number in range(1, number + 1)], launch)


def number_of(config: RunConfig) -> int | None:
    """How many workers were asked for; None where it is not said.

    Raises:
        UsageError: `workers` is neither a number nor `auto`.
    """
    if config.workers == "auto":
        return None
    if config.workers.isdecimal() and int(config.workers):
        return int(config.workers)
    raise UsageError(f"workers={config.workers}: a number from 1 on, or auto.")


def on_its_devices(config: RunConfig) -> RunConfig:
    """The configuration with the first of its `devices` as its device; all must be of one kind.

    Raises:
        UsageError: they are not.
    """
    if len({device.partition(":")[0] for device in config.devices}) > 1:
        raise UsageError(
            f"devices={','.join(config.devices)}: the devices of a run are all of one kind, since "
            "numbers differ between kinds."
        )
    return replace(config, device=config.devices[0]) if config.devices else config


def words_of_worker(config: RunConfig, name: str, threads: int, words: Sequence[str]) -> list[str]:
    """The words after `frostbench work` for a worker that the run itself starts."""
    words = [f"worker={name}", f"threads={threads}", f"lease={config.lease}", *words]
    words += [f"cache={config.cache}"] if config.cache else []
    words += [f"plugins={as_list(config.plugins)}"] if config.plugins else []
    disabled = config.plugins_disabled
    words += [f"plugins.disabled={as_list(disabled)}"] if disabled else []
    return [os.path.abspath(config.out), *words, "led=true"]


def automatic(plan: Plan, threads: int, *, isolated: bool) -> int:
    """How many workers share a CPU: one for little work, and no more than memory allows.

    Where methods are `isolated`, each worker holds the backbones twice.
    """
    if plan.device.partition(":")[0] != "cpu":
        return 1
    import psutil

    room = int(psutil.virtual_memory().available // estimated_bytes(plan, isolated=isolated))
    return max(1, min(threads, enough(plan), room))


def enough(plan: Plan) -> int:
    """How many workers there is work for; at least one."""
    return max(1, sum(map(plan.most_samples, plan.tasks)) // SAMPLES)


def estimated_bytes(plan: Plan, *, isolated: bool) -> int:
    """An estimate of a worker's memory on the host, by the size of the files that it reads."""
    sources = [Path(str(one.source)) for one in plan.backbones.entries.values()]
    files = [path for source in sources for path in (source, *source.rglob("*")) if path.is_file()]
    # Weights in float32, activations, and torch itself.
    each = 4 * sum(path.stat().st_size for path in files) + PROCESS
    return 2 * each if isolated else each


def _end_with_standard_input() -> None:
    """End this process when the one that started it, whose pipe is standard input, is gone."""
    with suppress(OSError):
        while os.read(0, 1):
            continue
    os.kill(os.getpid(), signal.SIGKILL)
