"""A pooled convolution and a classifier in one kernel: made and multiplied chunk by chunk of the channels."""

from pathlib import Path

import pytest

from mnv2c.kernels.layout import kernel_layout
from mnv2c.kernels.microkernels import PROVIDERS
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.plan.chain import RELU6, Chain, Shape, Stage, StageKind
from mnv2c.schedule.variants import variants
from tests.kernels import chains
from tests.kernels.test_random_chains import check

L2_BYTES = 1 << 20
STREAMING = [provider for provider in PROVIDERS.values() if provider.prefetches]


def classified(pixels: tuple[int, int], depth: int, channels: int, classes: int) -> Chain:
    image = Shape(*pixels, channels)
    stages = (
        Stage("pointwise", StageKind.POINTWISE, ("input_0",), image, activation=RELU6),
        Stage("pool", StageKind.POOL, ("pointwise",), Shape(1, 1, channels)),
        Stage("dense", StageKind.DENSE, ("pool",), Shape(1, 1, classes)),
    )
    return Chain("head+dense", (Shape(*pixels, depth),), stages, ("dense",))


@pytest.mark.parametrize("provider", STREAMING, ids=lambda provider: provider.name)
def test_it_computes_what_the_reference_does(provider: Provider, tmp_path: Path) -> None:
    cases = []
    for seed, (pixels, depth, channels, classes) in enumerate(
        [((7, 7), 40, 320, 1000), ((3, 3), 20, 96, 10), ((1, 1), 8, 128, 37), ((5, 7), 24, 100, 1001)]
    ):
        chain = classified(pixels, depth, channels, classes)
        (schedule,) = variants(chain, provider, L2_BYTES, ())
        assert schedule.chunk and kernel_layout(chain, schedule, provider).scratch_elements == schedule.chunk
        cases.append(chains.Case(f"classified {seed}", chain, schedule, provider, *chains.tensors(chain, seed)))
    assert any(kernel_layout(case.chain, case.schedule, provider).chunks > 1 for case in cases)
    check(cases, tmp_path)


def test_larger_images_and_other_cpus_keep_two_kernels() -> None:
    assert not [*variants(classified((9, 9), 8, 64, 10), STREAMING[0], L2_BYTES, ())]
    assert not [*variants(classified((7, 7), 8, 64, 10), PROVIDERS["float32", "neon"], L2_BYTES, ())]
