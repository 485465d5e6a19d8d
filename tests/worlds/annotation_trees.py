"""Annotation files in their published layouts, of a few entries, with images beside them."""

import json
import pickle
from pathlib import Path

import numpy as np
from pictures import picture
from PIL import Image as Pillow

WIDTH, HEIGHT = 8, 6
BIG = 70_000  # needs all three bytes of a colour
CAPTIONED = range(5, 0, -1)


def save(path, seed=0, size=(40, 30)):
    """A small image file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(*size, seed=seed).save(path)


def image(path: Path, size=(WIDTH, HEIGHT)) -> None:
    """An image file of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.new("RGB", size, (10, 20, 30)).save(path)


def write(path, value):
    """A JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def imagenet(folder, count):
    """A validation set in V2L's layout, of as many images and classes."""
    lines = []
    for number in range(count):
        name = f"val/ILSVRC2012_val_{number:08d}.JPEG"
        save(folder / name, number, (60 + number, 50))
        lines.append(f"{name},{number}")
    (folder / "class_labels.txt").write_text("\n".join(lines) + "\n")
    return folder


def episodes(folder, shots):
    """V2L's episodes of two classes, and the images that they name."""
    wnids = ("n01440764", "n01443537")
    lines = []
    for number in range(3):
        cells = [f"{w}/{w}_{number * shots + k}.JPEG" for k in range(shots) for w in wnids]
        cells.append(f"{wnids[number % 2]}/{wnids[number % 2]}_{3 * shots + number}.JPEG")
        for seed, cell in enumerate(cells):
            save(folder / "images" / cell, shots * 3 * number + seed)
        lines.append(",".join((*cells, "\n")))
    (folder / "fewshot_split").mkdir()
    (folder / "fewshot_split" / f"2_way_{shots}_shot.csv").write_text("".join(lines))
    return folder


def pairs(folder, count):
    """Degraded images in `input` and clean ones in `target`."""
    for number in range(count):
        save(folder / "input" / f"{number}.png", number)
        save(folder / "target" / f"{number}.png", 10 + number)
    return folder


def coco(folder, numbers=CAPTIONED):
    """Captions in three layouts and questions, of five images."""
    files = {number: f"COCO_val2014_{number:012d}.jpg" for number in numbers}
    for number, name in files.items():
        save(folder / "val2014" / name, number)
        save(folder / "val2017" / f"{number:012d}.jpg", number)
    for split, prefix in (("val2014", "COCO_val2014_"), ("val2017", "")):
        content = {
            "images": [{"id": n, "file_name": f"{prefix}{n:012d}.jpg"} for n in numbers],
            "annotations": [{"id": n, "image_id": n, "caption": f"{n} dogs"} for n in numbers],
        }
        write(folder / "annotations" / f"captions_{split}.json", content)
    sets = [
        {
            "cocoid": number,
            "split": split,
            "filepath": "val2014",
            "filename": files[number],
            "sentences": [{"raw": f"{number} dogs"}],
        }
        for split in ("val", "test")
        for number in numbers
    ]
    write(folder / "dataset_coco.json", {"images": sets})
    asked = [{"question_id": 10 * n, "image_id": n, "question": "How many?"} for n in numbers]
    write(folder / "v2_OpenEnded_mscoco_val2014_questions.json", {"questions": asked[::-1]})
    answers = [one | {"answers": [{"answer": "one"}] * 10} for one in asked]
    write(folder / "v2_mscoco_val2014_annotations.json", {"annotations": answers})
    return folder


REF = {
    "ref_id": 7,
    "ann_id": 1,
    "category_id": 18,
    "image_id": 9,
    "file_name": "COCO_train2014_000000000009_1.jpg",
    "split": "testA",
    "sent_ids": [21, 22],
    "sentences": [
        {"sent_id": 21, "sent": "Left dog", "raw": "Left dog!", "tokens": ["left", "dog"]},
        {"sent_id": 22, "sent": "dog by the door", "raw": "Dog, by the door", "tokens": []},
    ],
}


def refcoco(folder, split="testA"):
    """RefCOCO of one image with two referents."""
    ref = {**REF, "split": split}
    other = {**ref, "ref_id": 8, "ann_id": 2, "sentences": REF["sentences"][1:]}
    again = {**ref, "ref_id": 9, "sentences": [{"sent": "guys dog left", "raw": "Guy's dog, left"}]}
    elsewhere = {**ref, "ref_id": 10, "split": "test", "image_id": 10}
    refs = folder / "refcoco" / "refs(unc).p"
    refs.parent.mkdir(parents=True)
    refs.write_bytes(pickle.dumps([ref, other, again, elsewhere], protocol=2))
    annotations = [
        # Two overlapping parts: a union, and never 2.
        {
            "id": 1,
            "segmentation": [[0, 0, 4, 0, 4, 3, 0, 3], [2, 0, 6, 0, 6, 3, 2, 3]],
            "bbox": [0.5, 0, 5.25, 3],
        },
        {"id": 2, "segmentation": {"size": [HEIGHT, WIDTH], "counts": [0, 6, 42]}},
    ]
    write(folder / "refcoco" / "instances.json", {"annotations": annotations})
    image(folder / "train2014" / "COCO_train2014_000000000009.jpg")
    return folder


def said(utterance, ids, plural=False):
    """A segment of a narrative."""
    return {
        "utterance": utterance,
        "segment_ids": [str(one) for one in ids],
        "plural": plural,
        "noun": bool(ids),
    }


def png(folder):
    """Panoptic narratives of one image, the first without any phrase."""
    narratives = [
        {"image_id": "9", "caption": "", "segments": [said("nothing", [])]},
        {
            "image_id": "9",
            "caption": "Two dogs run on the grass.",
            "segments": [
                said("Two dogs", [3, BIG], plural=True),
                said("run on", []),
                said("the grass", [300]),
                said("near one dog", [3]),
            ],
        },
    ]
    write(folder / "annotations/png_coco_val2017.json", narratives)
    panoptic = {
        "categories": [{"id": 18, "isthing": 1}, {"id": 193, "isthing": 0}],
        "annotations": [
            {
                "image_id": 9,
                "segments_info": [
                    {"id": 3, "category_id": 18},
                    {"id": BIG, "category_id": 18},
                    {"id": 300, "category_id": 193},
                ],
            }
        ],
    }
    write(folder / "annotations/panoptic_val2017.json", panoptic)
    ids = np.zeros((HEIGHT, WIDTH), dtype=np.int64)
    ids[:2], ids[2:3], ids[4:] = 3, BIG, 300
    colours = np.stack([ids % 256, ids // 256 % 256, ids // 65536], -1).astype(np.uint8)
    path = folder / "annotations/panoptic_segmentation/val2017/000000000009.png"
    path.parent.mkdir(parents=True)
    Pillow.fromarray(colours).save(path)
    image(folder / "images/val2017/000000000009.jpg")
    return folder


def pope(folder):
    """POPE's three files, of two questions each about one image."""
    name = "COCO_val2014_000000000009.jpg"
    image(folder / "val2014" / name)
    for protocol in ("random", "popular", "adversarial"):
        lines = [
            {"question_id": n, "image": name, "text": f"Is there a {protocol}?", "label": label}
            for n, label in enumerate(("yes", "no"), start=1)
        ]
        text = "\n".join(map(json.dumps, lines)) + "\n"
        (folder / f"coco_pope_{protocol}.json").write_text(text)
    return folder


def thought(name, box, question="What is on the table?", answer="a cup"):
    """An entry of Visual CoT."""
    asks = "Please provide the bounding box coordinate of the region that helps."
    turns = (f"<image>\n{question} {asks}", "[0.1, 0.313, 0.3, 0.5]", "<image>", answer)
    return {
        "image": [name, f"{name}###{box}"],
        "conversations": [{"from": "human", "value": value} for value in turns],
    }


def viscot(folder):
    """Two sets of Visual CoT, one of them as JSON lines; one box is flat."""
    image(folder / "cot/gqa/9.jpg", (640, 480))
    sound, flat = "[64, 120, 192, 240]", "[64, 120, 64, 240]"
    gqa = [thought("cot/gqa/9.jpg", box) for box in (sound, flat)]
    write(folder / "benchmark/gqa.json", gqa)
    lines = [thought("cot/gqa/9.jpg", sound, "Who?", "a man")] * 2
    (folder / "benchmark/vsr.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return folder
