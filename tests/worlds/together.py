"""Tiny trainings in one process or several, forked and told what a launcher tells them.

They are forked by a process of their own: where a training has run before, torch forks no more.
"""

import atexit
import json
import os
import socket
import subprocess
import sys
import traceback
from dataclasses import replace
from functools import cache
from pathlib import Path

from flmm_world import RECIPE as FLMM
from flmm_world import Squares
from lm4lv_world import TINY, Pairs
from training_world import NETWORK, STRIPES, TRAINING

from frostbench.baselines.flmm import recipe as flmm_recipe
from frostbench.baselines.lm4lv import recipe as lm4lv_recipe
from frostbench.baselines.spae import recipe as spae_recipe
from frostbench.baselines.spae.codebook import CodebookSettings
from frostbench.baselines.spae.model import SPAESettings
from frostbench.baselines.vqgan import recipe as vqgan_recipe
from frostbench.baselines.vqgan.model import VQGANSettings
from frostbench.plugins.contract.recipe import Workshop
from frostbench.plugins.kit import toys
from frostbench.plugins.parts.training import loop
from frostbench.plugins.parts.training.pool import Pool
from frostbench.v2l import recipe as v2l_recipe
from frostbench.v2l.model import V2LSettings
from frostbench.v2l.vocabulary import VocabularySettings

KILLED = 9
# At a higher rate rounding makes a cell choose another code within 20 steps.
PLAN = replace(
    TRAINING, batch=4, rate=2e-4, loss=replace(TRAINING.loss, adversarial_start=3), average=0.9
)


def launched(kind, folder, steps, processes, *, accumulate=1, die_at=None):
    """The losses of each step, by name, after `processes` have trained together."""
    asked = [kind, str(folder), steps, processes, accumulate, die_at]
    parent = _parent()
    parent.stdin.write(json.dumps(asked) + "\n")
    parent.stdin.flush()
    ended, losses = json.loads(parent.stdout.readline())
    assert ended == [KILLED if die_at is not None else 0] * processes
    return losses


@cache
def _parent():
    """The process that forks."""
    parent = subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    def end():
        parent.stdin.close()
        parent.wait()
        parent.stdout.close()

    atexit.register(end)
    return parent


def _serve():
    """Do what comes as lines, and answer in lines."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what trainings print is no answer
    for line in sys.stdin:
        kind, folder, *rest = json.loads(line)
        print(json.dumps(_launch(kind, Path(folder), *rest)), file=answers, flush=True)


def _launch(kind, folder, steps, processes, accumulate, die_at):
    """How the processes ended, and the losses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    many = str(processes)
    toys.backbones(), toys.llm(), toys.clip(), toys.sam()  # made once, before the fork
    children = []
    for rank in map(str, range(processes)):
        # As torchrun says it.
        told = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": many, "LOCAL_WORLD_SIZE": many}
        told |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
        shop = Workshop(
            folder / "pack",
            folder / "scratch",
            offered=OFFERED,
            accumulate=accumulate,
            log_every=1,
            save_every=4,
        )
        child = os.fork()
        if child == 0:
            _become(kind, shop, steps, told if processes > 1 else {}, die_at)
        children.append(child)
    ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    kept = folder / "losses.json"
    return ended, json.loads(kept.read_text()) if die_at is None and kept.is_file() else None


def _become(kind, shop, steps, told, die_at):
    """Be a process of a training, and nothing after it."""
    import torch
    from accelerate.state import AcceleratorState

    code = 1
    try:
        AcceleratorState._reset_state(reset_partial_state=True)
        torch.set_num_threads(1)
        os.environ.update(told)
        train = loop.train

        def mortal(workshop, name, parts, step, steps, processes, **how):
            def fragile(index):
                if index == die_at:
                    os._exit(KILLED)
                return step(index)

            return train(workshop, name, parts, fragile, steps, processes, **how)

        loop.train = mortal
        report = KINDS[kind](shop, steps)
        if report.figures:
            losses = [values for _, values in report.history]
            (shop.scratch.parent / "losses.json").write_text(json.dumps(losses))
        code = 0
    except BaseException:
        traceback.print_exc(file=sys.stderr)
    finally:
        os._exit(code)


def vqgan(shop, steps):
    plan = replace(PLAN, steps=steps)
    model = VQGANSettings(NETWORK, codes=6, embed_width=3)
    return vqgan_recipe.train_on(shop, vqgan_recipe.VQGANRecipe(model, plan, 3, 1), None)


def spae(shop, steps):
    loss = replace(PLAN.loss, adversary="logistic", lecam_weight=1e-2, guidance_weight=1.0)
    recipe = spae_recipe.SPAERecipe(
        SPAESettings(network=NETWORK, layers=(2, 4, 8), depth_dropout=0.2),
        CodebookSettings(),
        training=replace(PLAN, steps=steps, loss=loss, fit_steps=()),
        pool_batches=3,
        validation_batches=1,
    )
    return spae_recipe.train_on(shop, recipe, toys.llm(), toys.clip(), None)


def v2l(shop, steps):
    words = VocabularySettings(
        template="{}", prompts=("{}",), keep_spaces=True, nearest=3, more_than=0, merge_equal=True
    )
    model = V2LSettings(NETWORK, cross_attention_heads=1)
    voters = Pool(shop, "base", 2, 2)
    books = v2l_recipe.make_codebooks(shop, toys.llm(), toys.clip(), voters, words)
    recipe = v2l_recipe.V2LRecipe(model, words, replace(PLAN, steps=steps), 2, 3, 1)
    return v2l_recipe.train_on(shop, recipe, toys.clip(), books, None)


def lm4lv(shop, steps):
    tiny = replace(
        TINY,
        each=4,
        corruptions=("denoising",),
        steps=steps - 2,
        own_steps=2,
        restored=1,
        clip=0.5,
        lora_rank=2,
        lora_targets=("q_proj", "v_proj"),
    )
    return lm4lv_recipe.train_on(shop, tiny, toys.backbones())


def flmm(shop, steps):
    tiny = replace(FLMM, training=replace(FLMM.training, steps=steps, images=4, clip=0.5))
    return flmm_recipe.train_on(shop, tiny, toys.backbones())


class Several(Squares):
    """Scenes of one square or of two, so that shares have unlike numbers of phrases."""

    def scene(self, split, seed, index):
        scene = super().scene(split, seed, index)
        if index % 2:
            return scene
        return replace(
            scene,
            phrases=scene.phrases[:1],
            expressions=scene.expressions[:1],
            masks=scene.masks[:1],
        )


OFFERED = {**STRIPES, "pairs": lambda _: Pairs(), "grounded": lambda _: Several()}
KINDS = {"vqgan": vqgan, "spae": spae, "v2l": v2l, "lm4lv": lm4lv, "flmm": flmm}

if __name__ == "__main__":
    _serve()
