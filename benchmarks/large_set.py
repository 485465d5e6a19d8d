"""What a large folder of images costs: memory, hashing, and tokens that are kept.

    python benchmarks/large_set.py [--images 500 5000] [--side 256] [--folder FOLDER]
    python benchmarks/large_set.py --images --tokens 50000

JPEGs are made from a seed and run through `reconstruction` with a method that needs no model (mean
colours of 257 cells, the tokens of V2L-Tokenizer in number), twice, each run in a process of its
own. Printed are peak memory, which should not grow with the number of images; what the second run
hashes and tokenizes, which should be nothing; and the size of the token
cache, with the largest number of entries in one of its folders. FID is among the metrics, since it
needs all images' features.

With `--tokens N` the cache alone is filled, with 257 ids for each of N images in batches as a run
keeps them, then opened anew and asked for images in a random order.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PLUGIN = '''
import torch
from torch.nn.functional import adaptive_avg_pool1d, interpolate
from frostbench.plugins import Card, Continuous, ImagePrediction, Method, VisualTokens, hookimpl


class Means(Method):
    """The mean colours of 257 stripes."""

    card = Card("means", "a benchmark", capabilities=frozenset({"Reconstruct"}), backbones=())
    fingerprint = "0" * 64

    @classmethod
    def build(cls, setup):
        return cls()

    @classmethod
    def toy(cls):
        return cls()

    def tokenize(self, images, sizes):
        return VisualTokens({"means": Continuous(adaptive_avg_pool1d(images.flatten(2), 257).mT)})

    def prompt(self, request, tokens):
        return tokens[request.image].parts["means"].features
        yield

    def decode(self, requests, outcomes):
        made = []
        for request, means in zip(requests, outcomes):
            height, width = request.image.size
            flat = interpolate(means.mT, size=height * width)[0]
            made.append(ImagePrediction(flat.view(3, height, width).clamp(0, 1)))
        return made


@hookimpl
def frostbench_methods():
    return [Means]
'''

CHILD = """
import resource, sys
from frostbench.bench.cli import main
from frostbench.bench.store import hashes
read = []
kept = hashes.sha256_of
hashes.sha256_of = lambda path: read.append(path) or kept(path)
status = main(sys.argv[1:])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
words = (word.partition("=") for word in sys.argv)
data = next(value for key, _, value in words if key == "data.images.folder")
print("FIGURES", status, peak, sum(str(path).startswith(data) for path in read))
"""


def make_images(folder: Path, count: int, side: int) -> None:
    """Smooth random JPEGs, `count` of them in all."""
    import numpy as np
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        path = folder / f"{number // 1000:03d}" / f"{number:06d}.jpg"
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            draw = np.random.default_rng(number)
            coarse = Image.fromarray(draw.integers(0, 256, (6, 6, 3), np.uint8))
            coarse.resize((side, side), Image.Resampling.BICUBIC).save(path, quality=90)
    # What was written just now is not remembered as hashed.
    time.sleep(2.5)


def run(folder: Path, place: Path, out: str, side: int, metrics: str) -> dict[str, float]:
    """One run in a process of its own."""
    (place / "means.py").write_text(PLUGIN)
    words = [
        "run",
        f"plugins={place / 'means.py'}",
        "methods=means",
        "tasks=reconstruction",
        f"data.images.folder={folder}",
        f"data.images.side={side}",
        f"task.reconstruction.metrics={metrics}",
        "controls=false",
        "gallery=0",
        "quiet=true",
        "limit=1000000",
        f"out={place / out}",
    ]
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *words],
        env=dict(os.environ, XDG_CACHE_HOME=str(place / "cache")),
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - begun
    line = next((x for x in done.stdout.splitlines() if x.startswith("FIGURES")), "")
    if done.returncode or not line.startswith("FIGURES 0"):
        raise RuntimeError(done.stdout + done.stderr)
    _, _, peak, read = line.split()
    manifest = json.loads((place / out / "manifest.json").read_text())
    counts = manifest["tokenizer"]["means"]
    return {
        "seconds": seconds,
        "peak_bytes": int(peak),
        "hashed": int(read),
        "tokenized": counts["images"],
        "kept": counts["cached"],
    }


def cache_size(folder: Path) -> tuple[int, int]:
    """Bytes of the token cache, and the most entries of one of its folders."""
    size = most = 0
    for root, folders, files in os.walk(folder / "frostbench" / "tokens"):
        most = max(most, len(folders) + len(files))
        size += sum((Path(root) / file).stat().st_size for file in files)
    return size, most


def kept_tokens(place: Path, count: int, batch: int = 32, asked: int = 1000) -> str:
    """What a cache of so many images costs."""
    import torch

    from frostbench.bench.store.tokens import Kept, TokenStore
    from frostbench.plugins.contract.tokens import Grid, Ranked, VisualTokens

    draw = torch.Generator().manual_seed(0)
    folder = place / "frostbench" / "tokens"
    images = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(count)]
    store, begun = TokenStore(folder, "0" * 64, print), time.perf_counter()
    for start in range(0, count, batch):
        some = images[start : start + batch]
        ids = torch.randint(32000, (len(some), 257), generator=draw)
        parts = {"local": Grid(ids[:, :256].reshape(-1, 16, 16)), "global": Ranked(ids[:, 256:])}
        store.put(some, [Kept(one, 0.1) for one in VisualTokens(parts).split()])
    kept = time.perf_counter() - begun
    begun = time.perf_counter()
    store = TokenStore(folder, "0" * 64, print)
    opened = time.perf_counter() - begun
    order = torch.randperm(count, generator=draw)[:asked].tolist()
    begun = time.perf_counter()
    assert all(store.get(images[number]) is not None for number in order)
    looked_up = (time.perf_counter() - begun) / len(order)
    size, most = cache_size(place)
    return (
        f"{count} images of 257 tokens: {size / 1e6:.0f} MB, {size / count:.0f} bytes an image, at "
        f"most {most} entries in a folder; kept in {kept:.1f} s, opened in {opened:.2f} s, looked "
        f"up in {looked_up * 1e3:.2f} ms an image"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, nargs="*", default=[500, 5000])
    parser.add_argument("--tokens", type=int, default=0, help="images of the cache alone")
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--metrics", default="['psnr[rgb]','fid[mini]']")
    parser.add_argument("--folder", type=Path, help="where images and runs lie; kept if given")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        place = options.folder or Path(scratch)
        peaks = []
        for count in options.images:
            own = place / str(count)
            make_images(own / "images", count, options.side)
            for out in ("first", "second"):
                found = run(own / "images", own, out, options.side, options.metrics)
                peaks.append(found["peak_bytes"])
                print(
                    f"{count} images, {out} run: {found['seconds']:.0f} s, peak "
                    f"{found['peak_bytes'] / 1e6:.0f} MB, {found['hashed']} files hashed, "
                    f"{found['tokenized']} images through the tokenizer, {found['kept']} kept",
                    flush=True,
                )
            size, most = cache_size(own / "cache")
            print(
                f"  token cache: {size / 1e6:.1f} MB, {size / count:.0f} bytes an image, at most "
                f"{most} entries in a folder",
                flush=True,
            )
        if options.tokens:
            print(kept_tokens(place / "cache alone", options.tokens), flush=True)
        if peaks:
            print(f"peak of the most images over that of the fewest: {peaks[-2] / peaks[0]:.2f}")


if __name__ == "__main__":
    main()
