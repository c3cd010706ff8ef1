"""Drawn networks compute what onnxruntime does, in every step; and what draws and shrinks them does so."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.fuzz.networks.draw import draw
from tests.fuzz.networks.faults import FAULTS
from tests.fuzz.networks.features import features
from tests.fuzz.networks.graph import Net
from tests.fuzz.networks.hunt import Summary, Tried, hunt, shrunk, write
from tests.fuzz.networks.options import EMULATED, HOST, TARGETS, Options, draw_options
from tests.fuzz.networks.render import model_of
from tests.fuzz.networks.shrink import shrink

SEED = 1
EACH, PARTS, FOREIGN_PARTS = 6, 8, 2
"""60 networks in every run: so many per item, of which so many are for this CPU and for others."""
MANY = int(os.environ.get("MNV2C_FUZZ_NETWORKS", "2000"))
"""Networks of the slow test."""
SLOW_PARTS = 20
SHRINKING = 60.0
UNKNOWN_SHARE = 0.05


def check(indices: range, targets: Sequence[str], folder: Path, seed: int = SEED) -> None:
    """Fail with the summary, and with the command that repeats each failure, shrunk."""
    summary, commands = Summary(), []
    for tried in hunt(seed, indices, targets):
        summary.add(tried.index, tried.outcome, tried.features)
        if tried.outcome.failed:
            commands.append(write(shrunk(tried, SHRINKING), folder, f"{seed}-{tried.index}"))
    print(summary.text())
    assert not commands, "\n".join([summary.text(), *commands])
    assert summary.kinds["unknown"] <= max(1, UNKNOWN_SHARE * len(indices)), "onnxruntime runs too few of them"


@pytest.mark.parametrize("part", range(PARTS))
def test_drawn_networks_compute_what_onnxruntime_does(part: int, tmp_path: Path) -> None:
    check(range(part * EACH, (part + 1) * EACH), HOST, tmp_path)


@pytest.mark.emulated
@pytest.mark.skipif(shutil.which("qemu-arm") is None, reason="qemu-arm is missing: apt-get install qemu-user")
@pytest.mark.parametrize("part", range(PARTS, PARTS + FOREIGN_PARTS))
def test_drawn_networks_compute_the_same_on_arm(part: int, tmp_path: Path) -> None:
    check(range(part * EACH, (part + 1) * EACH), EMULATED, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(SLOW_PARTS))
def test_many_drawn_networks_compute_what_onnxruntime_does(part: int, tmp_path: Path) -> None:
    check(range(MANY * part // SLOW_PARTS, MANY * (part + 1) // SLOW_PARTS), TARGETS, tmp_path, seed=SEED + 1)


def test_a_network_is_determined_by_seed_and_number() -> None:
    assert draw(3, 14) == draw(3, 14) != draw(3, 15)
    assert model_of(draw(3, 14)) == model_of(draw(3, 14))
    assert draw_options(3, 14) == draw_options(3, 14)


def test_everything_is_drawn_often_enough() -> None:
    counts = Counter(name for index in range(400) for name in features(draw(SEED, index)))
    counts.update(name for index in range(400) for name in draw_options(SEED, index, TARGETS).features())
    wanted = DRAWN - {name for name, count in counts.items() if count >= 4}
    assert not wanted, {name: counts[name] for name in wanted}


DRAWN = {
    *("depthwise", "1x1", "dense window", "depthwise behind depthwise", "dilation", "oblong kernel", "uneven padding"),
    *(f"kernel {size}x{size}" for size in (2, 3, 4, 5, 6, 7)),
    *(
        "stride 1",
        "stride 2",
        "stride 3",
        "no padding",
        "batch norm",
        "bias",
        "no bias",
        "pool",
        "mean",
        "gemm",
        "gate",
    ),
    *(f"activation {how}" for how in ("Relu", "clip", "min_max", "max_min", "Sigmoid", "LeakyRelu", "HardSwish")),
    *("residual", "residual of the planar input", "residual of the input, channels last", "residual behind a residual"),
    *("several outputs", "side output", "several inputs", "input planar", "input channels last", "transpose"),
    *("concatenated heads", "concatenated channels", "operator behind concatenated heads", "softmax", "slice", "rows"),
    *("resize linear", "resize nearest", "resize cubic", "resize channels last", "resize by fractional scales"),
    *("resize half_pixel", "resize asymmetric", "resize align_corners", "resize pytorch_half_pixel", "resize to sizes"),
    *("resize round_prefer_floor", "resize round_prefer_ceil", "resize floor", "resize ceil", "argmax"),
    *("one pixel", "one row or column", "odd size", "not square", "one channel", "channels beside the vector"),
    *("over 64 channels", "joined", "not joined", "planned schedules", "drawn schedules", "smallest arena"),
    *("arena limited between", "1 thread", *(f"{count} threads" for count in (2, 3, 4, 5, 8))),
    *(f"target {name}" for name in TARGETS),
}


def test_shrinking_keeps_what_fails_and_little_else() -> None:
    def fails(net: Net, options: Options) -> bool:
        kinds = {op.name: op.kind for op in net.ops}
        return options.threads > 1 and any(
            op.kind == "conv" and any(kinds.get(name) == "add" for name in op.sources) for op in net.ops
        )

    found = next(
        (net, options)
        for net, options in ((draw(SEED, index), draw_options(SEED, index)) for index in range(400))
        if len(net.ops) > 15 and fails(net, options)
    )
    net, options = shrink(*found, fails)
    assert fails(net, options) and sorted(op.kind for op in net.ops) == ["add", "conv"]
    assert options == Options(threads=2) and all(max(entry.shape) == 1 for entry in net.inputs)


def test_the_command_that_is_written_repeats_a_network(tmp_path: Path) -> None:
    index = next(index for index in range(400) if len(draw(SEED, index).ops) < 5)
    tried = next(hunt(SEED, [index]))
    command = write(tried, tmp_path, "it").split(" ", 1)[1].replace("'", "")
    file, options = re.fullmatch(r"-m tests.fuzz.networks repeat (\S+) --options (.*)", command).groups()  # type: ignore[union-attr]
    assert Options.from_json(options) == tried.options
    again = [sys.executable, "-m", "tests.fuzz.networks", "repeat", file, "--options", options]
    done = subprocess.run(again, capture_output=True, text=True, cwd=Path(__file__).parents[3])
    assert (done.stdout.strip(), done.returncode) == ("right", 0), done.stderr


def test_a_wrong_library_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiler that scales a weight is found by the first network that has one."""
    from mnv2c.compiler import emitting

    def spoilt(layout: object, weights: object) -> object:
        packed = pack(layout, weights)
        return tuple(array * 1.01 for array in packed)

    pack = emitting.pack_weights
    monkeypatch.setattr(emitting, "pack_weights", spoilt)
    index = next(index for index in range(400) if len(draw(SEED, index).ops) < 5)
    tried: Tried = next(hunt(SEED, [index]))
    assert tried.outcome.kind == "wrong"


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_an_old_fault_is_found_again(name: str) -> None:
    """Within 300 networks, since anything rarer would not be found when it is new."""
    command = [sys.executable, "-m", "tests.fuzz.networks", "run", "--undo", name, "--count", "300", "--stop"]
    done = subprocess.run(
        [*command, "--shrink", "0", "--targets", "host"], capture_output=True, text=True, cwd=Path(__file__).parents[3]
    )
    assert done.returncode == 1, f"{done.stdout}\n{done.stderr}"
    assert re.search(r"^\d+: wrong: ", done.stdout, re.MULTILINE), done.stdout
