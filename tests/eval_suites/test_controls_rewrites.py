from dataclasses import replace
from pathlib import Path

import pytest
import torch
from runner_world import Blocks, Hashing, Naming, Ways, method, picture, plan_of

from frostbench.bench.runner.plan import PlannedTask
from frostbench.bench.runner.run import run
from frostbench.eval_suites.controls.rewrites import (
    stands_for_image,
    without_adapter,
    without_images,
)
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.prompts import (
    Adapter,
    Generate,
    Ids,
    ImagePiece,
    Prompt,
    Score,
    Shot,
    Text,
    Trie,
    Vectors,
)

VISUAL = (
    Ids((1, 2)),
    Vectors(torch.ones(2, 3)),
    ImagePiece(Image(torch.zeros(3, 2, 2))),
    Text("red round", visual=True),
)
INPUT, OUTPUT = Text("Input: "), Text(" Output: ")
CONTROLS = ("majority_vote", "other_image", "no_image", "no_adapter")


def test_a_score_without_its_image_keeps_its_texts():
    shown = Prompt((), Score(("a cat", "a dog"), VISUAL[2].image), backbone="clip")
    assert without_images(shown) == replace(shown, ask=Score(("a cat", "a dog"), None))


def prompt_of(shown):
    shot = Shot((INPUT, shown, OUTPUT), (Text("cat"),))
    opening = (Text("Say it.\n"), shown)
    return Prompt((INPUT, shown, OUTPUT), Generate(4), (shot, shot), opening)


@pytest.mark.parametrize("shown", VISUAL)
def test_without_images_no_segment_of_an_image_is_left_and_every_other_one_stays(shown):
    prompt = prompt_of(shown)
    bare = without_images(prompt)
    assert not any(map(stands_for_image, bare.pieces))
    said = [piece for piece in prompt.pieces if piece is not shown]
    assert list(bare.pieces) == said
    assert (bare.ask, len(bare.shots)) == (prompt.ask, 2)


def test_a_prompt_whose_query_shows_no_image_cannot_go_without_one():
    with pytest.raises(ValueError, match="marks them by Text"):
        without_images(prompt_of(Text("red round")))


def test_without_its_adapter_a_prompt_is_the_same_otherwise():
    prompt = prompt_of(Ids((1,)))
    adapted = replace(prompt, adapter=Adapter("lora", Path("folder")))
    assert without_adapter(adapted) == prompt == without_adapter(prompt)


class Asking(Naming):
    card = replace(Naming.card, name="asking", controls=CONTROLS)


class Adapted(Blocks):
    card = replace(Blocks.card, name="adapted", adapters=("asking",))

    def prompt(self, request, tokens):
        adapter = Adapter("lora", Path("folder"))
        waves = super().prompt(request, tokens)
        done = None
        while True:
            try:
                wave = waves.send(done)
            except StopIteration as stop:
                return stop.value
            done = yield [replace(prompt, adapter=adapter) for prompt in wave]


class Listening(Hashing):
    def __init__(self):
        super().__init__()
        self.heard = []

    def run(self, prompts):
        self.heard += prompts
        return super().run(prompts)


@pytest.fixture
def heard(tmp_path):
    """What one sample of each row asks the engine, and the run: method, other image, no image."""
    engine = Listening()
    task = PlannedTask(Asking(Ways()), lambda: picture, 1)
    plan = plan_of(
        tmp_path / "run",
        tmp_path / "tokens",
        tasks=(task,),
        methods=(method(Adapted), method(Blocks)),
        engine=engine,
    )
    return run(plan), engine.heard


def test_rewritten_prompts_are_answered_by_the_runs_own_engine(heard):
    done, prompts = heard
    rows = [record.row for record in done.records()]
    adapted = [("adapted", control) for control in (None, *CONTROLS)]
    assert sorted(rows, key=repr) == sorted(
        adapted + [("blocks", control) for control in (None, *CONTROLS[:-1])], key=repr
    )
    assert len(prompts) == 4 + 3  # majority vote asks no engine
    assert all(record.status == "scored" for record in done.records())
    assert sum(not any(map(stands_for_image, one.pieces)) for one in prompts) == 2
    assert sum(one.adapter is not None for one in prompts) == 3


def test_a_method_without_an_adapter_has_no_row_without_it(heard):
    done, _ = heard
    assert done.manifest.methods["adapted"].adapters == ("asking",)
    assert done.manifest.methods["blocks"].adapters == ()
    assert done.manifest.controls_left_out == ()


def test_another_image_changes_what_is_asked_about_and_no_example(heard):
    _, prompts = heard
    shown = [one for one in prompts if any(map(stands_for_image, one.pieces))]
    assert len({one.shots for one in shown}) == 1
    assert len({one.query for one in shown}) == 2


def test_a_image_that_is_no_segment_of_its_own_fails_its_row_with_a_sentence(tmp_path):
    class Plain(Blocks):
        card = replace(Blocks.card, name="plain")

        def prompt(self, request, tokens):
            words = " ".join(map(str, tokens[request.image].grid("local").flatten().tolist()))
            (done,) = yield [Prompt((Text(words),), Generate(4, Trie(request.options)))]
            return done.text

    task = PlannedTask(Asking(Ways()), lambda: picture, 2)
    plan = plan_of(
        tmp_path / "run",
        tmp_path / "tokens",
        tasks=(task,),
        methods=(method(Plain),),
    )
    failed = {record.control: record.error for record in run(plan).records() if record.error}
    assert set(failed) == {"majority_vote", "no_image"}
    assert "method 'plain' (no_image), prompt, task 'asking', sample" in failed["no_image"]
    assert "visual=True" in failed["no_image"]
