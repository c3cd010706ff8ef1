"""The list of phases: every one leaves a well-formed module, and the artefacts are those of --dump."""

from __future__ import annotations

from typing import Any

import pytest
import tvm
from tvm import relax

from mnv2c.compiler import phases as module_of_phases
from mnv2c.compiler.phases import Phase, phases, run_phases
from mnv2c.errors import CompilerError
from mnv2c.spec import load
from mnv2c.to_onnx import emit
from mnv2c.to_relax.importer import import_onnx
from mnv2c.weights import random_weights

DUMPS = ["20-relax.py", "25-normalised.py", "30-fused.py"]


@pytest.fixture(scope="module")
def imported() -> Any:
    spec = load("mobilenet_v2", width=0.35, resolution="33x47", classes=4)
    return import_onnx(emit(spec, random_weights(spec, 0))).module


def test_every_phase_leaves_a_well_formed_module(imported: Any) -> None:
    module = imported
    for phase in phases():
        module = phase.run(module)
        relax.analysis.well_formed(module)
        assert [str(p.ty.dtype) for p in module["main"].params] == ["float32"], phase.name


def test_names_are_unique_and_dumps_are_numbered_in_order() -> None:
    listed = phases()
    assert len({phase.name for phase in listed}) == len(listed)
    assert [phase.dump for phase in listed if phase.dump] == DUMPS == sorted(DUMPS)


def test_dumps_are_relax_scripts(imported: Any) -> None:
    dumped: dict[str, str] = {}
    run_phases(imported, dumped.__setitem__)
    assert list(dumped) == DUMPS
    assert "R.nn.batch_norm" in dumped["20-relax.py"]
    assert "R.nn.batch_norm" not in dumped["25-normalised.py"]
    assert 'data_layout="NCHW"' not in dumped["25-normalised.py"]
    assert dumped["30-fused.py"].count('"mnv2c.chain": "bottleneck"') == 16
    assert dumped["30-fused.py"].count('"mnv2c.chain": "stem"') == 1


def test_a_phase_that_breaks_the_module_is_named(imported: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fused = run_phases(imported)
    lost = tvm.IRModule({"main": fused["main"]})
    monkeypatch.setattr(module_of_phases, "phases", lambda: (Phase("loses_functions", lambda module: lost),))
    with pytest.raises(CompilerError, match="phase loses_functions broke the Relax module") as error:
        run_phases(imported)
    assert "\n" not in str(error.value)
