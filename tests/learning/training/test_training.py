"""Training: targets and losses by hand, a few steps that learn, checkpoints, and the file that is written."""

from __future__ import annotations

import json
from dataclasses import replace
from math import log
from pathlib import Path

import numpy as np
import pytest

from mnv2c.errors import UserError, WeightsError
from mnv2c.learning.evaluation.boxes import detections
from mnv2c.learning.scenes import LABELS
from mnv2c.spec import ModelSpec, describe, load
from mnv2c.spec.table2 import Row
from mnv2c.weights import given_or_random, write

torch = pytest.importorskip(
    "torch", reason="PyTorch is missing: pip install 'mnv2c[torch]' to test mnv2c.learning.training"
)

from mnv2c.learning.training import TASKS, Recipe, estimate_statistics, export, train  # noqa: E402 (needs PyTorch)
from mnv2c.learning.training.boxes import UNDECIDED, match  # noqa: E402
from mnv2c.learning.training.detection import Detection, focal_loss, mined_loss  # noqa: E402
from mnv2c.learning.training.export import rounded  # noqa: E402
from mnv2c.learning.training.start import take_over  # noqa: E402
from mnv2c.learning.training.task import to_input  # noqa: E402

ROWS = (Row(1, 16, 1, 1), Row(6, 24, 1, 2), Row(6, 32, 1, 2), Row(6, 64, 1, 2), Row(6, 96, 1, 2))
RECIPE = Recipe(steps=4, batch=4, rate=2e-3, warm_up=1, estimate=2)


def small(task: str, **changes: object) -> ModelSpec:
    return replace(load(f"shapes_{task}"), height=48, image_width=64, rows=ROWS, width=0.35, **changes)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("task", TASKS)
def test_the_loss_falls_on_what_is_seen_again_and_again(task: str) -> None:
    chosen = TASKS[task](small(task))
    torch.manual_seed(1)
    network = chosen.network()
    network.train()
    batch = chosen.batches(1, 1, 6)[0]
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3)
    losses = []
    for _ in range(12):
        loss = chosen.loss(network(to_input(batch["image"])), batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.75 * losses[0]


def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path: Path) -> None:
    task = TASKS["classifier"](small("classifier"))

    def fresh() -> torch.nn.Module:
        torch.manual_seed(3)
        return task.network()

    whole, parted = fresh(), fresh()
    train(task, whole, RECIPE)

    def stop(step: int, loss: float) -> None:
        raise KeyboardInterrupt

    checkpoint = tmp_path / "c.pt"
    seen: list[str] = []

    def interrupt(phase: str, share: float) -> None:
        seen.append(phase)
        if phase == "step 3 of 4":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(task, parted, RECIPE, checkpoint=checkpoint, every=2, report=interrupt)
    again = fresh()
    train(task, again, RECIPE, checkpoint=checkpoint, every=2, report=lambda phase, share: seen.append(phase))
    assert seen == [*(f"step {step} of 4" for step in (1, 2, 3, 3, 4)), "batch normalisation"]
    for (name, one), other in zip(whole.state_dict().items(), again.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5, msg=name)
    assert [path.name for path in tmp_path.iterdir()] == ["c.pt"]


def test_a_checkpoint_of_something_else(tmp_path: Path) -> None:
    task = TASKS["classifier"](small("classifier"))
    checkpoint = tmp_path / "c.pt"
    short = Recipe(steps=1, batch=2, estimate=1)
    train(task, task.network(), short, checkpoint=checkpoint)
    with pytest.raises(UserError, match="of another recipe or network"):
        train(task, task.network(), replace(short, batch=3), checkpoint=checkpoint)
    checkpoint.write_bytes(b"x")
    with pytest.raises(UserError, match="not a checkpoint that can be read"):
        train(task, task.network(), short, checkpoint=checkpoint)


def test_recipes() -> None:
    recipe = Recipe(steps=100, warm_up=10)
    assert recipe.share(0) == 0.1
    assert recipe.share(9) == recipe.share(10) == 1.0
    assert 0 <= recipe.share(99) < 1e-3
    with pytest.raises(UserError, match='optimiser "sgd": choose from adamw, rmsprop'):
        Recipe(steps=1, optimiser="sgd")
    with pytest.raises(UserError, match="must be at least 1"):
        Recipe(steps=0)


def test_the_paper_s_optimiser_trains() -> None:
    task = TASKS["classifier"](small("classifier"))
    network = task.network()
    train(task, network, replace(RECIPE, optimiser="rmsprop", steps=2))
    assert all(torch.isfinite(tensor).all() for tensor in network.state_dict().values())


def test_statistics_are_those_of_the_data() -> None:
    task = TASKS["classifier"](small("classifier", padding="symmetric"))  # whose padding is PyTorch's own
    network = task.network()
    batches = [task.batches(1, 3, 4)[index] for index in range(3)]
    estimate_statistics(network, batches)
    means = torch.stack([network.stem.conv(to_input(batch["image"])).mean((0, 2, 3)) for batch in batches]).mean(0)
    torch.testing.assert_close(network.stem.bn.running_mean, means, rtol=1e-4, atol=1e-5)
    assert not network.training
    assert network.stem.bn.momentum == 0.1


@pytest.mark.parametrize("task", TASKS)
def test_what_is_written_is_what_was_trained(task: str, tmp_path: Path) -> None:
    chosen = TASKS[task](small(task))
    network = rounded(chosen, chosen.network())
    path = tmp_path / "w.safetensors"
    export(path, chosen, network, RECIPE, {"top1": 0.5}, scenes="here")
    (tmp_path / "m.toml").write_text(f'name = "m"\nfamily = "{task}"\n')
    found = given_or_random(describe(tmp_path / "m.toml"), path, 0)
    assert found.spec == replace(chosen.spec, name="m")
    assert found.card is not None
    assert found.card.labels == (LABELS if task == "classifier" else ("background", *LABELS))
    assert found.card.recipe["steps"] == 4 and found.card.recipe["scenes"] == "here"
    assert found.card.accuracy == {"top1": 0.5}
    again = TASKS[task](chosen.spec).network()
    assert take_over(path, chosen, again) == len(found.tensors)
    again.eval()
    image = torch.rand(1, 3, 48, 64)
    with torch.no_grad():
        torch.testing.assert_close(again(image), network(image))
    half = sum(tensor.size for tensor in found.tensors.values()) * 2
    assert path.stat().st_size < half * 1.1 + 60_000


def test_a_value_that_half_precision_has_not(tmp_path: Path) -> None:
    task = TASKS["classifier"](small("classifier"))
    network = task.network()
    torch.nn.init.constant_(network.head_dense.bias, 1e6)
    with pytest.raises(WeightsError, match=r'tensor "head\.dense\.bias" reaches 1e\+06'):
        export(tmp_path / "w.safetensors", task, network, RECIPE, {})
    assert list(tmp_path.iterdir()) == []


def test_weights_of_another_task_are_a_start(tmp_path: Path) -> None:
    first, then = TASKS["classifier"](small("classifier")), TASKS["segmenter"](small("segmenter"))
    source, network = first.network(), then.network()
    export(tmp_path / "w.safetensors", first, source, RECIPE, {})
    assert take_over(tmp_path / "w.safetensors", then, network) > 50
    torch.testing.assert_close(network.stem.conv.weight, source.stem.conv.weight, rtol=1e-3, atol=1e-6)
    write(tmp_path / "foreign.safetensors", {"features.0.0.weight": np.zeros((16, 3, 3, 3), np.float32)})
    with pytest.raises(WeightsError, match="or none of the same shape"):
        take_over(tmp_path / "foreign.safetensors", then, network)


def test_objects_and_prior_boxes() -> None:
    task = Detection(small("detector"))
    scene = task.scenes(1, 8)[3]
    slots, coded = match(scene.boxes / task.extent, scene.classes, task.priors, task.convention)
    assert set(slots[slots > 0] - 1) == set(scene.classes)
    assert (slots == 0).sum() > 0.8 * len(slots)
    scores = np.full((len(slots), 11), -9.0, np.float32)
    there = np.flatnonzero(slots > 0)
    scores[there, slots[there]] = 9.0
    found = detections(coded, scores, task.priors, task.convention).scaled(task.extent)
    good = found.scores > 0.5
    assert sorted(found.classes[good]) == sorted(scene.classes)  # each exactly once: suppression took the rest
    for box, class_ in zip(found.boxes[good], found.classes[good], strict=True):
        assert min(np.abs(box - other).max() for other in scene.boxes[scene.classes == class_]) < 1e-2
    empty, _ = match(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), task.priors, task.convention)
    assert not empty.any()


def test_losses_by_hand() -> None:
    scores = torch.zeros(1, 5, 3)
    slots = torch.tensor([[1, 0, 0, 0, UNDECIDED]])
    # 1 of 2 classes is there once: 0.4 * 0.25 * ln 2, seven are not: 0.6 * 0.25 * ln 2 each
    assert focal_loss(scores, slots).item() == pytest.approx((0.4 + 7 * 0.6) * 0.25 * log(2))
    scores[0, 1, 2] = 3.0  # the worst answered of what is empty
    rest = torch.nn.functional.cross_entropy(scores[0], torch.tensor([1, 0, 0, 0, 0]), reduction="none")
    assert mined_loss(scores, slots).item() == pytest.approx(rest[:4].sum().item())
    many = torch.cat([scores, torch.zeros(1, 20, 3)], 1)
    slots = torch.cat([slots, torch.zeros(1, 20, dtype=torch.long)], 1)
    assert mined_loss(many, slots).item() == pytest.approx((rest[0] + rest[1] + 2 * log(3)).item())


def test_measures_are_high_for_the_truth() -> None:
    """A segmenter and a detector that are told the truth are measured as such."""
    task = TASKS["segmenter"](small("segmenter"))
    scenes = task.scenes(1, 3)

    class Told(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            masks = torch.from_numpy(np.stack([scene.mask for scene in scenes]))
            return torch.nn.functional.one_hot(masks.long(), 11).float()

    assert task.measure(Told(), scenes, 3) == {"miou": 1.0, "pixels": 1.0}
    boxes = Detection(small("detector"))
    there = boxes.scenes(1, 3)

    class Seen(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            targets = [boxes.targets(scene) for scene in there]
            slots = torch.from_numpy(np.stack([target["slots"] for target in targets])).clamp(min=0)
            scores = torch.nn.functional.one_hot(slots, 11).float() * 18 - 9
            return torch.from_numpy(np.stack([target["boxes"] for target in targets])), scores

    assert boxes.measure(Seen(), there, 3)["map50"] > 0.99


def test_the_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import importlib.util

    script = Path(__file__).resolve().parents[3] / "examples" / "train_shapes.py"
    spec = importlib.util.spec_from_file_location("train_shapes", script)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "tiny.toml").write_text('name = "tiny"\nwidth = 0.35\nresolution = 32\nclasses = 10\n')
    output = tmp_path / "tiny.safetensors"
    words = [
        "classifier",
        "--model",
        str(tmp_path / "tiny.toml"),
        "--steps",
        "2",
        "--batch",
        "2",
        "--output",
        str(output),
    ]
    monkeypatch.setattr(
        "sys.argv", ["train_shapes.py", *words, "--held-out", "4", "--workers", "0", "--threads", "1", "-q"]
    )
    assert module.main() == 0
    assert "top1" in capsys.readouterr().out
    from safetensors import safe_open

    with safe_open(str(output), framework="numpy") as file:
        card = json.loads(file.metadata()["mnv2c"])
    assert card["accuracy"]["scenes"] == 4 and card["recipe"]["optimiser"] == "adamw" and card["seed"] == 1
