import pytest
import torch
from PIL import Image as Pillow

from frostbench.bench.runner.scoring import Scoring
from frostbench.bench.store.blobs import Blobs
from frostbench.plugins.contract.cards import MetricFacts
from frostbench.plugins.contract.images import Image
from frostbench.plugins.contract.metric import Metric
from frostbench.plugins.contract.predictions import ImagePrediction
from frostbench.plugins.host.recent import Recent


def grey(level: float) -> torch.Tensor:
    return torch.full((3, 2, 2), level)


@pytest.fixture
def scored(tmp_path):
    """A scoring, and what its metrics were asked."""
    asked: list[float] = []
    seen: list[float] = []

    def error(prediction, target):
        asked.append(float(prediction.pixels[0, 0, 0]))
        if asked[-1] > 0.8:
            raise ValueError("it is too bright")
        return float((prediction.pixels - target.pixels).abs().mean())

    def features(images):
        seen.extend(float(image.pixels[0, 0, 0]) for image in images)
        return torch.stack([image.pixels[0, 0] for image in images])

    facts = MetricFacts("error", "", 0.0, None, "lower")
    metrics = {
        "error": Metric(facts, error),
        "distance": Metric(
            MetricFacts("distance", "", 0.0, None, "lower", pooling="features"), features
        ),
    }
    return Scoring(metrics, Blobs(tmp_path)), asked, seen


def test_equal_images_are_scored_and_read_once_in_whatever_row_they_come(scored):
    scoring, asked, seen = scored
    target = Image(grey(0.5))
    rows = [[ImagePrediction(grey(0.25)), ImagePrediction(grey(0.75))] for _ in range(3)]
    first, *others = (scoring(row, [target, target]) for row in rows)
    assert others == [first, first]
    assert asked == [0.25, 0.75]
    assert sorted(seen) == [0.25, 0.5, 0.75]
    (again,) = scoring(rows[0][:1], [Image(grey(0.0))])
    assert again.scores == {"error": 0.25}, "another target is another score"


def test_what_could_not_be_scored_is_tried_again(scored):
    scoring, asked, _ = scored
    for _ in range(2):
        (result,) = scoring([ImagePrediction(grey(1.0))], [Image(grey(0.5))])
        assert "too bright" in result.error
    assert asked == [1.0, 1.0]


def test_an_image_is_compressed_once_and_stored_again_where_its_file_is_gone(tmp_path, monkeypatch):
    saved: list[str] = []
    save = Pillow.Image.save

    def counted(image, file, kind, **options):
        saved.append(kind)
        save(image, file, kind, **options)

    monkeypatch.setattr(Pillow.Image, "save", counted)
    blobs = Blobs(tmp_path)
    name = blobs.put_image(grey(0.5))
    assert blobs.put_image(grey(0.5)) == name
    assert blobs.put_image(grey(0.5).repeat(1, 2, 1)) != name
    assert saved == ["WEBP", "WEBP"], "as many as there are images"
    blobs.path(name).write_bytes(b"")
    assert blobs.put_image(grey(0.5)) == name
    assert blobs.intact(name)


def test_what_was_not_asked_for_longest_goes_first_and_nothing_too_large_stays():
    recent: Recent[str, str] = Recent(3)
    for key in "abc":
        recent.keep(key, key)
    assert recent.get("a") == "a"
    recent.keep("d", "d")
    assert [recent.get(key) for key in "abcd"] == ["a", None, "c", "d"]
    recent.keep("a", "larger", 3)
    assert [recent.get(key) for key in "acd"] == ["larger", None, None]
    assert recent.keep("e", "too large", 4) == "too large"
    assert [recent.get(key) for key in "ae"] == [None, None]
