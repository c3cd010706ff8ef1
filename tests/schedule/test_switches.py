"""What only tuning asks of depthwise stages: as data, and where it is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mnv2c.errors import ScheduleError
from mnv2c.kernels.layout import exact_stages, kernel_layout
from mnv2c.kernels.microkernels.neon64 import NEON_FLOAT32
from mnv2c.kernels.microkernels.x86 import AVX512_FLOAT32
from mnv2c.kernels.packing import MatrixPacking
from mnv2c.plan.chain import Chain
from mnv2c.schedule.analytic import analytic_schedule
from mnv2c.schedule.record import ChainSchedule, DepthwiseTile
from mnv2c.spec import load
from tests.plan.networks import chains_of


def first_block() -> Chain:
    """Stem, depthwise, project: 24 channels, of which vectors of 16 lanes fill one and a half."""
    return chains_of(load("mobilenet_v2", width=0.75, resolution="96"))[0]


def switched(schedule: ChainSchedule, **changes: object) -> ChainSchedule:
    rows = tuple(replace(row, **changes) for row in schedule.depthwise)  # type: ignore[arg-type]
    return replace(schedule, depthwise=rows)


def test_switches_that_are_off_are_not_written() -> None:
    assert set(DepthwiseTile(4, 2).to_dict()) == {"pixels", "group", "carry", "again"}
    schedule = analytic_schedule(first_block(), AVX512_FLOAT32, 1 << 20)
    for entry in (schedule, switched(schedule, by_channel=True), switched(schedule, exact=True, by_channel=True)):
        assert ChainSchedule.from_dict(entry.to_dict()) == entry


def test_exact_stages_make_and_read_only_their_channels() -> None:
    chain = first_block()
    schedule = analytic_schedule(chain, AVX512_FLOAT32, 1 << 20)
    columns = []
    for entry in (schedule, switched(schedule, exact=True)):
        packings = kernel_layout(chain, entry, AVX512_FLOAT32).packings
        stem, project = packings["stem"], packings["project"]
        assert isinstance(stem, MatrixPacking) and isinstance(project, MatrixPacking)
        columns.append((stem.total_columns, project.padded))
    assert columns == [(32, 32), (24, 24)]


def test_exact_is_refused_where_vectors_must_be_whole() -> None:
    chain = first_block()
    schedule = switched(analytic_schedule(chain, AVX512_FLOAT32, 1 << 20), exact=True)
    assert exact_stages(chain, schedule, AVX512_FLOAT32) == {"stem", "depthwise"}
    sided = replace(chain, outputs=(*chain.outputs, "stem"))
    for wrong, provider, of in (
        (switched(schedule, carry=16), AVX512_FLOAT32, chain),
        (schedule, NEON_FLOAT32, chain),
        (schedule, AVX512_FLOAT32, sided),
    ):
        with pytest.raises(ScheduleError, match="depthwise cannot leave out what fills its last vector"):
            exact_stages(of, wrong, provider)
