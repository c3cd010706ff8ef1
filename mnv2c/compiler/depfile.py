"""``--depfile FILE``: what a library was made from, as a rule for make and ninja."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mnv2c.common import data
from mnv2c.common.escape import make_word
from mnv2c.compiler.variants import parts
from mnv2c.errors import OutputError
from mnv2c.from_onnx.formats import is_onnx
from mnv2c.targets import load


def inputs(
    model: str | Path,
    weights: str | Path | None,
    target: str | Path,
    labels: str | Path | None = None,
    records: Sequence[Path] = (),
) -> list[Path]:
    """The files that decide what a compile makes: model, weights, labels, targets, records, mnv2c; absolute, sorted."""
    used = [
        *_model_files(Path(model)),
        *(Path(file) for file in (weights, labels) if file is not None),
        *(_target_file(part) for part in parts(target)),
        *records,
        data.PACKAGE / "__init__.py",
    ]
    return sorted({path.resolve() for path in used})


def _target_file(name: str) -> Path:
    """The file of a target; that of the CPU it came to for ``host``."""
    return Path(name) if name.endswith(".toml") else data.folder("targets") / f"{load(name).entry}.toml"


def _model_files(model: Path) -> list[Path]:
    """The model's own file, and the files that an ONNX file keeps its weights in."""
    if model.suffix == ".toml":
        return [model]
    if not is_onnx(model):
        return [data.PACKAGE / "spec" / "zoo" / f"{model.name}.toml"]
    import onnx
    from onnx.external_data_helper import uses_external_data

    graph = onnx.load(str(model), load_external_data=False).graph
    outside = [tensor for tensor in graph.initializer if uses_external_data(tensor)]
    names = {entry.value for tensor in outside for entry in tensor.external_data if entry.key == "location"}
    return [model, *(model.parent / name for name in names)]


def write_depfile(path: Path, made: Path, used: list[Path]) -> None:
    """Write the rule "``made`` depends on ``used``" to ``path``, all at once; OutputError."""
    from mnv2c.package import write

    if path.is_dir():
        raise OutputError(f"{path}: is a folder; give a file with --depfile")
    lines = [f"{_word(made.absolute())}:", *(f"  {_word(file)}" for file in used)]
    write(path.parent, {path.name: " \\\n".join(lines) + "\n"})


def _word(path: Path) -> str:
    try:
        return make_word(str(path))
    except ValueError:
        raise OutputError(
            f"--depfile: {path}: no dependency file can say a semicolon or control character; rename it"
        ) from None
