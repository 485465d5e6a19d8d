"""A frozen CLIP of any class that open_clip knows."""

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image as Pillow
from torch import Tensor
from torch.nn import functional

from frostbench.plugins.backbones import weights
from frostbench.plugins.backbones.clip_published import is_script
from frostbench.plugins.backbones.devices import device_of, dtype_of
from frostbench.plugins.backbones.entry import (
    BackboneEntry,
    check_weight_file,
    check_weight_files,
    expanded_file,
    is_folder_name,
    offline,
    own_code,
)
from frostbench.plugins.backbones.numberless import emptied
from frostbench.plugins.contract.images import to_pillow

LOCAL = "local-dir:"
_PRECISION = {"float32": "fp32", "bfloat16": "pure_bf16", "float16": "pure_fp16"}


class Clip:
    """A pair of an image and a text tower.

    Attributes:
        model: The network, frozen, in evaluation mode.
        tokenizer: `(list[str]) -> Int[b context]`.
        identity: Its name, and where its weights came from.
        image_size: Height and width of the images that the image tower reads.
    """

    def __init__(self, model: Any, tokenizer: Any, identity: str) -> None:
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.identity = identity
        self._config: dict[str, Any] = dict(model.visual.preprocess_cfg)
        size = self._config["size"]
        height, width = (size, size) if isinstance(size, int) else size
        self.image_size: tuple[int, int] = (int(height), int(width))

    @classmethod
    def load(cls, entry: BackboneEntry, device: str = "cpu") -> "Clip":
        """Load from a local folder, or by the name of one of open_clip's models.

        `source` is a folder with `open_clip_config.json` and weights (also as "local-dir:FOLDER"),
        "NAME:FILE" for a model of open_clip with a local weight file, or "NAME:TAG" for one whose
        weights are in the local cache. A folder's `open_clip_model.safetensors` may be kept with a
        byte a number (see `precision`). Nothing is downloaded.

        Raises:
            ValueError: the folder, a file or the model is missing, or damaged; the message says
                which.
        """
        import open_clip

        place = device_of(device)
        dtype_of(entry.dtype)
        if entry.dtype not in _PRECISION:
            raise ValueError(f"a CLIP runs in {', '.join(_PRECISION)}, not in {entry.dtype}.")
        name, pretrained = _source(entry.source)
        if pretrained and is_script(Path(pretrained)):
            raise ValueError(
                f"{pretrained} is OpenAI's archive of a CLIP, whose weights want QuickGELU; make a "
                f"folder of it with `frostbench convert clip {pretrained} out=FOLDER`."
            )
        file = Path(name.removeprefix(LOCAL)) / "open_clip_model.safetensors"
        expanded = expanded_file(file)
        try:
            with offline(), _unwarned(expanded is not None):
                model = open_clip.create_model(
                    name,
                    pretrained=pretrained,
                    load_weights=expanded is None,
                    precision=_PRECISION[entry.dtype],
                    device=place,
                    pretrained_text=False,
                    require_pretrained=expanded is None,
                )
                if expanded is not None:
                    weights.fill(model, expanded, str(file))
                tokenizer = open_clip.get_tokenizer(name)
        except Exception as error:
            if said := own_code(error, entry.source):
                raise ValueError(said) from error
            reason = (str(error).strip().splitlines() or ["no message"])[0]
            raise ValueError(
                f"no CLIP can be loaded from {entry.source!r}: {type(error).__name__}: {reason}"
            ) from error
        return cls(model, tokenizer, entry.source)

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        device: torch.device = next(iter(self.model.parameters())).device
        return device

    @torch.no_grad()
    def encode_image(
        self, images: Float[Tensor, "b 3 _h _w"], normalise: bool = False, rounded: bool = False
    ) -> Float[Tensor, "b d"]:
        """Embeddings of images in [0, 1], in float32, of length 1 if `normalise`.

        They are resized, cropped and normalised as the model's own preprocessing does; `rounded`
        as for `preprocess`.
        """
        ready = self.preprocess(images.to(self.device, torch.float32), rounded)
        dtype = next(iter(self.model.visual.parameters())).dtype
        features = self.model.encode_image(ready.to(dtype), normalize=normalise)
        return features.float()  # type: ignore[no-any-return]

    @torch.no_grad()
    def encode_cells(
        self, images: Float[Tensor, "b 3 _h _w"], rounded: bool = False
    ) -> Float[Tensor, "b n d"]:
        """Features of images in [0, 1] before they are pooled: cells row by row, in float32.

        Those of a ResNet stand before its attention pooling; those of a transformer after its last
        norm, without class tokens. Images are prepared as for `encode_image`.

        Raises:
            ValueError: open_clip does not give the cells of this image tower.
        """
        visual = self.model.visual
        if not hasattr(visual, "forward_intermediates"):
            raise ValueError(f"CLIP {self.identity}, a {type(visual).__name__}, shows no cells.")
        ready = self.preprocess(images.to(self.device, torch.float32), rounded)
        dtype = next(iter(visual.parameters())).dtype
        seen = visual.forward_intermediates(
            ready.to(dtype), indices=1, normalize_intermediates=True, intermediates_only=True
        )
        cells: Tensor = seen["image_intermediates"][-1]
        return cells.flatten(2).mT.float()

    @torch.no_grad()
    def encode_text(self, texts: Sequence[str], normalise: bool = False) -> Float[Tensor, "b d"]:
        """Embeddings of texts, in float32, of length 1 if `normalise`."""
        ids = self.tokenizer(list(texts)).to(self.device)
        features = self.model.encode_text(ids, normalize=normalise)
        return features.float()  # type: ignore[no-any-return]

    def preprocess(
        self, images: Float[Tensor, "b 3 _h _w"], rounded: bool = False
    ) -> Float[Tensor, "b 3 rows columns"]:
        """Images in [0, 1], prepared for the image tower.

        The same steps as open_clip's own for image files, without their rounding to 8 bits unless
        `rounded`.
        """
        resize = _resized_file if rounded else _resized
        fitted = _fit(images, self.image_size, self._config, resize)
        mean = torch.tensor(self._config["mean"], device=images.device)[:, None, None]
        std = torch.tensor(self._config["std"], device=images.device)[:, None, None]
        return (fitted - mean) / std


@contextlib.contextmanager
def _unwarned(filled: bool) -> Iterator[None]:
    """Silence the warning of random weights, which are filled in next."""
    before = logging.root.manager.disable
    if filled:
        logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _fit(
    images: Float[Tensor, "b 3 _h _w"],
    size: tuple[int, int],
    config: dict[str, Any],
    resize: Callable[..., Tensor],
) -> Float[Tensor, "b 3 _rows _columns"]:
    """Resize by the configured mode: "shortest" side and crop, "longest" side and pad, "squash"."""
    from torchvision.transforms.functional import center_crop

    height, width = images.shape[-2:]
    rows, columns = size
    mode = config.get("resize_mode") or "shortest"
    by = config.get("interpolation") or "bicubic"
    if mode == "squash":
        return resize(images, rows, columns, by)
    ratios = rows / height, columns / width
    if mode == "shortest":
        scale = max(ratios)
        # torchvision cuts the longer side to a whole number; open_clip rounds where not square.
        whole = int if rows == columns else round
        resized = resize(
            images,
            rows if scale == ratios[0] else whole(height * scale),
            columns if scale == ratios[1] else whole(width * scale),
            by,
        )
        return center_crop(resized, [rows, columns])  # type: ignore[no-any-return]
    scale = min(ratios)
    resized = resize(images, round(height * scale), round(width * scale), by)
    down, right = rows - resized.shape[-2], columns - resized.shape[-1]
    edges = [right // 2, right - right // 2, down // 2, down - down // 2]
    return functional.pad(resized, edges, value=float(config.get("fill_color", 0)) / 255)


def _resized(
    images: Float[Tensor, "b 3 _h _w"], rows: int, columns: int, mode: str
) -> Float[Tensor, "b 3 {rows} {columns}"]:
    """Resized in floats."""
    if images.shape[-2:] == (rows, columns):
        return images
    size = (rows, columns)
    resized = functional.interpolate(images, size, mode=mode, align_corners=False, antialias=True)
    return resized.clamp(0, 1)


def _resized_file(
    images: Float[Tensor, "b 3 _h _w"], rows: int, columns: int, mode: str
) -> Float[Tensor, "b 3 {rows} {columns}"]:
    """Resized by Pillow, which rounds to 8 bits a channel, as image files are."""
    method = Pillow.Resampling[mode.upper()]
    files = (to_pillow(image).resize((columns, rows), method) for image in images)
    levels = torch.stack([torch.from_numpy(np.array(file)).permute(2, 0, 1) for file in files])
    return levels.to(images.device) / 255


def without_numbers(name: str) -> Clip:
    """One of open_clip's models, made where networks have no numbers."""
    import open_clip

    def build() -> Any:
        with _unwarned(True):
            return open_clip.create_model(
                name, load_weights=False, pretrained_image=False, device="meta"
            )

    model = emptied(build)
    return Clip(model, None, name)


def _source(source: str) -> tuple[str, str | None]:
    """The name and the weights that open_clip wants.

    Raises:
        ValueError: a folder or file is missing or damaged, or a model has no known weights.
    """
    import open_clip

    local = source.removeprefix(LOCAL)
    folder = Path(local).expanduser()
    if source.startswith(LOCAL) or folder.is_dir() or (is_folder_name(local) and ":" not in local):
        if not (folder / "open_clip_config.json").is_file():
            raise ValueError(
                f"no CLIP at {folder}: a folder with open_clip_config.json and weights is wanted. "
                "Of OpenAI's archive or transformers' folder `frostbench convert clip` makes one."
            )
        check_weight_files(folder)
        return LOCAL + str(folder), None
    name, _, weights = source.partition(":")
    if name not in open_clip.list_models():
        raise ValueError(
            f"no CLIP named {name!r} in open_clip, and no folder of that name; "
            "open_clip.list_models() names those there are."
        )
    tags = open_clip.list_pretrained_tags_by_model(name)
    weights = weights or ("openai" if "openai" in tags else "")
    if not weights:
        raise ValueError(
            f"which weights? CLIP {name!r} has {', '.join(tags) or 'no published ones'}; "
            f"write {name}:TAG, or {name}:FILE for a local file."
        )
    if weights not in tags and not Path(weights).expanduser().is_file():
        raise ValueError(
            f"no weight file at {weights}, and no published weights of that name; CLIP {name!r} "
            f"has {', '.join(tags) or 'none'}."
        )
    if weights in tags:
        _check_cached(name, weights)
        return name, weights
    file = Path(weights).expanduser()
    if file.suffix == ".safetensors":
        check_weight_file(file)
    return name, str(file)


def _check_cached(name: str, tag: str) -> None:
    """open_clip would download weights that are only published at a plain address."""
    import open_clip

    config = open_clip.get_pretrained_cfg(name, tag)
    if not config.get("hf_hub") and config.get("url"):
        file = Path("~/.cache/clip").expanduser() / config["url"].rsplit("/", 1)[-1]
        if not file.is_file():
            raise ValueError(
                f"the weights {tag!r} of CLIP {name!r} are not at {file}; nothing is downloaded "
                f"unasked: get them from {config['url']}."
            )
