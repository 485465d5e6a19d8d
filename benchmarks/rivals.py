"""Rivals for the prompts of `gpu.py`: vLLM, and transformers with a compiled decoder."""

import gc
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from frostbench.plugins.backbones.devices import release_memory

Ids = tuple[int, ...]
SPARE = 2 << 30  # bytes of a card that vLLM leaves to its context


class NotMeasuredError(Exception):
    """Why a figure is not there."""


@torch.inference_mode()
def generated(model: Any, rows: Sequence[Ids], new: int, **how: object) -> list[Ids]:
    """What transformers' own `generate` continues rows of one length by, as one batch.

    `cache_implementation="static"` keeps a cache of fixed size; transformers then compiles the
    decoding of one token, with CUDA graphs, where the model lies on a card.
    """
    inputs = torch.tensor(list(rows), device=model.device)
    out = model.generate(
        input_ids=inputs,
        attention_mask=torch.ones_like(inputs),
        max_new_tokens=new,
        do_sample=False,
        pad_token_id=0,
        **how,
    )
    return [tuple(row) for row in out[:, inputs.shape[1] :].tolist()]


@contextmanager
def vllm_of(model: Any, device: torch.device, longest: int) -> Iterator[Any]:
    """Open vLLM with the weights of a model, in the memory of a card that is left beside it.

    Raises:
        NotMeasuredError: it is not installed, or does not run here.
    """
    try:
        from vllm import LLM
    except ImportError as error:
        raise NotMeasuredError(f"vLLM is not installed ({error})") from error
    room: dict[str, Any] = {}
    if device.type == "cuda":
        release_memory(device)
        free, total = torch.cuda.mem_get_info(device)
        room = {"gpu_memory_utilization": max(0.05, (free - SPARE) / total)}
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        dtype = str(model.dtype).removeprefix("torch.")
        try:
            engine = LLM(
                model=folder, skip_tokenizer_init=True, dtype=dtype, max_model_len=longest, **room
            )
        except Exception as error:
            line = (str(error).strip().splitlines() or ["no message"])[0]
            raise NotMeasuredError(f"vLLM does not run here: {line}") from error
        yield engine
    del engine
    gc.collect()


def asked_of_vllm(
    engine: Any, rows: Sequence[Ids], new: int, allowed: Sequence[int] | None = None
) -> Callable[[], tuple[float, list[Ids]]]:
    """Lets vLLM continue rows of ids greedily; gives seconds and what came.

    Nothing is kept from one run to the next, and within a run what it finds to be alike.
    """
    from vllm import SamplingParams

    how = SamplingParams(
        temperature=0.0,
        max_tokens=new,
        ignore_eos=True,
        detokenize=False,
        allowed_token_ids=None if allowed is None else list(allowed),
    )
    prompts = [{"prompt_token_ids": list(row)} for row in rows]

    def run() -> tuple[float, list[Ids]]:
        engine.reset_prefix_cache()
        begun = time.perf_counter()
        found = engine.generate(prompts, how, use_tqdm=False)
        return time.perf_counter() - begun, [tuple(one.outputs[0].token_ids) for one in found]

    return run


@contextmanager
def filled(device: torch.device, rest: int) -> Iterator[None]:
    """Fill a card up to `rest` bytes.

    Raises:
        NotMeasuredError: it is no card, or has less than that.
    """
    if device.type != "cuda":
        raise NotMeasuredError(f"the memory of a card is filled for it, and this is {device}")
    release_memory(device)
    free, _ = torch.cuda.mem_get_info(device)
    if free <= rest:
        raise NotMeasuredError(f"{free} bytes of {device} are free, fewer than --rest={rest}")
    ballast = torch.empty(free - rest, dtype=torch.uint8, device=device)
    try:
        yield
    finally:
        del ballast
        release_memory(device)
