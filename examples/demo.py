"""The demonstration behind `make demo`: MobileNetV2 for this machine and for cortex-a76, from C and from Python.

Then networks that can see: trained on scenes of shapes, with pictures of their answers.

Usage: demo.py [--output FOLDER] [--runs N]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo_shapes import show_shapes

import mnv2c
from mnv2c import api, targets
from mnv2c.common.progress import progress
from mnv2c.errors import Mnv2cError
from mnv2c.pictures.image import load_image
from mnv2c.report import doctor

PICTURE = Path(__file__).with_name("picture.png")
MODEL, RESOLUTION, SEED, NAME = "mobilenet_v2", 224, 0, "mobilenet"
FOREIGN = "cortex-a76"


@dataclass(frozen=True)
class Row:
    """One line of the closing table; ``milliseconds`` is a median, or None where nothing was timed."""

    target: str
    language: str
    milliseconds: float | None
    where: str


def compile_for(target: str, folder: Path) -> dict[str, Any]:
    """Compile the model into ``folder``, with progress, and return the summary."""
    print(f"\n== Compiling {MODEL} 1.0/{RESOLUTION} for {target}", flush=True)
    start = time.perf_counter()
    with progress() as report:
        api.compile_model(MODEL, target, output=folder, resolution=RESOLUTION, seed=SEED, name=NAME, progress=report)
    summary = api.describe(folder)
    print(
        f"   {time.perf_counter() - start:.1f} s: {summary['chains']} kernels, {len(summary['fallbacks'])} fallbacks, "
        f"{summary['params']:,} parameters, {summary['madds']:,} MAdds"
    )
    return summary


def build_program(folder: Path, target: str) -> Path:
    """Compile the folder's own main.c against its static library with zig; the program is static, too."""
    program = (folder / "demo").resolve()
    triple = f"{targets.load(target).arch}-linux-musl"
    command = [sys.executable, "-m", "ziglang", "cc", "-target", triple, "-static", "-O2"]
    command += [str(folder / "main.c"), str(folder / f"lib{NAME}.a"), "-o", str(program)]
    subprocess.run(command, check=True)
    return program


def time_c(command: list[str], runs: int) -> tuple[list[str], float]:
    """Start the program ``runs`` times; return its lines about classes, and the median of its own timing in ms."""
    times = []
    for _ in range(runs):
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
        times.append(float(lines[-1].split()[0]))
    return lines[:-1], statistics.median(times)


def time_python(call: Callable[[], object], runs: int) -> float:
    """Median of ``runs`` calls in ms, after two that warm the caches."""
    times = []
    for _ in range(runs + 2):
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times[2:])


def show_here(folder: Path, pixels: Path, runs: int) -> list[Row]:
    """Run the library for this machine from C and from Python."""
    print("\n== Running it here", flush=True)
    lines, from_c = time_c([str(build_program(folder, "host")), str(pixels)], runs)
    print("   from C, main.c linked with the static library; class and score:")
    print("\n".join(f"   {line}" for line in lines))
    image = load_image(PICTURE, RESOLUTION, RESOLUTION)
    library = mnv2c.load(folder)
    scores = library(image).reshape(-1)
    print(f"   from Python: the best class is {int(scores.argmax())} with {float(scores.max()):f}")
    report = mnv2c.verify(folder)
    print(
        f"   compared with onnxruntime: largest relative error {report.max_rel_error:.1e} in {len(report.comparisons)} "
        f"tensors, tolerance {report.tolerance:.0e}"
    )
    here = doctor.processor()
    return [
        Row("host", "C", from_c, here),
        Row("host", "Python", time_python(lambda: library(image), runs), here),
    ]


def show_foreign(folder: Path, pixels: Path) -> list[Row]:
    """Run the library for the ARM CPU: under qemu, or directly on a machine that has the CPU's features."""
    how = next(row["runs"] for row in api.targets() if row["name"] == FOREIGN)
    print(f"\n== Running it for {FOREIGN}", flush=True)
    program = build_program(folder, FOREIGN)
    if how.startswith("no"):
        print(f"   SKIPPED ({how}). The program was compiled and linked: {program}")
        return [Row(FOREIGN, "C", None, f"skipped, {how}")]
    emulator = doctor.find_qemu(targets.load(FOREIGN).arch) if how == "emulated" else None
    cpu = ["-cpu", targets.load(FOREIGN).emulator_cpu] if emulator else []
    command = [*([emulator, *cpu] if emulator else []), str(program), str(pixels)]
    lines, milliseconds = time_c(command, 1)
    print("   from C, class and score:")
    print("\n".join(f"   {line}" for line in lines))
    if emulator:
        return [Row(FOREIGN, "C", None, "emulated: right results, no meaningful time")]
    return [Row(FOREIGN, "C", milliseconds, doctor.processor())]


def show_table(rows: list[Row], summaries: list[dict[str, Any]], runs: int) -> None:
    """Print times, then arena and sizes."""
    print(f"\n== Result (float32, one thread; time is the median of {runs} runs)")
    print(f"   {'target':<12} {'from':<7} {'time':>10}  on")
    for row in rows:
        spent = f"{row.milliseconds:.2f} ms" if row.milliseconds is not None else "-"
        print(f"   {row.target:<12} {row.language:<7} {spent:>10}  {row.where}")
    print(f"\n   {'target':<12} {'arena':>12} {'weights':>14}   files")
    for summary in summaries:
        files = ", ".join(f"{name} {size:,} B" for name, size in summary["files"].items())
        print(f"   {summary['target']:<12} {summary['arena_bytes']:>10,} B {summary['weights_bytes']:>12,} B   {files}")
    print(
        f"\nNote: these weights are random (seed {SEED}), so the classes mean nothing; time, memory and sizes do.\n"
        "With trained weights: mnv2c compile mobilenet_v2 --weights FILE.safetensors -o DIR"
    )


def main() -> int:
    """Run the demonstration; returns the exit code."""
    parser = argparse.ArgumentParser(description="compile MobileNetV2 and run it on a picture")
    parser.add_argument("--output", type=Path, default=Path("build/demo"), help="where the libraries go")
    parser.add_argument("--runs", type=int, default=11, help="runs of which the median is shown")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    pixels = options.output / "picture.f32"
    pixels.write_bytes(load_image(PICTURE, RESOLUTION, RESOLUTION).tobytes())
    summaries = [compile_for(target, options.output / target) for target in ("host", FOREIGN)]
    rows = show_here(options.output / "host", pixels, options.runs)
    rows += show_foreign(options.output / FOREIGN, pixels)
    show_table(rows, summaries, options.runs)
    show_shapes(options.output)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Mnv2cError as error:
        sys.exit(f"demo: {error}")
