"""What LLVM is told of a target."""

from dataclasses import replace

import pytest

from mnv2c import targets
from mnv2c.codegen.object import tvm_target
from mnv2c.errors import TargetError


@pytest.mark.parametrize("name", targets.names())
def test_llvm_knows_every_cpu(name: str) -> None:
    assert tvm_target(targets.load(name)).attrs["mcpu"] == targets.load(name).mcpu


@pytest.mark.parametrize("mcpu", ["cortex-a999", "znver4", "help"])
def test_an_unknown_cpu_is_refused(mcpu: str) -> None:
    """LLVM itself says so on stderr and generates code for any CPU, as if nothing had happened."""
    target = replace(targets.load("cortex-a76"), name="mine", mcpu=mcpu)
    with pytest.raises(TargetError, match=f'target mine: mcpu "{mcpu}" is no CPU of aarch64 that LLVM knows'):
        tvm_target(target)
