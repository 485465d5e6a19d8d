import io
import json
import re
from dataclasses import replace

import pytest
from rich.console import Console
from stored_runs import changed

from frostbench.bench.cli import main
from frostbench.bench.comparison import chosen, compared_runs, write_comparison
from frostbench.bench.comparison.exhibits import cases
from frostbench.bench.comparison.page import page
from frostbench.bench.comparison.sentences import drift, verdict
from frostbench.bench.comparison.sources import subjects
from frostbench.bench.comparison.terminal import blocks
from frostbench.bench.statistics import Inference, Sums, compare
from frostbench.bench.store.manifest import BackboneFacts

INPAINTING = {"task": "inpainting", "protocol": "held_out_context", "method": "v2l"}


@pytest.fixture(scope="module")
def good(synthetic):
    return synthetic(samples=26)


@pytest.fixture(scope="module")
def bad(synthetic):
    return synthetic(samples=26, skill=0.4)


@pytest.fixture(scope="module")
def worse(good, bad):
    return compared_runs(good, bad, ("good", "bad"))


def spot(comparison, metric=None, control=None, **wanted):
    (found,) = [
        one
        for one in comparison.contrasts
        if all(getattr(one.spot, key) == value for key, value in wanted.items())
        and one.spot.control == control
        and (metric is None or one.metric.id == metric)
    ]
    return found


def printed(comparison, coloured=False, width=300):
    out = io.StringIO()
    console = Console(file=out, width=width, color_system="truecolor" if coloured else None)
    for block in blocks(comparison, coloured):
        console.print(block)
    return out.getvalue()


def test_a_run_is_the_same_as_itself(good):
    same = compared_runs(good, good, ("a", "b"), whole=True)
    assert {one.outcome for one in same.contrasts} == {"same"}
    assert same.subjects == ()
    assert "and their scores are the same" in drift(same)
    text = printed(same)
    assert "The manifests do not differ" in text
    assert "where the two differ most" not in text


def test_a_difference_is_of_the_second_less_the_first_on_common_samples(worse, good, bad):
    one = spot(worse, **INPAINTING)
    values = {
        run.folder: {
            record.sample: record.scores["psnr[rgb]"]
            for record in run.records()
            if (record.task, record.protocol, record.method, record.control)
            == ("inpainting", "held_out_context", "v2l", None)
        }
        for run in (good, bad)
    }
    first, second = values[good.folder], values[bad.folder]
    apart = sum(second.values()) / 26 - sum(first.values()) / 26
    assert one.outcome == "worse"
    assert one.test.difference.value == pytest.approx(apart)
    assert one.test.difference.low < apart < one.test.difference.high < 0
    assert (one.samples, one.lone, one.answers, len(one.changed)) == (26, 0, 26, 26)
    assert spot(worse, **{**INPAINTING, "method": "vqgan"}).outcome == "same"
    assert f"{sum(second.values()) / 26:.2f}" in printed(worse)


def test_all_that_is_shown_is_one_family(worse):
    assert worse.family == len(worse.contrasts) == 18
    alone = compared_runs(*worse.runs, worse.names, methods={"v2l": "v2l"})
    assert alone.family == 9
    one, same = spot(worse, **INPAINTING), spot(alone, **INPAINTING)
    assert same.test.p < one.test.p
    assert f"corrected by Holm over all {worse.family}" in verdict(worse)


def test_controls_and_other_metrics_are_looked_at_on_request(good, bad, worse):
    whole = compared_runs(good, bad, ("good", "bad"), whole=True)
    assert whole.family > worse.family
    distance = spot(whole, "fid[mini]", **INPAINTING)
    assert distance.test.p == 1.0  # of whose parts nothing is known
    assert distance.test.difference.value > 0
    ceiling = spot(whole, "psnr[rgb]", "ceiling", **INPAINTING)
    assert ceiling.spot.label == "ceiling[v2l]"
    lpips = spot(whole, "lpips[mini]", **INPAINTING)
    assert (lpips.test.sign, lpips.outcome) == (1, "worse")


def test_samples_in_one_run_alone_are_counted_and_left_out(good, synthetic):
    fewer = changed(good, [r for r in good.records() if not r.sample.endswith("13")])
    one = spot(compared_runs(good, fewer, ("a", "b")), **INPAINTING)
    assert (one.samples, one.lone, one.outcome) == (25, 1, "same")


def test_failed_samples_are_no_pair(good):
    broken = [
        replace(r, status="failed", scores={}, features={}, error="no memory.")
        if r.sample == "inpainting-004"
        else r
        for r in good.records()
    ]
    one = spot(compared_runs(good, changed(good, broken), ("a", "b")), **INPAINTING)
    assert (one.samples, one.lone, one.answers) == (25, 1, 1)


def test_another_target_or_cluster_is_another_sample(good):
    moved = [
        replace(r, cluster="elsewhere") if r.sample == "inpainting-004" else r
        for r in good.records()
    ]
    one = spot(compared_runs(good, changed(good, moved), ("a", "b")), **INPAINTING)
    assert (one.samples, one.lone) == (25, 1)


def test_under_another_seed_only_equal_images_are_the_same_sample(good):
    other = changed(good, seed=1)
    comparison = compared_runs(good, other, ("a", "b"))
    named = spot(comparison, task="few_shot_classification", protocol="2-way 1-shot", method="v2l")
    assert named.outcome == "apart"
    assert named.reason == "another seed or other data: there is nothing to pair."
    assert spot(comparison, **INPAINTING).samples == 26
    assert f"few shot classification 5-way 1-shot: {named.reason}" in printed(comparison)


def test_a_metric_that_looks_through_other_weights_is_not_compared(good):
    facts = replace(good.manifest.backbones["perceptual"], sha256_before="aa" * 32)
    other = changed(good, backbones={**good.manifest.backbones, "perceptual": facts})
    comparison = compared_runs(good, other, ("a", "b"), whole=True)
    one = spot(comparison, "lpips[mini]", **INPAINTING)
    assert (one.outcome, one.reason) == ("apart", "lpips[mini] looks through other weights.")
    assert spot(comparison, "psnr[rgb]", **INPAINTING).outcome == "same"


def test_every_source_of_a_number_is_named_where_it_differs(good):
    old = good.manifest
    llm = BackboneFacts("causal_lm", "other", "float16", 9, "22" * 32)
    v2l = replace(old.methods["v2l"], settings={"words": 3}, weights={"a": "cd" * 32})
    new = replace(
        old,
        seed=3,
        device="cuda:0",
        config={**old.config, "chunk": 5, "engine": {"name": "frozen", "max_batch": 2}},
        versions={**old.versions, "torch": "2.16.0"},
        hardware=replace(old.hardware, cpu="Another CPU", accelerator="A card"),
        backbones={**old.backbones, "llm": llm},
        methods={**old.methods, "v2l": v2l},
        data={**old.data, "photo_crops": "dc" * 32},
    )
    found = {
        (subject.name, ".".join(one.place))
        for subject in subjects(old, new)
        for one in subject.differences
    }
    assert found == {
        ("seed", "seed"),
        ("machine", "device"),
        ("machine", "cpu"),
        ("machine", "accelerator"),
        ("batching", "chunk"),
        ("batching", "engine.max_batch"),
        ("batching", "engine.name"),
        ("number types", "llm"),
        ("versions", "torch"),
        ("models", "llm.source"),
        ("models", "llm.weights"),
        ("methods", "v2l.settings.words"),
        ("methods", "v2l.weights.a"),
        ("methods", "v2l.weights.model.safetensors"),
        ("data", "photo_crops"),
    }


def test_a_method_is_held_against_another_of_the_second_run(good):
    assert chosen(["v2l:vqgan"], good, good) == {"v2l": "vqgan"}
    comparison = compared_runs(good, good, ("a", "a"), methods={"v2l": "vqgan"})
    one = spot(comparison, **INPAINTING)
    assert one.spot.label == "v2l (A), vqgan (B)"
    assert one.outcome in ("worse", "tied")
    with pytest.raises(LookupError, match="no method named 'v3l'; it has v2l, vqgan"):
        chosen(["v2l:v3l"], good, good)


def test_the_samples_that_differ_most_are_shown_first_with_what_either_run_made(worse, good, bad):
    shown = {case.contrast.spot: case for case in cases(worse)}
    case = shown[spot(worse, **INPAINTING).spot]
    gaps = [abs(one.second - one.first) for one in case.contrast.changed]
    assert gaps == sorted(gaps, reverse=True)
    assert [one.sample for one in case.exhibits] == [
        one.before.sample for one in case.contrast.changed[:3]
    ]
    exhibit = case.exhibits[0]
    assert {tile.role for tile in exhibit.given} == {"given", "target"}
    first, second = (side.tile.picture for side in exhibit.sides)
    assert first != second
    good.image(first)
    bad.image(second)
    named = next(c for s, c in shown.items() if s.task == "few_shot_classification")
    texts = {side.text for side in named.exhibits[0].sides}
    assert len(texts) == 2
    assert named.exhibits[0].target in texts


def test_images_are_drawn_in_a_terminal_that_has_colours(worse):
    assert "▀" in printed(worse, coloured=True)
    assert "▀" not in printed(worse)


def test_the_page_is_one_file_with_its_images(worse, tmp_path):
    write_comparison(worse, tmp_path / "page")
    text = (tmp_path / "page" / "index.html").read_text()
    assert {path.name for path in (tmp_path / "page").iterdir()} == {
        "index.html",
        "comparison.json",
    }
    assert text.count("data:image/webp;base64,") >= 8
    links = re.findall(r'(?:src|href)="(?!data:|#)([^"]*)"', text)
    assert set(links) == {"comparison.json"}
    assert "▼ worse" in text
    data = json.loads((tmp_path / "page" / "comparison.json").read_text())
    assert len(data["contrasts"]) == data["family"] == 18
    write_comparison(worse, tmp_path / "page")


def test_names_from_a_folder_are_escaped(good):
    name = "<script>alert(1)</script>"
    methods = {name if k == "v2l" else k: v for k, v in good.manifest.methods.items()}
    records = [
        replace(r, method=name, prediction=replace(r.prediction, text=f"{name}\x1b[31m"))
        if r.method == "v2l" and r.prediction.text
        else r
        for r in good.records()
    ]
    wrong = [
        replace(r, scores={m: 1 - s for m, s in r.scores.items()}) if r.method == name else r
        for r in records
    ]
    one, two = (changed(good, rows, methods=methods) for rows in (records, wrong))
    comparison = compared_runs(one, two, (name, "b"))
    assert "<script>alert" not in page(comparison)
    assert "\x1b" not in printed(comparison)


def test_the_test_is_that_of_the_board():
    one = Sums.of_means([(f"{i}", f"{i}", 0.0 + i % 3) for i in range(12)])
    two = Sums.of_means([(f"{i}", f"{i}", 1.0 + i % 3) for i in range(12)])
    (found,) = compare([(two, one)], Inference())
    assert (found.sign, found.difference.value) == (1, 1.0)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "compare takes two runs, not 0"),
        (["A"], "compare takes two runs, not 1"),
        (["A", "A", "A"], "compare takes two runs, not 3"),
        (["A", "A", "previous=true"], "previous=true takes one run"),
        (["A", "previous=true"], "has no run before it"),
        (["A", "nowhere"], "no run at nowhere"),
        (["A", "A", "methods=v2k"], "no method named 'v2k'"),
        (["A", "A", "method=v2l"], "no key named 'method'"),
        (["A", "B"], "share no method with a task"),
    ],
)
def test_what_cannot_be_compared_ends_in_one_sentence(words, sentence, good, tmp_path, capsys):
    manifest = json.loads((good.folder / "manifest.json").read_text())
    manifest["methods"] = {}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    places = {"A": str(good.folder), "B": str(tmp_path)}
    assert main(["compare", *(places.get(word, word) for word in words)]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


def test_the_command_prints_plain_text_and_writes_a_page(good, bad, tmp_path, capsys):
    assert main(["compare", str(good.folder), str(bad.folder), f"out={tmp_path / 'page'}"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"A  {good.folder}: finished")
    assert "inpainting held_out_context" not in text
    assert re.search(r"inpainting held out context +v2l +psnr\[rgb\] ↑, dB +\d", text)
    assert not any(line.endswith(" ") for line in text.splitlines())
    assert (tmp_path / "page" / "index.html").is_file()
