"""What a model is and costs: a JSON-ready dictionary, and the same as tables for the terminal. KB = 1000 B."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from mnv2c.dtypes import FLOAT32
from mnv2c.report.paper import footnotes
from mnv2c.spec import Layer, ModelSpec, layers
from mnv2c.spec.cost import cost
from mnv2c.spec.heads import FLIPS, detector_head_cost, multi_scale, padded_madds
from mnv2c.spec.layer import WEIGHTLESS
from mnv2c.spec.memory import Graph, Peak, bottleneck_graph, layer_graph, local_peak
from mnv2c.spec.model import family_fields
from mnv2c.spec.search import minimum_peak
from mnv2c.spec.table3 import BYTES_PER_ELEMENT, Line, Tensor, table3

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

RENDER_WIDTH = 110  # columns
WINDOWLESS = WEIGHTLESS | {"dense"}  # kinds with no window worth printing


def inspection(spec: ModelSpec) -> dict[str, Any]:
    """Return name, params, params_without_bn, params_folded, madds, input, layers, memory, spec and notes.

    Of a detector also ``head``, the extra and the prediction layers alone; of a segmenter ``madds_padded`` and
    ``multi_scale``, which ``mnv2c.spec.heads`` explains.
    """
    total = cost(spec)
    return {
        "name": spec.name,
        "input": {"shape": [1, spec.height, spec.image_width, 3], "dtype": "float32", "layout": "NHWC"},
        "params": total.parameters,
        "params_without_bn": total.parameters_without_bn,
        "params_folded": total.parameters_folded,
        "madds": total.madds,
        **_of_family(spec),
        "layers": [_layer(layer) for layer in layers(spec)],
        "memory": memory(spec),
        "spec": {name: getattr(spec, name) for name in family_fields(spec.family)}
        | {"rows": list(map(list, spec.rows))},
        "notes": footnotes(spec),
    }


def _of_family(spec: ModelSpec) -> dict[str, Any]:
    """The counts that only detectors or segmenters have."""
    if spec.family == "detector":
        head = detector_head_cost(spec)
        return {"head": {"params": head.parameters, "madds": head.madds}}
    if spec.family == "segmenter":
        sizes = multi_scale(spec)
        several = {
            "sizes": [[each.height, each.image_width] for each in sizes],
            "madds": FLIPS * sum(cost(each).madds for each in sizes),
            "madds_padded": FLIPS * sum(padded_madds(each) for each in sizes),
        }
        return {"madds_padded": padded_madds(spec), "multi_scale": several if sizes else None}
    return {}


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        "name": layer.name,
        "kind": layer.kind,
        "inputs": list(layer.inputs),
        "input_shape": list(layer.input_shape),
        "output_shape": list(layer.output_shape),
        "kernel": list(layer.kernel),
        "stride": list(layer.stride),
        "dilation": list(layer.dilation),
        "padding": [list(pair) for pair in layer.padding],
        "groups": layer.groups,
        "activation": layer.activation,
        "params": layer.parameters,
        "params_without_bn": layer.parameters_without_bn,
        "madds": layer.madds,
    }


def memory(spec: ModelSpec) -> dict[str, Any]:
    """Return equations (1) and (2) in float32 bytes, unfused and with a bottleneck as one operation, and Table 3 of a
    classifier.

    The image and the result belong to the caller and are not counted; Table 3 has the paper's 16-bit elements.
    """
    return {
        "bytes_per_element": FLOAT32.bytes,
        "unfused": _bounds(layer_graph(spec)),
        "bottlenecks": _bounds(bottleneck_graph(spec)),
        "table3_bytes_per_element": BYTES_PER_ELEMENT,
        "table3": [_table3_line(line) for line in table3(spec)] if spec.family == "classifier" else [],
    }


def _bounds(graph: Graph) -> dict[str, Any]:
    return {"equation_1": _peak(minimum_peak(graph)), "equation_2": _peak(local_peak(graph))}


def _peak(peak: Peak) -> dict[str, Any]:
    return {"bytes": peak.elements * FLOAT32.bytes, "at": peak.operation}


def _table3_line(line: Line) -> dict[str, Any]:
    return {
        "size": list(line.size),
        "paper": {"channels": line.paper.channels, "kb": line.paper.kilobytes} if line.paper else None,
        "formula": _tensor(line.formula) if line.formula else None,
        "real": _tensor(line.real),
    }


def _tensor(tensor: Tensor) -> dict[str, Any]:
    return {"layer": tensor.layer, "channels": tensor.shape[2], "bytes": tensor.bytes}


def render(found: dict[str, Any], width: int = RENDER_WIDTH) -> str:
    """Return an ``inspection`` as plain text, at most ``width`` columns wide."""
    from rich.console import Console

    text = io.StringIO()
    show(found, Console(file=text, width=width, color_system=None, force_terminal=False, force_jupyter=False))
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def show(found: dict[str, Any], console: Console) -> None:
    """Print an ``inspection`` on ``console``."""
    _, height, width, _ = found["input"]["shape"]
    console.print(f"{found['name']}: {height}x{width} image, width {found['spec']['width']:g}", style="bold")
    console.print(_layer_table(found), _total_lines(found) + _family_lines(found))
    console.print(
        "Memory bounds of the paper's section 5, float32, KB (image and result are the caller's)", style="bold"
    )
    console.print(_bound_table(found["memory"]))
    if found["memory"]["table3"]:
        console.print(
            "Table 3: channels/KB to materialise per resolution, 16-bit (paper: width 1 at 224)", style="bold"
        )
        console.print(_table3_table(found["memory"]))
    for number, note in enumerate(found["notes"], start=1):
        console.print(f"[{number}] {note}", markup=False)


def _table(*columns: str) -> Table:
    """A table whose first column is left-aligned and whose others are right-aligned."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left", no_wrap=True)
    return table


def _layer_table(found: dict[str, Any]) -> Table:
    table = _table("layer", "output", "window", "params", "without BN", "MAdds")
    for layer in found["layers"]:
        counts = (f"{layer[key]:,}" for key in ("params", "params_without_bn", "madds"))
        table.add_row(layer["name"], _by(layer["output_shape"]), _window(layer), *counts)
    return table


def _window(layer: dict[str, Any]) -> str:
    """The window of a layer as ``3x3 s2 d1``."""
    if layer["kind"] in WINDOWLESS:
        return ""
    dilation = f" d{layer['dilation'][0]}" if layer["dilation"][0] > 1 else ""
    stride = f" s{layer['stride'][0]}" if layer["stride"][0] > 1 else ""
    return _by(layer["kernel"]) + stride + dilation


def _total_lines(found: dict[str, Any]) -> str:
    return (
        f"params {found['params']:,} (without BN {found['params_without_bn']:,}, after folding "
        f"{found['params_folded']:,}); MAdds {found['madds']:,} ({found['madds'] / 1e6:.1f} M)\n"
    )


def _family_lines(found: dict[str, Any]) -> str:
    """The counts of ``_of_family``, in a line each."""
    lines = []
    if head := found.get("head"):
        lines.append(f"extra and prediction layers: params {head['params']:,}; MAdds {head['madds']:,}")
    if found.get("madds_padded", found["madds"]) != found["madds"]:
        lines.append(f"with ASPP's maps padded to multiples of the rate: MAdds {found['madds_padded']:,}")
    if several := found.get("multi_scale"):
        sizes = ", ".join(map(_by, several["sizes"]))
        padded = f" (padded {several['madds_padded']:,})" if several["madds_padded"] != several["madds"] else ""
        lines.append(f"MF, {sizes}, each flipped too:\n  MAdds {several['madds']:,}{padded}")
    return "".join(f"{line}\n" for line in lines)


def _bound_table(found: dict[str, Any]) -> Table:
    table = _table("graph", "equation (1)", "at", "equation (2)", "at")
    for key, label in (("unfused", "every layer one operation"), ("bottlenecks", "every bottleneck one operation")):
        bounds = [found[key][equation] for equation in ("equation_1", "equation_2")]
        table.add_row(label, *(cell for bound in bounds for cell in (_kilobytes(bound["bytes"]), bound["at"])))
    return table


def _table3_table(found: dict[str, Any]) -> Table:
    table = _table("size", "paper", "its formula", "real tensor", "made by")
    for line in found["table3"]:
        real = line["real"]
        table.add_row(_by(line["size"]), _printed(line["paper"]), _cell(line["formula"]), _cell(real), real["layer"])
    return table


def _printed(paper: dict[str, Any] | None) -> str:
    if paper is None:
        return "-"
    return f"{paper['channels']}/{'O(1)' if paper['kb'] is None else paper['kb']}"


def _cell(tensor: dict[str, Any] | None) -> str:
    return f"{tensor['channels']}/{_kilobytes(tensor['bytes'])}" if tensor else "-"


def _kilobytes(count: int) -> str:
    return f"{count / 1000:,.1f}"


def _by(extents: list[int]) -> str:
    return "x".join(map(str, extents))
