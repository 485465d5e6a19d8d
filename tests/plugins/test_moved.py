"""Import paths of version 0.1 before the plugins got rooms; goes with `plugins/moved.py`."""

import importlib
import subprocess
import sys

import pytest

import frostbench.plugins

OLD = {
    "baselines.autoencoder.average": "Average",
    "baselines.autoencoder.blocks": (
        "CrossAttention Downsample EPSILON Level Middle ResidualBlock SelfAttention Upsample norm"
    ),
    "baselines.autoencoder.clusters": "cluster",
    "baselines.autoencoder.decoder": "Decoder",
    "baselines.autoencoder.discriminator": "Discriminator SLOPE WIDEST",
    "baselines.autoencoder.encoder": "Encoder",
    "baselines.autoencoder.initial": "ASIDE BRANCH LAST RECTIFIED pass_through",
    "baselines.autoencoder.losses": (
        "GeneratorLoss LARGEST LeCam LossSettings PerceptualDistance STABLE balance "
        "discriminator_loss generator_loss"
    ),
    "baselines.autoencoder.projection": "FAINTEST fit_spread principal",
    "baselines.autoencoder.quantizer": (
        "CELLS_AT_ONCE Quantizer ROUNDING check_ids codebook_loss nearest nearest_several "
        "straight_through"
    ),
    "baselines.autoencoder.reconstruction": "Reconstruction psnr",
    "baselines.autoencoder.settings": "ContextSettings DiscriminatorSettings NetworkSettings SMALL",
    "baselines.autoencoder.stored": "CONFIG WEIGHTS load_into override read_settings save",
    "baselines.autoencoder.training": (
        "AdversarialTraining Forward TrainingSettings figures perplexity"
    ),
    "plugins.builtin": "frostbench_backbones frostbench_engines",
    "plugins.cards": "Card DISCRETE HEADLESS Offer PackCard REQUEST_TYPES TaskCard",
    "plugins.completions": "Attended Chosen Completion Cost Failed Generated Regressed",
    "plugins.devices": "DTYPES Meter device_of dtype_of is_out_of_memory release_memory",
    "plugins.discrete": "DiscreteMethod DiscretePrompting",
    "plugins.discrete.borrowing": "Borrowed LEAST UNREADABLE borrow",
    "plugins.discrete.captioning": "AnswerSettings CaptionSettings Shown Style answer caption",
    "plugins.discrete.classification": (
        "ClassificationSettings INPUT OUTPUT answer ask classification opening union"
    ),
    "plugins.discrete.examples": "Example disturbed disturbed_counts held_out",
    "plugins.discrete.fingerprint": "fingerprint",
    "plugins.discrete.language": "Language",
    "plugins.discrete.lending": "CodeToId Lending lend",
    "plugins.discrete.masked": (
        "MaskedSettings covered_cells mask_id masked_prompt masked_restoration"
    ),
    "plugins.discrete.method": "DiscreteMethod DiscretePrompting as_unit refusal",
    "plugins.discrete.resizing": "resized to_square",
    "plugins.discrete.restoration": (
        "Layers RATES RestorationSettings instruction restoration whole_answers"
    ),
    "plugins.discrete.rows": "by_row",
    "plugins.discrete.windows": "hidden_cells parents windows",
    "plugins.engine.plan": "plan",
    "plugins.hiding": "GREY hide random_cells",
    "plugins.hooks": (
        "frostbench_backbones frostbench_datasets frostbench_engines frostbench_methods "
        "frostbench_metrics frostbench_packs frostbench_recipes frostbench_run_finished "
        "frostbench_run_started frostbench_sample_scored frostbench_tasks hookimpl hookspec"
    ),
    "plugins.host": "GROUP Host PluginError Registered missing",
    "plugins.images": "Image read_as_seen read_image to_pillow",
    "plugins.method": "Backbones Method Setup Tokens Waves",
    "plugins.packs": "Pack PackBackbone PackMethod embedded_pack read_pack",
    "plugins.perceptual": "MINI Perceptual PerceptualSettings VGG16",
    "plugins.pool": "Pool SEEDS",
    "plugins.precision": (
        "FEWEST LEVELS Precision SCALE compact expanded in_bytes read rounded write"
    ),
    "plugins.predictions": "Boxes ImagePrediction Masks Prediction Reasoned TextPrediction",
    "plugins.prompts": (
        "Adapter Ask Attend Choose Generate Ids Picture Prompt Regress Segment Shot Text "
        "TokenSets Trie Vectors Wave"
    ),
    "plugins.published": "HEAD Inert read_torch state_of without",
    "plugins.recipe": (
        "GroundedScene GroundedScenes Pairs Pictures Progress Recipe Report Stateful Workshop train"
    ),
    "plugins.requests": (
        "Answer Box Caption Classify Detect Ground HeldOutContext Interpret LabelledImage "
        "NamedThought NoContext NoThought OracleContext OracleThought QuestionThought Reason "
        "Reconstruct Refine Request Restore RestoredPair Segment Span Thought images_of "
        "masks_asked spans_in within"
    ),
    "plugins.settings": "read_settings",
    # The protocols of metrics and of data are gone, as what took their place is no protocol.
    "plugins.task": "Instance MetricContext Target Task TrueAnswer TrueMasks",
    "plugins.tokens": (
        "Continuous Grid Part Pyramid Ranked VisualTokens discrete_ids join tensors_of"
    ),
    "plugins.waves": "Engine Length Measures Outcome describe drive",
    "plugins.weights": "CHUNK SHOWN digest fill mismatches read write",
}


@pytest.mark.parametrize("module", OLD)
def test_every_name_of_before_is_found_at_its_old_path_and_told_its_new_one(module):
    old = importlib.import_module(f"frostbench.{module}")
    for name in OLD[module].split():
        with pytest.warns(DeprecationWarning, match=r"goes in the next minor version\.$") as told:
            found = getattr(old, name)
        path, _, new, *_ = str(told[-1].message).split(" ")
        assert path == f"frostbench.{module}.{name}"
        home, _, attribute = new.rpartition(".")
        assert getattr(importlib.import_module(home), attribute) is found


def test_a_renamed_class_is_found_by_its_old_name():
    with pytest.warns(DeprecationWarning, match=r"is frostbench\.plugins\.contract\.prompts\.Im"):
        from frostbench.plugins import Picture
    assert Picture is frostbench.plugins.ImagePiece


def test_a_name_that_never_was_is_still_an_error():
    with pytest.raises(ImportError, match=r"No module named 'frostbench\.plugins\.nothing'"):
        importlib.import_module("frostbench.plugins.nothing")
    with pytest.raises(
        AttributeError, match=r"'frostbench\.plugins\.cards' has no attribute 'Kard'"
    ):
        _ = importlib.import_module("frostbench.plugins.cards").Kard
    with pytest.raises(AttributeError, match=r"'frostbench\.plugins' has no attribute 'Kard'"):
        _ = frostbench.plugins.Kard


def test_a_path_of_before_needs_no_other_import_and_loads_no_torch():
    code = (
        "import sys, frostbench.baselines.autoencoder, frostbench.plugins.discrete\n"
        "from frostbench.plugins.cards import Card\n"
        "assert 'torch' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_warning_points_at_the_line_that_asks():
    code = "import frostbench.plugins.host as host\nhost.Host"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.startswith("<string>:2: GoingAwayWarning: frostbench.plugins.host.Host is")
