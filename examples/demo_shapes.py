"""The second half of `make demo`: networks that were trained on scenes of shapes, on a scene that they never saw."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

import mnv2c
from mnv2c.common.progress import progress
from mnv2c.learning.scenes import LABELS, Scene, Scenes
from mnv2c.pictures.prediction import Prediction

WEIGHTS = Path(__file__).with_name("weights")
SCENES = {"classifier": 4, "detector": 2, "segmenter": 6}
"""For every task the number of a scene among those that were held out from training."""


def show_shapes(output: Path) -> None:
    """Compile the three networks for this machine, run each on a scene, and leave pictures of it in ``output``."""
    print("\n== Networks trained on shapes (examples/weights), each on a scene that it never saw", flush=True)
    answers = []
    for task, number in SCENES.items():
        scene = Scenes.pictures(task)[number]
        picture, answer = output / f"{task}.png", output / f"{task}_answer.png"
        Image.fromarray(scene.image).save(picture)
        found = run(task, output / task, picture, answer)
        answers.append(Image.open(answer).convert("RGB"))
        print(f"   {task}: in the scene {there(task, scene)}; found {seen(found)}", flush=True)
    side_by_side(answers).save(output / "shapes.png")
    print(f"   drawn into {output / 'shapes.png'}")


def side_by_side(pictures: list[Image.Image]) -> Image.Image:
    """Return pictures next to each other, as high as the highest."""
    joined = Image.new("RGB", (sum(each.width for each in pictures), max(each.height for each in pictures)), "white")
    left = 0
    for each in pictures:
        joined.paste(each, (left, 0))
        left += each.width
    return joined


def run(task: str, folder: Path, picture: Path, answer: Path) -> Prediction:
    """Compile the network of ``task`` into ``folder`` and return what it says of ``picture``, drawn into ``answer``."""
    name = f"shapes_{task}"
    with progress() as report:
        mnv2c.compile(name, output=folder, weights=WEIGHTS / f"{name}.safetensors", name=name, progress=report)
    return mnv2c.run(folder, [picture], picture=answer)[0]


def there(task: str, scene: Scene) -> str:
    """What the scene was drawn with: its only class, or all shapes."""
    names = [LABELS[index] for index in scene.classes]
    return names[0] if task == "classifier" else ", ".join(sorted(names))


def seen(found: Prediction) -> str:
    """the best class with its score; every detection with its score; the classes of a mask with their shares."""
    if found.best is not None:
        return f"{found.best[0].label} ({found.best[0].score:.0%})"
    if found.detections is not None:
        listed = sorted((entry.label, entry.score) for entry in found.detections)
        return ", ".join(f"{label} ({score:.0%})" for label, score in listed)
    areas = sorted((area.label, area.share) for area in found.mask or () if area.class_id > 0)
    return ", ".join(f"{label} ({share:.0%} of the picture)" for label, share in areas)
