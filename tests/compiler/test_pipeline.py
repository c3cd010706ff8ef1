"""The list of phases, and that of passes: every pass leaves a well-formed module, every phase its artefacts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tvm
from tvm import relax

from mnv2c.compiler.compilation import Compilation
from mnv2c.compiler.dump import Dump
from mnv2c.compiler.options import CompileOptions, PlanOptions
from mnv2c.compiler.pipeline import PHASES, Phase, run
from mnv2c.errors import CompilerError, OnnxError
from mnv2c.passes.order import FUSE, NORMALISE, canonical, run_passes
from mnv2c.spec import load
from mnv2c.to_onnx import emit
from mnv2c.to_relax.importer import import_onnx
from mnv2c.weights import random_weights

SMALL: dict[str, Any] = {"width": 0.35, "resolution": "33x47", "classes": 4}
RELAX = ["20-relax.py", "25-normalised.py", "30-fused.py"]


@pytest.fixture(scope="module")
def imported() -> Any:
    spec = load("mobilenet_v2", **SMALL)
    return import_onnx(emit(spec, random_weights(spec, 0))).module


def test_every_pass_leaves_a_well_formed_module(imported: Any) -> None:
    module = canonical(imported)
    for each in (*NORMALISE, *FUSE):
        module = each(module)
        relax.analysis.well_formed(module)
        assert [str(p.ty.dtype) for p in module["main"].params] == ["float32"], each.__name__


def test_names_are_unique() -> None:
    assert len({phase.name for phase in PHASES}) == len(PHASES)
    assert len({each.__name__ for each in (*NORMALISE, *FUSE)}) == len(NORMALISE) + len(FUSE)


def test_the_shares_of_progress_grow() -> None:
    shares = [phase.progress[1] for phase in PHASES if phase.progress is not None]
    assert shares[0] == 0 and shares == sorted(set(shares)) and shares[-1] < 1


def test_artefacts_are_numbered_in_order_and_those_of_relax_are_its_scripts(tmp_path: Path) -> None:
    run(Compilation(PlanOptions("mobilenet_v2", **SMALL)), last="network", folder=Dump(tmp_path))
    dumped = {path.name: path.read_bytes() for path in sorted(tmp_path.iterdir())}
    assert list(dumped) == ["10-model.onnx", *RELAX]
    text = {name: dumped[name].decode() for name in RELAX}
    assert "R.nn.batch_norm" in text["20-relax.py"]
    assert "R.nn.batch_norm" not in text["25-normalised.py"]
    assert 'data_layout="NCHW"' not in text["25-normalised.py"]
    assert text["30-fused.py"].count('"mnv2c.chain": "bottleneck"') == 16
    assert text["30-fused.py"].count('"mnv2c.chain": "stem"') == 1


def test_a_pass_that_breaks_the_module_is_named(imported: Any) -> None:
    def loses_functions(module: Any) -> Any:
        return tvm.IRModule({"main": module["main"]})

    fused = run_passes(canonical(imported), (*NORMALISE, *FUSE))
    with pytest.raises(CompilerError, match="pass loses_functions broke the Relax module") as error:
        run_passes(fused, (loses_functions,))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("fault", [CompilerError, OnnxError])
def test_an_error_without_a_type_becomes_one_line(monkeypatch: pytest.MonkeyPatch, fault: type[Exception]) -> None:
    def fails(state: Compilation) -> None:
        raise KeyError("first\nlast")

    phases = (Phase("fails", fails, "done", fault=lambda state: fault),)  # type: ignore[arg-type,return-value]
    monkeypatch.setattr("mnv2c.compiler.pipeline.PHASES", phases)
    with pytest.raises(fault, match=r"^net cannot be done: KeyError: .*last") as error:
        run(Compilation(PlanOptions("net")), first="fails", last="fails")
    assert "\n" not in str(error.value)


def test_what_was_asked_is_one_value_with_the_names_of_the_api() -> None:
    import inspect

    from mnv2c import api

    names = list(inspect.signature(api.compile_model).parameters)
    assert names == list(inspect.signature(CompileOptions).parameters)
    assert names[:2] == ["model", "target"] and {"output", "threads", "check"} < set(names)
    with pytest.raises(TypeError, match="output"):
        api.compile_model("mobilenet_v2")  # type: ignore[call-arg]
