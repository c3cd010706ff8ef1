"""What is fuzzed: each function does with a file all that mnv2c does with one of its kind, and more than once."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import shutil
from functools import cache
from pathlib import Path

from tests import pipeline
from tests.fuzz.parsers import seeds

PIXELS = 16
"""Side of the picture that pictures are made into."""
MOST_NODES = 1500
"""Of a graph that goes beyond the importer here: every node takes its milliseconds, which is no hang."""
MOST_PARAMETERS = 10_000_000
"""Of a description that goes beyond its costs here: weights of 40 MB take some nine times as much on the way."""
MOST_BYTES = 1 << 26
"""Of an array that is made for an input that a description asks for."""


class WrongAnswer(Exception):
    """A parser took a file and what it says of it contradicts itself."""


def onnx_read(path: Path) -> str:
    """The importer alone."""
    from mnv2c.from_onnx import read_onnx

    _external(path.parent)
    model, content = read_onnx(path)
    if not content:
        raise WrongAnswer("an empty reference")
    return f"{len(model.graph.node)} nodes"


@cache
def _external(folder: Path) -> None:
    (folder / "weights.bin").write_bytes(bytes(432))


def _is_large(path: Path) -> bool:
    from mnv2c.from_onnx import read_onnx

    _external(path.parent)
    return len(read_onnx(path)[0].graph.node) > MOST_NODES


def onnx_front(path: Path) -> str:
    """What `compile` does with a file before it knows the target."""

    if _is_large(path):
        return "large"
    network = pipeline.network(path)
    return " ".join(sorted({node.operator for node in network.fallbacks}))[:80] + f" {len(network.chains)}"


def onnx_plan(path: Path) -> str:
    """What `plan` does with a file: lowering of all fallbacks, layouts, prices, cuts."""
    from mnv2c.api import plan_model

    if _is_large(path):
        return "large"
    found = plan_model(path, "x86-64-v3", schedules="none")
    json.dumps(found.as_dict(), allow_nan=False)
    return f"{len(found.chains)} {len(found.frontier)}"


def spec(path: Path) -> str:
    """A description, its layers and costs; written again it is the same one."""
    from mnv2c.spec import from_toml, to_toml
    from mnv2c.spec.catalogue import describe
    from mnv2c.spec.cost import cost

    found = describe(path).spec
    if from_toml(to_toml(found)) != found:
        raise WrongAnswer(f"{found} is another one when it is written and read again")
    if cost(found).parameters < 1:
        raise WrongAnswer(f"{cost(found)}")
    return f"{found.family} {found.padding} {found.output_stride}"


def spec_inspect(path: Path) -> str:
    """What `inspect` does with a description."""
    from mnv2c import api

    figures = api.inspect(path)
    json.dumps(figures, allow_nan=False)
    return f"{len(api.render_inspection(figures)) // 2000}"


def spec_front(path: Path) -> str:
    """What `compile` does with a description before it knows the target."""
    from mnv2c.spec.catalogue import describe
    from mnv2c.spec.cost import cost

    if cost(describe(path).spec).parameters > MOST_PARAMETERS:
        return "large"
    network = pipeline.network(path)
    return f"{len(network.chains)} {len(network.fallbacks)}"


def target(path: Path) -> str:
    """What is known of a CPU without compiling."""
    from mnv2c import targets

    found = targets.load(path)
    json.dumps(found.as_dict(), allow_nan=False)
    for value in (found.zig_triple, found.llvm_triple, found.mcpu or "-"):
        if not value or not value.isprintable():
            raise WrongAnswer(f"{value!r}")
    return f"{found.isa} {found.libc} {found.vector_bits}"


def target_plan(path: Path) -> str:
    """A small network planned for the CPU of a file."""
    from mnv2c.api import plan_model

    found = plan_model(_tiny(path.parent), path, schedules="none")
    json.dumps(found.as_dict(), allow_nan=False)
    return f"{found.target[:5]} {len(found.chains)}"


@cache
def _tiny(folder: Path) -> Path:
    path = folder / "small.toml"
    path.write_text(seeds.TINY)
    return path


def weights(path: Path) -> str:
    """Weights for a network that may take from them what it leaves open."""
    import numpy as np

    from mnv2c.weights import load

    found = load(path, seeds.tiny(), stated=frozenset({"rows"}) if path.stat().st_size % 2 else frozenset())
    for name, tensor in found.tensors.items():
        if tensor.dtype != np.float32 or not np.isfinite(tensor).all():
            raise WrongAnswer(f"{name}: {tensor.dtype}")
    json.dumps(found.preprocessing, allow_nan=False)
    return f"{found.source.name} {found.card is not None}"


def records(path: Path) -> str:
    """Records of tuning: read, listed, and merged into a file that holds the same."""
    from mnv2c.records import manage, store
    from mnv2c.records.best import OWN, best_of
    from mnv2c.records.record import from_line, to_line

    said: list[str] = []
    found = store.read_file(path, said.append)
    store.newer_lines(path)
    for record in found:
        again = from_line(to_line(record))
        if again is None or to_line(again) != to_line(record):
            raise WrongAnswer(f"{to_line(record)} is not read as it was written")
    if not all(text.isprintable() for text in said):
        raise WrongAnswer(f"{said}")
    best_of([(OWN, found)], ["cortex-a76"], 1)
    if found:
        merged = path.parent / "merged.json"
        merged.unlink(missing_ok=True)
        manage.merge_schedules([path], merged, everything=True)
    return f"{len(found)} {len(said)}"


def records_plan(path: Path) -> str:
    """A network planned with records of its own chains."""
    import warnings

    from mnv2c.api import plan_model

    folder = path.parent / "schedules"
    folder.mkdir(exist_ok=True)
    shutil.copy(path, folder / "x86-64-v3.jsonl")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = plan_model(_tiny(path.parent), "x86-64-v3", schedules=folder)
    json.dumps(found.as_dict(), allow_nan=False)
    return f"{len(found.chains)} {sum(chain.tuned is not None for chain in found.chains)}"


def picture(path: Path) -> str:
    """A picture as the input of a network, by each way to fit it."""
    import numpy as np

    from mnv2c.pictures.image import Preprocessing, load_image

    fit = ("crop", "stretch", "letterbox")[path.stat().st_size % 3]
    tensor = load_image(path, PIXELS, PIXELS, Preprocessing(fit=fit))
    if tensor.shape != (1, PIXELS, PIXELS, 3) or not (np.abs(tensor) <= 1).all():
        raise WrongAnswer(f"{tensor.shape} {tensor.min()} {tensor.max()}")
    return str(path.read_bytes()[:4])


def labels(path: Path) -> str:
    """Names of classes."""
    from mnv2c.frames.labels import by_class, read_labels

    found = by_class(read_labels(path), 3, 1)
    if any("\n" in name or "\0" in name for name in found):
        raise WrongAnswer(f"{found}")
    return str(min(len(found), 8))


def name_json(path: Path) -> str:
    """What `NAME.json` says of a library, for all that uses it without loading it."""
    from mnv2c.pictures.image import Preprocessing
    from mnv2c.runtime.metadata import read
    from mnv2c.runtime.summary import summary

    found = read(path)
    for each in (found, *(found.of(variant) for variant in found.variants)):
        sizes = [port.bytes for port in (*each.inputs, *each.outputs)]
        sizes += [place.tensor.bytes for step in each.steps for place in step.results]
        if not all(size >= 0 for size in sizes):
            raise WrongAnswer(f"{sizes}")
    for port in found.metadata["inputs"]:
        Preprocessing.from_metadata(port)
    json.dumps(summary(path))
    return f"{len(found.steps)} {len(found.variants)}"


def library(path: Path) -> str:
    """A library that is loaded and run as `NAME.json` says."""
    import numpy as np

    from mnv2c import runtime

    _beside(path.parent)
    made = runtime.load(path)
    ports = made.description.inputs
    if any(math.prod(port.shape) > MOST_BYTES for port in ports):
        raise WrongAnswer(f"inputs of {[port.shape for port in ports]}")
    inputs = tuple(np.zeros(port.shape, port.dtype) for port in ports)
    made(*inputs)
    answer = made.run_frame(np.zeros((9, 7, 3), np.uint8)) if made.metadata.get("frames") else None
    steps = sum(1 for _ in made.trace(*inputs))
    return f"{steps} {type(answer).__name__}"


@cache
def _beside(folder: Path) -> None:
    for path in seeds.library().glob("lib*"):
        shutil.copy(path, folder / path.name)


FLAGS = frozenset(
    "--width --resolution --classes --json --target --arena-limit --threads --schedules --seed --weights --mean --std "
    "--fit --channels --name --dtype --libc --batch --no-join --weights-source --top --score --variant -o".split()
)
"""Options that are tried; those that name files to be written are not, but for the folder OUT, which is never made."""


def options(path: Path) -> str:
    """A command line, a word a line: 0 or a mistake of the user's in one line."""
    from mnv2c.cli.main import main
    from mnv2c.errors import UserError

    words = path.read_bytes().decode(errors="replace").split("\n")
    if any(word.startswith("-") and word.split("=")[0] not in FLAGS for word in words):
        return "left out"
    if "-o" in words[:-1]:
        words[words.index("-o") + 1] = str(path.parent / "OUT")
    names = {"MODEL": str(_tiny(path.parent)), "NONE": str(path.parent / "none.onnx"), "OUT": str(path.parent / "OUT")}
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([names.get(word, word) for word in words])
    if code not in (0, 2) or "internal error" in err.getvalue():
        raise WrongAnswer(f"exit code {code}: {err.getvalue()[:300]}")
    if code == 2:
        *_, message = err.getvalue().removesuffix("\n").split("\n")  # progress goes there, too
        raise UserError(message)
    if os.path.exists(path.parent / "OUT"):
        raise WrongAnswer("the folder OUT was made")
    return words[0]
