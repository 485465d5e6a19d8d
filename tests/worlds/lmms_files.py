"""Stand-ins of data sets in the layout in which lmms-eval's are published."""

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image as Pillow

PLUGIN = Path(__file__).with_name("bright_method.py")
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
OWNER = "lmms-lab-encoder"
SIDE = 16


def shade(level: int) -> Pillow.Image:
    """An image of one grey."""
    return Pillow.new("RGB", (SIDE, SIDE), (level, level, level))


def png(image: Pillow.Image) -> bytes:
    """Its file."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Rows as Parquet, as the Hub's are: images are bytes, which the schema says are images."""
    images = [name for name, value in rows[0].items() if isinstance(value, Pillow.Image)]
    plain = [
        {
            name: {"bytes": png(value), "path": f"{number}.png"} if name in images else value
            for name, value in row.items()
        }
        for number, row in enumerate(rows)
    ]
    table = pa.Table.from_pylist(plain)
    fields = [pa.field(one.name, IMAGE if one.name in images else one.type) for one in table.schema]
    features = {
        name: {"_type": "Image"} if name in images else _feature(table.schema.field(name).type)
        for name in table.schema.names
    }
    about = {"huggingface": json.dumps({"info": {"features": features}})}
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.cast(pa.schema(fields, metadata=about)), path)
    return path


def _feature(kind: pa.DataType) -> Any:
    if pa.types.is_list(kind):
        return {"_type": "List", "feature": _feature(kind.value_type)}
    return {"_type": "Value", "dtype": {"double": "float64"}.get(str(kind), str(kind))}


def pope(images: int = 4) -> list[dict[str, Any]]:
    """Two questions an image, one answered by yes and one by no; every image of another grey."""
    return [
        {
            "id": str(2 * number + turn),
            "question_id": str(2 * number + turn),
            "question": f"Is there a {thing} in the image?",
            "answer": ("yes", "no")[turn],
            "image_source": f"image {number}",
            "image": shade(30 + 40 * number),
            "category": "adversarial",
        }
        for number in range(images)
        for turn, thing in enumerate(("cat", "dog"))
    ]


def mme(images: int = 4) -> list[dict[str, Any]]:
    """Two questions an image, of two categories of perception and one of cognition."""
    kinds = ("existence", "count", "code_reasoning")
    return [
        {
            "question_id": f"{kinds[number % 3]}/{number}.png",
            "image": shade(20 + 40 * number),
            "question": f"Is this number {number} or {turn}? Please answer yes or no.",
            "answer": ("Yes", "No")[turn],
            "category": kinds[number % 3],
        }
        for number in range(images)
        for turn in range(2)
    ]


def ai2d(images: int = 4) -> list[dict[str, Any]]:
    """One question an image with four options."""
    return [
        {
            "question": f"What is shown in diagram {number}?",
            "options": ["a cat", "a dog", "a bird", "a fish"],
            "answer": str(number % 4),
            "image": shade(60 * number),
        }
        for number in range(images)
    ]


def gqa(root: Path, images: int = 3) -> Path:
    """GQA's two halves: questions, and the images that they name."""
    place = root / OWNER / "GQA"
    rows = [
        {
            "id": str(number),
            "imageId": f"n{number}",
            "question": f"Is it brighter than {number}?",
            "answer": "yes",
            "fullAnswer": "Yes, it is.",
        }
        for number in range(images)
    ]
    shown = [{"id": f"n{number}", "image": shade(60 * number)} for number in range(images)]
    write(place / "testdev_balanced_instructions" / "testdev-00000-of-00001.parquet", rows)
    write(place / "testdev_balanced_images" / "testdev-00000-of-00001.parquet", shown)
    return root


def folder(root: Path, images: int = 4) -> Path:
    """POPE, MME and AI2D as a user downloads them."""
    for name, rows in (("POPE", pope), ("MME", mme), ("ai2d", ai2d)):
        write(root / OWNER / name / "data" / "test-00000-of-00001.parquet", rows(images))
    return root


def tasks(root: Path, out: Path, names: Iterable[str] = ("pope", "mme", "ai2d")) -> Path:
    """lmms-eval's own tasks over those files, as `local_NAME`, for `--include_path`."""
    from importlib.resources import files

    out.mkdir(parents=True, exist_ok=True)
    for name in names:
        (file,) = root.glob(f"{OWNER}/{'ai2d' if name == 'ai2d' else name.upper()}/data/*.parquet")
        theirs = Path(str(files("lmms_eval"))) / "tasks" / name / f"{name}.yaml"
        lines = [f"include: {theirs}", f"task: local_{name}", "dataset_path: parquet"]
        lines += [f"dataset_kwargs: {{data_files: {{test: {file}}}}}"]
        (out / f"local_{name}.yaml").write_text("\n".join(lines))
    return out
