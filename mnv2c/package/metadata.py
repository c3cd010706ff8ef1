"""``NAME.json``: all that is known about a library, for people, scripts and the Python runtime."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mnv2c.common.version import __version__
from mnv2c.errors import CompilerError
from mnv2c.package.header import ABI
from mnv2c.plan.program import ArenaBuffer, Port, Program, Result, Step

if TYPE_CHECKING:
    from mnv2c.targets import Target

SCHEMA = "mnv2c-library-1"
"""Marks a JSON file as the description of a library, and its version."""


def metadata(
    program: Program,
    name: str,
    target: Target,
    *,
    summary: str,
    dtype: str,
    params: int,
    madds: int,
    model: Mapping[str, object],
    weights_source: str,
    toolchain: Mapping[str, str],
    chains: Sequence[Mapping[str, object]],
    fallbacks: Sequence[Mapping[str, object]],
    fallback_work: Mapping[str, object] | None = None,
    selftest: Mapping[str, object] | None = None,
    preprocessing: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """The description as plain data. ``chains`` and ``fallbacks`` have ``name`` = the label of their step.

    ``fallback_work`` says how much of the work fallbacks do. ``preprocessing`` is the first input's, where anything is
    known of it.
    Step number, kernel, what it reads and results are added to each; CompilerError where a step belongs to none.
    """
    rest = dict(enumerate(program.steps))
    inputs = [_port(port) for port in program.inputs]
    described: dict[str, object] = {
        "schema": SCHEMA,
        "name": name,
        "summary": summary,
        "abi": ABI,
        "version": __version__,
        "target": target.as_dict(),
        "dtype": dtype,
        "files": {"shared": target.platform.system.shared_file(name, ABI), "static": f"lib{name}.a"},
        "threads": program.threads,
        "inputs": inputs,
        "outputs": [_port(port) for port in program.outputs],
        "params": params,
        "madds": madds,
        "arena_bytes": program.arena_bytes,
        "arena_alignment": program.arena_alignment,
        "weights_bytes": len(program.weights),
        "model": dict(model),
        "weights_source": weights_source,
        "toolchain": dict(toolchain),
        "chains": [_with_step(chain, rest) for chain in chains],
        "fallbacks": [_with_step(fallback, rest) for fallback in fallbacks],
        "buffers": [_buffer(buffer) for buffer in program.buffers],
        "selftest": dict(selftest or {"pattern": "lcg", "outputs": len(program.outputs)}),
    }
    if fallback_work is not None:
        described["fallback_work"] = dict(fallback_work)
    if preprocessing:
        inputs[0]["preprocessing"] = dict(preprocessing)
    if rest:
        raise CompilerError(f"metadata: steps {sorted(rest)} belong to no chain and no fallback")
    return described


OF_A_VARIANT = ("target", "chains", "fallbacks", "buffers")
"""What differs between the variants of a library."""


def with_variants(described: Sequence[Mapping[str, Any]], target: str) -> dict[str, Any]:
    """Join the descriptions of a library's variants, best first: that of the first one, with all ``variants``.

    ``target`` names all of them; one description alone stays as it is.
    """
    first = dict(described[0])
    if len(described) == 1:
        return first
    named = {"target": {**first["target"], "name": target}}
    return first | named | {"variants": [{key: entry[key] for key in OF_A_VARIANT} for entry in described]}


def to_json(value: Mapping[str, object]) -> str:
    """JSON with one line per entry of the top level and per item of its lists; equal input gives equal text."""
    entries = [f"  {json.dumps(key)}: {_value(item)}" for key, item in value.items()]
    return "{\n" + ",\n".join(entries) + "\n}\n"


def _value(item: object) -> str:
    if isinstance(item, list) and item and isinstance(item[0], Mapping):
        return "[\n" + ",\n".join(f"    {json.dumps(entry)}" for entry in item) + "\n  ]"
    return json.dumps(item)


def _port(port: Port) -> dict[str, object]:
    return {
        "name": port.name,
        "shape": list(port.shape),
        "dtype": port.dtype,
        "layout": port.layout,
        "bytes": port.bytes,
    }


def _with_step(entry: Mapping[str, object], rest: dict[int, Step]) -> dict[str, object]:
    """Join an entry with the first step of its name that no other entry took."""
    index = next((index for index, step in rest.items() if step.label == entry["name"]), None)
    if index is None:
        raise CompilerError(f"metadata: no step is called {entry['name']!r}")
    step = rest.pop(index)
    return {
        **entry,
        "step": index,
        "kernel": step.kernel,
        "reads": list(step.reads),
        "weights_bytes": step.weights_bytes,
        "results": [_result(item) for item in step.results],
    }


def _buffer(buffer: ArenaBuffer) -> dict[str, object]:
    return {
        "name": buffer.name,
        "offset": buffer.offset,
        "bytes": buffer.bytes,
        "first": buffer.first,
        "last": buffer.last,
        "tensors": list(buffer.tensors),
    }


def _result(result: Result) -> dict[str, object]:
    return {
        "name": result.name,
        "space": str(result.location.space),
        "offset": result.location.offset,
        "index": result.location.index,
        "shape": list(result.shape),
        "dtype": result.dtype,
        "onnx": result.onnx_name,
        "onnx_layout": result.onnx_layout,
    }
