"""Outlining keeps every binding and puts what is read before what reads it."""

from __future__ import annotations

from typing import Any

import tvm
from tvm import relax
from tvm.script import ir as I
from tvm.script import relax as R

from mnv2c.passes.base import bindings
from mnv2c.passes.outline import ATTRIBUTE, Group, outline


@I.ir_module
class Interleaved:
    @R.function
    def main(x: R.Tensor((4,), "float32")) -> R.Tensor((4,), "float32"):
        with R.dataflow():
            a = R.exp(x)
            p = R.sigmoid(x)
            q = R.tanh(p)
            b = R.multiply(a, q)
            y = R.add(b, p)
            R.output(y)
        return y


def named(module: Any, *names: str) -> tuple[Any, ...]:
    by_name = {binding.var.name: binding.var for binding in bindings(module["main"])}
    return tuple(by_name[name] for name in names)


def test_a_group_that_begins_before_what_it_reads_is_called_after_it() -> None:
    @I.ir_module
    class Expected:
        @R.function(private=True)
        def fused_test_0(x: R.Tensor((4,), "float32"), q: R.Tensor((4,), "float32")) -> R.Tensor((4,), "float32"):
            R.func_attr({"mnv2c.chain": "test"})
            with R.dataflow():
                a = R.exp(x)
                b = R.multiply(a, q)
                R.output(b)
            return b

        @R.function
        def main(x: R.Tensor((4,), "float32")) -> R.Tensor((4,), "float32"):
            cls = Expected
            with R.dataflow():
                p = R.sigmoid(x)
                q = R.tanh(p)
                b = cls.fused_test_0(x, q)
                y = R.add(b, p)
                R.output(y)
            return y

    outlined = outline(Interleaved, [Group("test", named(Interleaved, "a", "b"))])
    tvm.ir.assert_structural_equal(outlined, Expected)


def test_a_value_read_outside_is_a_result_in_the_order_it_is_bound() -> None:
    outlined = outline(Interleaved, [Group("test", named(Interleaved, "p", "q", "a", "b"))])
    function = outlined["fused_test_0"]
    assert function.attrs[ATTRIBUTE] == "test"
    assert len(function.ret_ty.fields) == 2
    assert len(function.params) == 1
    relax.analysis.well_formed(outlined)


def test_two_groups_are_two_functions() -> None:
    groups = [Group("one", named(Interleaved, "a", "b")), Group("two", named(Interleaved, "p", "q"))]
    outlined = outline(Interleaved, groups)
    names = {variable.name_hint for variable in outlined.get_global_vars()}
    assert names == {"main", "fused_one_0", "fused_two_1"}
    relax.analysis.well_formed(outlined)


def test_no_group_leaves_the_module_as_it_is() -> None:
    assert outline(Interleaved, []) is Interleaved
