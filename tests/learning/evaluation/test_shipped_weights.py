"""The weights that the repository carries: as accurate as they say, by the compiled libraries and by PyTorch alike.

Each compiles a network and runs 500 scenes, so all of it is marked ``slow``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mnv2c
from mnv2c.learning.evaluation import Detections
from mnv2c.learning.evaluation.data import Data
from mnv2c.learning.evaluation.measure import METERS, measure
from mnv2c.learning.evaluation.network import Network
from mnv2c.learning.evaluation.open import open_data
from mnv2c.spec import describe
from mnv2c.weights import Checkpoint, given_or_random

WEIGHTS = Path(__file__).resolve().parents[3] / "examples" / "weights"
BARS = {"classifier": ("top1", 0.95), "detector": ("map50", 0.85), "segmenter": ("miou", 0.85)}
TENTH = 0.001  # a tenth of a point
MOST_BYTES = 3_000_000
FEW = 100  # scenes where the point is only that something is far worse

pytestmark = pytest.mark.slow


def weights_of(task: str) -> Path:
    path = WEIGHTS / f"shapes_{task}.safetensors"
    if not path.exists():
        pytest.skip(f"{path.name} is missing: python examples/train_shapes.py {task}")
    return path


def checkpoint(task: str) -> Checkpoint:
    return given_or_random(describe(f"shapes_{task}"), weights_of(task), 0)


@pytest.fixture(scope="module", params=BARS)
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Network:
    task = request.param
    folder = tmp_path_factory.mktemp(task)
    mnv2c.compile(f"shapes_{task}", output=folder, weights=weights_of(task), name=f"shapes_{task}")
    return Network(folder)


def held_out(network: Network, count: int = 500) -> Data:
    return open_data(f"shapes:90210:{count}", network.task)


def figure(network: Network, count: int = 500) -> float:
    return measure(network, held_out(network, count)).figures[BARS[network.task][0]]


def test_small_and_described(network: Network) -> None:
    name = BARS[network.task][0]
    card = checkpoint(network.task).card
    assert card is not None
    assert weights_of(network.task).stat().st_size <= MOST_BYTES
    assert card.accuracy[name] >= BARS[network.task][1]
    assert card.licence and card.recipe["steps"] and card.accuracy["scenes"] >= 500
    assert network.labels == card.labels


def test_as_accurate_as_asked(network: Network) -> None:
    assert figure(network) >= BARS[network.task][1]


def test_the_library_is_as_accurate_as_the_module(network: Network) -> None:
    """Both get the library's own input tensors, and NumPy reads the outputs of both."""
    torch = pytest.importorskip("torch", reason="PyTorch is missing: pip install 'mnv2c[torch]'")
    from mnv2c.learning import reference

    trained = checkpoint(network.task)
    kinds = {"classifier": reference.Classifier, "detector": reference.Detector, "segmenter": reference.Segmenter}
    module = kinds[network.task](trained.spec, "nhwc")
    reference.load_weights(module, trained.tensors)
    data = held_out(network)
    ours, theirs = (METERS[network.task](network, data) for _ in range(2))
    frames, network.frames = network.frames, None
    try:
        for index in range(len(data)):
            sample = data[index]
            size = sample.image.shape[:2]
            tensor = network.input(sample.image)
            outputs, _ = network.machine.run((tensor,))
            with torch.no_grad():
                found = module(torch.from_numpy(tensor))
            raw = [item.numpy() for item in (found if isinstance(found, tuple) else (found,))]
            ours.add(network.interpret(outputs, size), sample.truth)
            theirs.add(network.interpret(raw, size), sample.truth)
    finally:
        network.frames = frames
    for name, value in ours.figures().items():
        assert value == pytest.approx(theirs.figures()[name], abs=TENTH)


class Wrong:
    """A network that is fed otherwise than it was trained."""

    def __init__(self, network: Network, spoil) -> None:
        self.network, self.spoil = network, spoil

    def __getattr__(self, name: str) -> object:
        return getattr(self.network, name)

    def answer(self, image: np.ndarray) -> tuple[object, float]:
        pixels = self.spoil(image.astype(np.float32)).clip(0, 255).astype(np.uint8)
        return self.network.answer(np.ascontiguousarray(pixels))


SPOILERS = {
    "blue before red": lambda pixels: pixels[..., ::-1],
    "values in [0, 1]": lambda pixels: (pixels + 255) / 2,
}


@pytest.mark.parametrize("how", ["blue before red", "values in [0, 1]"])
def test_pictures_prepared_wrongly_lower_it(network: Network, how: str) -> None:
    data = held_out(network, FEW)
    wrong = measure(Wrong(network, SPOILERS[how]), data).figures[BARS[network.task][0]]
    assert wrong < figure(network, FEW) - 0.1


@pytest.mark.parametrize("task", ["detector", "segmenter"])
def test_windows_that_lie_wrongly_lower_it(task: str) -> None:
    """The other convention of padding moves what is found by some pixels."""
    pytest.importorskip("torch", reason="PyTorch is missing: pip install 'mnv2c[torch]'")
    from mnv2c.learning.reference import load_weights
    from mnv2c.learning.training import TASKS

    trained = checkpoint(task)
    assert trained.spec.padding == "tf_same"
    figures = []
    for padding in ("tf_same", "symmetric"):
        chosen = TASKS[task](replace(trained.spec, padding=padding))
        module = load_weights(chosen.network(), trained.tensors)
        figures.append(chosen.measure(module, chosen.scenes(90210, FEW))[BARS[task][0]])
    assert figures[1] < figures[0] - 0.1


@pytest.mark.emulated
@pytest.mark.parametrize("task", ["detector", "segmenter"])
def test_the_same_boxes_and_masks_on_another_cpu(task: str, tmp_path: Path) -> None:
    data = open_data("shapes:90210:5", task)
    answers = []
    for target in ("host", "cortex-a76"):
        folder = tmp_path / target
        mnv2c.compile(f"shapes_{task}", target, output=folder, weights=weights_of(task), name=f"shapes_{task}")
        network = Network(folder)
        answers.append([network.answer(data[index].image)[0] for index in range(len(data))])
    for here, there in zip(*answers, strict=True):
        if task == "segmenter":
            assert (here != there).mean() < 1e-4
            continue
        assert contains(here, there) and contains(there, here)


def contains(found: Detections, others: Detections) -> bool:
    """Whether every clear detection of ``others`` is in ``found``: order may differ where scores are all but equal."""
    for box, class_, score in zip(others.boxes, others.classes, others.scores, strict=True):
        same = (found.classes == class_) & (np.abs(found.scores - score) < 1e-3)
        if score > 0.1 and not (np.abs(found.boxes[same] - box).max(1, initial=0) <= 0.5).any():
            return False
    return True
