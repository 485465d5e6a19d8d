"""Every script of benchmarks/, as it is called and at its smallest size."""

import importlib
import json
import runpy
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from language_models import language_model
from transformers import LlamaForCausalLM

FOLDER = Path(__file__).parents[2] / "benchmarks"
ENGINE = "time divided by"  # printed once the engine's answers were found to be the plain loop's
RUN = "methods=vqgan tasks=reconstruction limit=1 controls=false"
SMALLEST = {
    "alone": ("", ""),  # these three are imported by others
    "rivals": ("", ""),
    "cards": ("", ""),
    "board": ("--methods 3 --tasks 2 --samples 4", "write pages"),
    "records": ("--records 400 --tasks 2 --seal 40", '"step": "seal"'),
    "engine_vs_loop": ("--images 1 --side 4 --repeats 1 --threads 1 --explain", ENGINE),
    "regress_vs_naive": (
        "--prompts 2 --tokens 8 --steps 4 --width 64 --layers 1 --repeats 1 --threads 1",
        ENGINE,
    ),
    "attend_vs_eager": (
        "--layers 1 --of 2 --width 64 --heads 4 --tokens 64 --patches 40 --words 4 --repeats 1 "
        "--threads 1",
        ENGINE,
    ),
    "fill_vs_rows": (
        "--layers 2 --width 32 --heads 2 --tokens 12 --groups 5 --slots 3 --repeats 1 "
        "--convolutions --threads 1",
        ENGINE,
    ),
    "coverage": ("1", "Equal rows told apart"),
    "coverage_detections": ("1 40", "Equal rows told apart"),
    "frozen_cost": (RUN, "a look at all backbones reads"),
    "isolation": (RUN, "equal but for seconds, joules and bytes"),
}
"""Options with which a script takes a moment, and what it then says."""

CARD = (
    "--device cpu --width 64 --layers 2 --heads 4 --vocabulary 2048 --square 64 "
    "--copied 4096 --images 1 --side 4 --prompts 3 --length 12 --new 4 --features 32 --steps 5 "
    "--regressed 2 --tokens 64 --patches 40 --words 4 --rows 4 --row 8 --plain 2 --repeats 1 "
    "--dtype float32"
)
BELOW = {"gpu", "large_set", "workers"}  # of which more is asked


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs a script as the command line does, and gives what it printed."""
    threads = torch.get_num_threads()

    def run(name, *options):
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *options])
        monkeypatch.syspath_prepend(str(FOLDER))
        code = None
        try:
            runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
        except SystemExit as ended:
            code = ended.code
        assert not code
        return capsys.readouterr().out

    yield run
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", sorted({path.stem for path in FOLDER.glob("*.py")} - BELOW))
def test_every_benchmark_ends_well_at_its_smallest_size(run, name):
    options, said = SMALLEST[name]
    assert said in run(name, *options.split())


def test_the_benchmark_of_a_card_runs_whole_on_a_cpu(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    out = tmp_path / "results" / "toy.json"
    run("gpu", *CARD.split(), "--out", str(out))
    found = json.loads(out.read_text())
    for figures in (found["exact"], found["figures"]):
        for name, figure in figures.items():
            # Answers of float32 are the loop's, whatever the sizes.
            assert figure.get("equal", 1) == 1, name
            assert figure.get("differs", 0) < 1e-5, name
    assert found["limits"]["matmul_flops"] > 0
    left = {name: one["not_measured"] for name, one in found["figures"].items() if len(one) == 1}
    assert left.keys() == {"too large a batch", "vLLM, V2L deblurring", "vLLM, continuation"}
    assert "this is cpu" in left["too large a batch"]
    assert "vLLM is not installed" in left["vLLM, continuation"]
    for name in ("V2L deblurring", "continuation", "Regress", "Attend"):
        one = found["figures"][name]
        assert one["of_peak"] > 0, name
        assert one["peak_bytes"] > 0 < one["plain"]["peak_bytes"], name
        assert {"joules", "tokens_per_second", "ratio"} <= one.keys(), name
    page = run("gpu", "--table", str(out))
    rows = [line for line in page.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == len(found["figures"])
    assert [row for row in rows if "not measured: " in row] == [rows[4], *rows[6:]]
    assert all(row.count("|") == 12 for row in rows)
    assert "float32" in page


@pytest.fixture
def rivals(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("rivals")


def test_vllm_is_given_our_weights_and_asked_what_the_engine_is_asked(rivals, monkeypatch):
    class LLM:
        """What vLLM documents of its offline interface, answered by transformers."""

        def __init__(self, model, skip_tokenizer_init, dtype, max_model_len):
            assert skip_tokenizer_init
            assert dtype == "float32"
            assert max_model_len == 32
            self.model = LlamaForCausalLM.from_pretrained(model, local_files_only=True)
            self.kept = True

        def reset_prefix_cache(self):
            self.kept = False

        def generate(self, prompts, asked, use_tqdm):
            assert not self.kept
            self.kept = True
            rows = [tuple(one["prompt_token_ids"]) for one in prompts]
            answers = rivals.generated(self.model, rows, asked.max_tokens)
            return [SimpleNamespace(outputs=[SimpleNamespace(token_ids=a)]) for a in answers]

    vllm = ModuleType("vllm")
    vllm.LLM, vllm.SamplingParams = LLM, lambda **asked: SimpleNamespace(**asked)
    monkeypatch.setitem(sys.modules, "vllm", vllm)
    lm = language_model("llama")
    rows = [(5, 6, 7), (8, 9, 10)]
    with rivals.vllm_of(lm.model, lm.device, 32) as engine:
        seconds, answers = rivals.asked_of_vllm(engine, rows, 3)()
    assert seconds > 0
    assert answers == rivals.generated(lm.model, rows, 3)


def test_a_card_without_room_is_not_filled(rivals, monkeypatch):
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1 << 30, 1 << 31))
    card = torch.device("cuda", 0)
    said = r"1073741824 bytes of cuda:0 are free, fewer than --rest=2147483648"
    with pytest.raises(rivals.NotMeasuredError, match=said), rivals.filled(card, 1 << 31):
        pass


def test_the_page_of_results_says_what_the_files_hold(run):
    files = sorted(map(str, (FOLDER / "results").glob("*.json")))
    assert files
    assert run("gpu", "--table", *files) == (FOLDER / "RESULTS.md").read_text()


def test_the_benchmark_of_a_large_set_reads_nothing_twice(run):
    said = run("large_set", "--images", "3", "--side", "16", "--metrics", "['psnr[rgb]']")
    first, second = (line for line in said.splitlines() if line.startswith("3 images"))
    assert "3 files hashed, 3 images through the tokenizer, 0 kept" in first
    assert "0 files hashed, 0 images through the tokenizer, 3 kept" in second


def test_the_benchmark_of_a_large_set_says_what_the_token_cache_alone_costs(run):
    said = run("large_set", "--images", "--tokens", "70")
    assert said.startswith("70 images of 257 tokens: ")
    assert "at most 3 entries in a folder" in said


def test_two_workers_store_what_one_process_does(run):
    words = "tasks=inpainting methods=vqgan limit=2 chunk=1 controls=false"
    said = run("workers", *words.split())
    assert "2 workers: " in said
    assert "time divided by" in said
    assert "0 of 4 samples differ" in said
