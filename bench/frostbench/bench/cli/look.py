"""`frostbench look`: an image in a method's words."""

from pathlib import Path
from typing import TYPE_CHECKING

from frostbench.bench.cli.config import LookConfig, RunConfig, UsageError, read_config, split_words
from frostbench.bench.cli.plugins import open_host
from frostbench.bench.printable import say
from frostbench.plugins.host.errors import PluginError, PluginFailedError

if TYPE_CHECKING:
    from frostbench.bench.runner.plan import PlannedMethod
    from frostbench.plugins.contract.method import Method


def look_command(words: list[str]) -> int:
    """Print the words of one image, and write the page that shows them on it."""
    plain, overrides = split_words(words, LookConfig)
    config = read_config(LookConfig, [_as_methods(word) for word in overrides])
    out = _checked(plain, config)
    host = open_host(config)

    from rich.console import Console

    from frostbench.bench.cli.assemble import (
        choose_methods,
        find_pack,
        open_backbones,
        plan_method,
    )
    from frostbench.bench.cli.parts import open_engine, open_metrics
    from frostbench.bench.look.image import find_image
    from frostbench.bench.look.page import page
    from frostbench.bench.look.reading import read
    from frostbench.bench.look.terminal import show
    from frostbench.bench.store.atomic import write_whole

    run = RunConfig(
        pack=config.pack,
        llm=config.llm,
        methods=list(dict.fromkeys(config.methods)),
        device=config.device,
        plugins=config.plugins,
        method=config.method,
    )
    pack = find_pack(run.pack, host)
    chosen = choose_methods(run, host, pack)
    seen = find_image(plain[0], pack, host)
    backbones = open_backbones(run, host, pack)
    engine = open_engine(run, host, backbones)
    methods = [_built(plan_method(run, pack, backbones, item)) for item in chosen]
    (psnr,) = open_metrics(run, host, backbones, {"look": ["psnr[rgb]"]}).values()
    readings = [read(method, seen.image, config.words, engine, psnr.function) for method in methods]
    if out is not None:  # before printing, which a reader may cut short
        write_whole(out, page(seen, readings).encode(errors="backslashreplace"), sync=False)
    show(Console(highlight=False), seen, readings)
    if out is not None:
        say(f"\n{out}: the words on the image, the nearest to each, and reconstructions")
    return 0


def _checked(plain: list[str], config: LookConfig) -> Path | None:
    """The file of the page.

    Raises:
        UsageError: no image or several are named, or the page is no page.
    """
    if len(plain) != 1:
        raise UsageError(
            "look at one image: frostbench look IMAGE, where IMAGE is a file, or one of the "
            "pack's images: portrait:NAME, scene:NUMBER, photo:NUMBER."
        )
    if not config.out:
        return None
    out = Path(config.out)
    if out.suffix.lower() not in {".html", ".htm"}:
        raise UsageError(f"out={config.out}: the page is a file; give it a name like look.html.")
    return out


def _built(planned: "PlannedMethod") -> "Method":
    """Build the method; errors of its author's code name it."""
    from frostbench.plugins.host.containment import Call, contain
    from frostbench.plugins.host.errors import describe

    try:
        return contain(Call("method", planned.card.name, "build"), planned.build)
    except (ValueError, OSError, PluginError):
        raise
    except Exception as error:
        if isinstance(error, LookupError) and not isinstance(error, KeyError):
            raise
        raise PluginFailedError(
            f"method {planned.card.name!r}, build: {describe(error)}"
        ) from error


def _as_methods(word: str) -> str:
    """Accept `method=v2l` for `methods=v2l`."""
    key, _, value = word.partition("=")
    return f"methods={value}" if key == "method" else word
