import json
import shutil

import pytest
import torch
from training_world import STRIPES, Stripes

from frostbench.packs.mini.recipes import mae as recipe
from frostbench.packs.mini.recipes.mae import MAETraining, build, train
from frostbench.plugins.backbones.entry import BackboneEntry
from frostbench.plugins.backbones.mae import MAE
from frostbench.plugins.contract.recipe import Workshop
from frostbench.plugins.host.packs import embedded_pack

PACK = embedded_pack("mini")
TINY = {
    "side": "16",
    "patch": "4",
    "width": "16",
    "layers": "1",
    "heads": "2",
    "inner": "32",
    "decoder_width": "16",
    "decoder_layers": "1",
    "decoder_heads": "2",
    "decoder_inner": "32",
    "steps": "4",
    "batch": "4",
    "tuning_steps": "4",
    "tuning_batch": "4",
    "pool_images": "12",
    "validation_batches": "1",
    "log_every": "1",
    "save_every": "2",
}


def workshop(at, **settings):
    (at / "pack").mkdir(parents=True)
    shutil.copytree(PACK / "perceptual", at / "pack" / "perceptual")
    return Workshop(
        at / "pack",
        at / "scratch",
        settings={**TINY, **settings},
        offered=STRIPES,
    )


def test_a_training_leaves_a_masked_autoencoder_and_a_report(tmp_path):
    shop = workshop(tmp_path)
    report = train(shop)
    assert report.steps == 8
    assert 0 < report.figures["PSNR"] < 60
    json.dumps(report.settings)
    mae = MAE.load(BackboneEntry("mae", "mae", str(shop.pack / "mae")))
    assert (mae.tokens, mae.width) == (17, 16)


def test_figures_are_those_of_the_file(tmp_path):
    shop = workshop(tmp_path)
    report = train(shop)
    mae = MAE.load(BackboneEntry("mae", "mae", str(shop.pack / "mae")))
    images = Stripes().batch("validation", 4, 0)
    restored = mae.decode(mae.encode((images * 255).round() / 255)).clamp(0, 1)
    psnr = -10 * (restored - images).square().mean((1, 2, 3)).log10()
    assert report.figures["PSNR"] == pytest.approx(psnr.mean().item(), abs=0.05)


def test_the_second_stage_leaves_the_encoder_alone_and_brings_the_error_down(tmp_path):
    short = workshop(tmp_path / "short", tuning_steps="1")
    long = workshop(tmp_path / "long", tuning_steps="60")
    train(short)
    report = train(long)
    encoders = [
        MAE.load(BackboneEntry("mae", "mae", str(shop.pack / "mae"))).model.vit.state_dict()
        for shop in (short, long)
    ]
    for name, tensor in encoders[0].items():
        assert torch.equal(tensor, encoders[1][name]), name
    tuned = [values["absolute"] for _, values in report.history if "absolute" in values]
    assert sum(tuned[-3:]) < 0.9 * sum(tuned[:3])  # a round through the pool each


@pytest.mark.parametrize("stage", ["mae", "mae-decoder"])
def test_a_training_stopped_midway_and_resumed_equals_one_that_ran_through(
    tmp_path, monkeypatch, stage
):
    through, stopped = workshop(tmp_path / "through"), workshop(tmp_path / "stopped")
    train(through)
    whole = recipe.recipe.train

    def tired(shop, name, parts, step, steps, **options):
        if name != stage:
            return whole(shop, name, parts, step, steps, **options)

        def until(index):
            if index == 3:
                raise KeyboardInterrupt
            return step(index)

        return whole(shop, name, parts, until, steps, **options)

    monkeypatch.setattr(recipe.recipe, "train", tired)
    with pytest.raises(KeyboardInterrupt):
        train(stopped)
    monkeypatch.setattr(recipe.recipe, "train", whole)
    train(stopped)
    one, other = (shop.pack / "mae" / "model.safetensors" for shop in (through, stopped))
    assert one.read_bytes() == other.read_bytes()


def test_published_sizes_are_settings():
    published = MAETraining(
        side=224,
        patch=16,
        width=1024,
        layers=24,
        heads=16,
        inner=4096,
        decoder_width=512,
        decoder_layers=8,
        decoder_heads=16,
        decoder_inner=2048,
    )
    with torch.device("meta"):
        model = build(published)
    counted = sum(p.numel() for p in model.vit.parameters() if p.requires_grad)
    assert round(counted / 1e6, 1) == 303.1


def test_a_training_that_goes_on_from_a_folder_keeps_its_encoder_and_tunes_its_decoder(tmp_path):
    first = workshop(tmp_path / "first")
    train(first)
    on = workshop(tmp_path / "on", start=str(first.pack / "mae"))
    assert train(on).steps == 4
    encoders, decoders = [], []
    for shop in (first, on):
        model = MAE.load(BackboneEntry("mae", "mae", str(shop.pack / "mae"))).model
        encoders.append(torch.cat([part.flatten() for part in model.vit.state_dict().values()]))
        decoders.append(torch.cat([part.flatten() for part in model.decoder.parameters()]))
    assert torch.equal(*encoders)
    assert not torch.equal(*decoders)
