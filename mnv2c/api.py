"""The Python API: thin functions over the packages that do the work, each imported when it is first needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnv2c.common.keywords import taking
from mnv2c.compiler.options import CompileOptions, PlanOptions

if TYPE_CHECKING:
    from mnv2c.benchmark import Emulated, Timed
    from mnv2c.benchmark.profile.result import Profile
    from mnv2c.compiler import Compiled
    from mnv2c.compiler.planned import Plan
    from mnv2c.from_onnx.input_shapes import Given
    from mnv2c.learning.evaluation.measure import Accuracy
    from mnv2c.pictures.prediction import Prediction
    from mnv2c.runtime import Library
    from mnv2c.tune.session.entry import tune_model as tune_model
    from mnv2c.verification.comparison import Report

#: What ``describe`` returns: plain data for JSON.
Summary = dict[str, Any]


ELSEWHERE = {
    "describe": ("mnv2c.runtime.summary", "summary"),
    "doctor": ("mnv2c.report.doctor", "diagnose"),
    "draw_frontier": ("mnv2c.report.plan", "draw"),
    "render_inspection": ("mnv2c.report.inspect", "render"),
    "targets": ("mnv2c.report.doctor", "target_table"),
    **{f"{verb}_schedules": ("mnv2c.records.manage", f"{verb}_schedules") for verb in ("list", "prune", "merge")},
    "show_schedule": ("mnv2c.records.manage", "show_schedule"),
    "tune_model": ("mnv2c.tune.session.entry", "tune_model"),
}
"""Functions that belong here as they are: the modules that they, and perhaps TVM, come from on first use."""


def __getattr__(name: str) -> Any:
    """Import what is listed in ``ELSEWHERE``."""
    if name in ELSEWHERE:
        module, function = ELSEWHERE[name]
        return getattr(import_module(module), function)
    raise AttributeError(f"module 'mnv2c.api' has no attribute {name!r}")


@taking(CompileOptions)
def compile_model(options: CompileOptions) -> Compiled:
    """Compile a zoo model, a TOML spec or an ONNX file into ``output``; the README lists the files written there.

    Several targets joined by "+" make one library with kernels for each, which chooses among them when it is started.
    Without ``weights`` the weights are random, from ``seed``; ``weights_source`` names their source (one of
    ``mnv2c.weights.SOURCES``) where the tensor names do not tell. ``width``, ``resolution`` (height x width) and
    ``classes`` override the spec. ``input_shape`` says how large the inputs of an ONNX file are that it leaves open:
    "1,3,224,224" or (1, 3, 224, 224) for the only one, {"NAME": (1, 3, 224, 224)} for several. Up to ``threads``
    threads can share the work of a run. ``arena_limit`` is the most memory, in bytes, that a run may take beside inputs
    and outputs; without, the smallest plan is taken that is predicted to be as fast as the fastest within half a
    percent. Without ``join`` every bottleneck has a kernel and a result of its own. ``schedules`` is the folder of the
    user's records of tuning, instead of that of ``$MNV2C_SCHEDULES`` or the user's data folder; "none" means that no
    records are used. ``labels`` is a text file with the name of a class per line; one that lacks only the background
    gets it. ``preprocessing`` says how pictures become inputs where the weights' source does not tell, or otherwise:
    ``mean`` and ``deviation`` (three numbers each, for pixel values of 0 to 1), ``fit`` ("stretch", "letterbox",
    "crop"), ``crop`` (the share that a crop keeps), ``channels`` ("rgb", "bgr"). ``check`` says which kernels run
    and are compared with onnxruntime before anything is written: "all" (the default, or what ``$MNV2C_CHECK`` says),
    which emulates those of other CPUs where qemu is installed, "native", or "none". ``dump`` is a folder for the
    artefact of every phase; ``depfile`` is a file for the names of all that was read, as make and ninja take them.
    Raises UserError, before anything is written, when an input is at fault, and VerificationError where the library
    computes something else than the network.
    """
    from mnv2c.compiler import compile_model as run

    return run(options)


def load(directory: str | Path, threads: int = 1, variant: str | None = None) -> Library:
    """Load a compiled folder; the result maps float32 NHWC arrays to one array or a tuple. Needs only numpy.

    Up to as many ``threads`` as it was compiled for share the work of a run. ``variant`` is one of the CPUs that it has
    kernels for; without, it chooses itself. The same holds for the functions below.
    """
    from mnv2c import runtime

    return runtime.load(directory, threads=threads, variant=variant)


def run(
    directory: str | Path,
    images: Sequence[str | Path],
    *,
    top: int = 5,
    score: float = 0.3,
    labels: str | Path | None = None,
    picture: str | Path | None = None,
    threads: int | None = None,
    also: Sequence[str | Path] = (),
    flip: bool = False,
    variant: str | None = None,
) -> list[Prediction]:
    """Run picture files through a compiled folder, under an emulator where the target is another CPU.

    The answers are the ``top`` classes, detections above ``score``, or the classes of a mask. ``labels`` is a text file
    with one class name per line, instead of the library's own; ``picture`` is written from the only image, with its
    answer; ``threads`` is at most what the folder was compiled for, which is the default. Segmenters that give logits
    are averaged with those in the folders ``also``, and with ``flip`` over the mirrored picture. UserError for
    unreadable files, LibraryError for a folder that cannot run here.
    """
    from mnv2c.pictures import prediction

    return prediction.classify(
        Path(directory),
        images,
        top=top,
        score=score,
        labels=labels,
        picture=picture,
        threads=threads,
        variant=variant,
        also=also,
        flip=flip,
    )


def verify(
    directory: str | Path, *, seed: int = 0, check: bool = True, threads: int | None = None, variant: str | None = None
) -> Report:
    """Compare every step of a compiled folder with onnxruntime on a seeded random input.

    Of kernels for several CPUs all are compared that this machine can run, or those of ``variant``.
    ``threads`` is at most what the folder was compiled for, which is the default. With ``check``, VerificationError
    where an error is above the tolerance; else see ``Report.passed``.
    """
    from mnv2c.verification import comparison

    report = comparison.compare(Path(directory), seed=seed, threads=threads, variant=variant)
    if check:
        report.raise_if_failed()
    return report


def evaluate(
    directory: str | Path,
    data: str,
    *,
    limit: int | None = None,
    threads: int | None = None,
    by: str = "library",
    variant: str | None = None,
    progress: Callable[[str, float], None] = lambda phase, fraction: None,
) -> Accuracy:
    """Measure how often a compiled folder is right: top-1 and top-5, mAP or mIOU, by its task.

    ``data`` is a folder in the layout of ImageNet, COCO or PASCAL VOC, or ``shapes[:SEED[:COUNT]]``: generated scenes.
    ``by`` "library" measures with the library's own C before and after the network, "pillow" with Pillow and NumPy.
    UserError for data that is missing, damaged or has other classes; LibraryError for a folder that cannot run here.
    """
    from mnv2c.learning.evaluation.measure import evaluate as measure

    return measure(directory, data, limit=limit, threads=threads, by=by, variant=variant, progress=progress)


def draw_scenes(
    folder: str | Path,
    layout: str,
    *,
    seed: int | None = None,
    count: int = 500,
    progress: Callable[[str, float], None] = lambda phase, fraction: None,
) -> Path:
    """Draw ``count`` labelled pictures of shapes into a new folder in the layout "imagenet", "coco" or "voc".

    Without ``seed`` they are those that ``evaluate(dir, "shapes")`` measures with. UserError, OutputError.
    """
    from mnv2c.learning.scenes import HELD_OUT_SEED
    from mnv2c.learning.scenes.folders import write_folder

    return write_folder(Path(folder), layout, HELD_OUT_SEED if seed is None else seed, count, progress)


def bench(
    directory: str | Path,
    *,
    threads: int = 1,
    rounds: int = 9,
    runs: int | None = None,
    against: str | list[str] | tuple[str, ...] = (),
    device: str = "local",
    steps: bool = False,
    variant: str | None = None,
    progress: Callable[[str, float], None] = lambda phase, fraction: None,
) -> Timed | Emulated:
    """Time a compiled folder, and the peers named by ``against`` in the same interleaved rounds on the same network.

    With ``device="emulator"`` count its instructions, memory accesses and simulated cache misses instead, and those of
    the peers' ARM builds, with ``steps`` also per step. A peer that cannot run is named in the result. UserError,
    LibraryError.
    """
    from mnv2c import benchmark

    return benchmark.bench(
        Path(directory),
        threads=threads,
        rounds=rounds,
        runs=runs,
        against=against,
        device=device,
        steps=steps,
        variant=variant,
        progress=progress,
    )


def profile(
    directory: str | Path,
    *,
    rounds: int = 9,
    runs: int | None = None,
    html: str | Path | None = None,
    variant: str | None = None,
    progress: Callable[[str, float], None] = lambda phase, fraction: None,
) -> Profile:
    """Time every step of a compiled folder on this machine beside the CPU's peak, and describe its memory.

    ``html`` is a file for a self-contained page with pictures. UserError, OutputError; LibraryError for a folder that
    cannot run here.
    """
    from mnv2c.benchmark.profile import profile as measure

    _check_page(html)
    found = measure(Path(directory), rounds=rounds, runs=runs, variant=variant, progress=progress)
    if html is not None:
        from mnv2c.report.profile import page

        write_file(Path(html), page(found.as_dict()).encode())
    return found


def inspect(
    model: str | Path,
    *,
    width: float | None = None,
    resolution: int | str | tuple[int, int] | None = None,
    classes: int | None = None,
) -> dict[str, Any]:
    """Return name, layers, parameters, multiply-adds and memory of a model as plain data, or raise SpecError."""
    from mnv2c import spec
    from mnv2c.from_onnx.formats import refuse_all_formats
    from mnv2c.report.inspect import inspection

    refuse_all_formats(model)
    return inspection(spec.load(model, width=width, resolution=resolution, classes=classes))


def plan_model(
    model: str | Path,
    target: str | Path = "host",
    *,
    width: float | None = None,
    resolution: int | str | tuple[int, int] | None = None,
    classes: int | None = None,
    input_shape: Given = None,
    threads: int = 1,
    arena_limit: int | None = None,
    schedules: str | Path | None = None,
    html: str | Path | None = None,
    progress: Callable[[str, float], None] = lambda phase, fraction: None,
) -> Plan:
    """Return the plan that ``compile`` would take, and all between which predicted time and memory can be traded.

    ``input_shape`` and ``schedules``, the user's records, are as for ``compile``; ``arena_limit`` is the most memory in
    bytes. ``html`` is a file for a self-contained page with pictures. Nothing is compiled. UserError, PlanError where
    nothing fits the limit, OutputError.
    """
    from mnv2c.compiler import planned

    _check_page(html)
    options = PlanOptions(
        model,
        target,
        width=width,
        resolution=resolution,
        classes=classes,
        input_shape=input_shape,
        threads=threads,
        arena_limit=arena_limit,
        schedules=schedules,
        progress=progress,
    )
    found = planned.plan_model(options)
    if html is not None:
        from mnv2c.report.plan import page

        write_file(Path(html), page(found.as_dict()).encode())
    return found


def export(
    model: str | Path,
    output: str | Path,
    *,
    weights: str | Path | None = None,
    weights_source: str | None = None,
    seed: int = 0,
    width: float | None = None,
    resolution: int | str | tuple[int, int] | None = None,
    classes: int | None = None,
) -> Path:
    """Write a model as ONNX, equal bytes for equal inputs, and return the file's path.

    SpecError, WeightsError or OutputError; nothing is written then.
    """
    from mnv2c import spec, to_onnx
    from mnv2c import weights as weights_package
    from mnv2c.from_onnx.formats import refuse_all_formats

    refuse_all_formats(model)
    described = spec.describe(model, width=width, resolution=resolution, classes=classes)
    checkpoint = weights_package.given_or_random(described, weights, seed, weights_source)
    return write_file(Path(output), to_onnx.serialize(to_onnx.emit(checkpoint.spec, checkpoint.tensors)))


def _check_page(html: str | Path | None) -> None:
    """Raise OutputError, before any work is done, for a page that would have no folder."""
    if html is not None and not Path(html).absolute().parent.is_dir():
        from mnv2c.errors import OutputError

        raise OutputError(f"{html}: its folder does not exist; make it first")


def write_file(path: Path, content: bytes) -> Path:
    """Write ``content`` so that the file appears whole or not at all; OutputError where that is impossible."""
    from mnv2c.common.files import replace_file
    from mnv2c.errors import OutputError

    try:
        replace_file(path, content)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from None
    return path


def cmake_dir() -> Path:
    """Return the folder with mnv2c's CMake package, which adds libraries to a build (``mnv2c_add_model``)."""
    return Path(__file__).parent / "package" / "cmake"
