"""Prints the tables of the README's section "Performance", as Markdown, from measurements on this machine.

    python bench/tables.py [arm|sizes|host ...] [--against PEERS] [--repeat N] [--output DIR]

Networks are compiled into DIR, where figures.json also receives all that was measured. Weights are random from seed 0:
they do not change the work. Times are medians over ``--repeat`` whole runs of ``mnv2c bench``.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import mnv2c
from mnv2c import api, spec
from mnv2c.benchmark.peers import PEERS, chosen
from mnv2c.common.progress import progress

TASKS = {"ssdlite_mobilenet_v2": "SSDLite", "deeplabv3_mobilenet_v2": "DeepLabv3"}


@dataclass(frozen=True)
class Network:
    """A model of the zoo with a width and a resolution; ``output`` is a segmenter's, "mask" or "logits"."""

    width: float
    resolution: int
    model: str = "mobilenet_v2"
    output: str = ""

    @property
    def title(self) -> str:
        """As the paper writes it: width and resolution of a classifier, which need no name; name and resolution."""
        if self.model not in TASKS:
            return f"{self.width}, {self.resolution}"
        return ", ".join(filter(None, (TASKS[self.model], str(self.resolution), self.output)))

    @property
    def folder(self) -> str:
        """Where it is compiled."""
        return "-".join(filter(None, (self.model, f"{self.width:g}", str(self.resolution), self.output)))


LARGE = Network(1.0, 224)
CLASSIFIERS = (LARGE, Network(0.5, 224), Network(0.35, 224), Network(1.0, 96))
TASK_NETWORKS = (
    Network(1.0, 320, "ssdlite_mobilenet_v2"),
    Network(1.0, 513, "deeplabv3_mobilenet_v2", "logits"),
    Network(1.0, 513, "deeplabv3_mobilenet_v2", "mask"),
)
HOST = (*CLASSIFIERS, *TASK_NETWORKS)
ARM = (
    (LARGE, "cortex-a76"),
    (LARGE, "cortex-a72"),
    (LARGE, "cortex-a53"),
    *((network, "cortex-a76") for network in (*CLASSIFIERS[2:], *TASK_NETWORKS)),
)
SIZES = (LARGE, Network(0.35, 224), Network(1.0, 96), Network(1.4, 224), *TASK_NETWORKS)
ARM_PEERS = ((LARGE, "cortex-a76"),)
"""Where the peers are counted too, which takes two minutes each."""

COUNTS = ("instructions", "loads", "stores", "l1_misses", "l2_misses")


@cache
def compiled(network: Network, target: str, output: Path) -> Path:
    """Compile a network, once per run: a library left by an earlier one may be of older code."""
    folder = output / f"{network.folder}-{target}"
    described = spec.load(network.model, width=network.width, resolution=network.resolution)
    if network.output:
        described = replace(described, output=network.output)
    description = output / f"{network.folder}.toml"
    output.mkdir(parents=True, exist_ok=True)
    description.write_text(spec.to_toml(described), encoding="utf-8")
    with progress() as report:
        mnv2c.compile(description, target, output=folder, progress=report)
    return folder


def table(header: list[str], rows: list[list[str]]) -> str:
    """Markdown; all columns but the first are right-aligned."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def ranged(values: list[float]) -> str:
    """The median, and how far the runs lie apart."""
    if not values:
        return ""
    return f"{median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def host(output: Path, against: str, repeat: int, figures: dict[str, Any]) -> str:
    """Time and share of the peak, and our time divided by each peer's."""
    results = {}
    for network in HOST:
        folder = compiled(network, "host", output)
        with progress() as report:
            results[network] = [mnv2c.bench(folder, against=against, progress=report).as_dict() for _ in range(repeat)]
    figures["host"] = {network.title: found for network, found in results.items()}
    return host_table(results, repeat)


def host_table(results: dict[Network, list[dict[str, Any]]], repeat: int) -> str:
    """The table of what ``mnv2c bench`` found in ``repeat`` runs for every network, and what to know about it."""
    peers = list(dict.fromkeys(name for found in results.values() for run in found for name in run["peers"]))
    rows = []
    for network, found in results.items():
        ratios = [[run["peers"][name]["ratio"] for run in found if name in run["peers"]] for name in peers]
        rows.append(
            [
                network.title,
                f"{median(run['median_ms'] for run in found):.2f} ms",
                f"{median(run['peak_share'] for run in found):.0%}",
                *(ranged(values) for values in ratios),
            ]
        )
    runs = [run for found in results.values() for run in found]
    first = runs[0]
    versions = ", ".join({name: peer["version"] for run in runs for name, peer in run["peers"].items()}.values())
    machine, spread = first["machine"], max(run["spread"] for run in runs)
    return (
        table(["network", "median", "of FMA peak", *(f"/ {name}" for name in peers)], rows)
        + f"\n{machine['cpu']}, {machine['cores']} cores usable, {first['target']}, {first['threads']} thread; "
        + f"{repeat} runs of {first['rounds']} rounds; slowest round up to {spread:.0%} over the fastest.\n{versions}\n"
        + missing_peers(results)
    )


def missing_peers(results: dict[Network, list[dict[str, Any]]]) -> str:
    """A line for every peer that did not take part, and for which networks."""
    networks: dict[tuple[str, str], list[str]] = {}
    for network, found in results.items():
        for name, reason in dict.fromkeys(item for run in found for item in run["missing"].items()):
            networks.setdefault((name, reason), []).append(network.title)
    return "".join(f"{name} ({'; '.join(titles)}): {reason}\n" for (name, reason), titles in networks.items())


def arm(output: Path, against: str, figures: dict[str, Any]) -> str:
    """Executed instructions, accesses and simulated misses, in millions; the peers' where they are prepared."""
    rows, missing = [], ""
    figures["arm"] = []
    peers = [name for name in chosen(against) if PEERS[name].emulated]
    for network, target in ARM:
        folder = compiled(network, target, output)
        with progress() as report:
            here = peers if (network, target) in ARM_PEERS else []
            found = mnv2c.bench(folder, device="emulator", against=here, progress=report).as_dict()
        figures["arm"].append({"network": network.title, **found})
        rows.append([network.title, f"`{target}`", "mnv2c", *millions(found)])
        rows += [[network.title, f"`{target}`", peer["version"], *millions(peer)] for peer in found["peers"].values()]
        missing += "".join(f"{name}: {reason}\n" for name, reason in found["missing"].items())
    models = dict.fromkeys(f"`{found['target']}`: {found['cache_model']}" for found in figures["arm"])
    titles = (key.replace("_", " ").replace("l1", "L1").replace("l2", "L2") for key in COUNTS)
    return table(["network", "target", "library", *titles], rows) + "\n" + "\n".join(models) + "\n" + missing


def millions(counts: dict[str, Any]) -> list[str]:
    """The cells of a row of counts."""
    return [f"{counts[key] / 1e6:.2f}" for key in COUNTS]


def sizes(output: Path, figures: dict[str, Any]) -> str:
    """Arena, weights and the shared library, for the ARM target and this machine."""
    rows = []
    figures["sizes"] = []
    for network in SIZES:
        arm_folder, host_folder = (api.describe(compiled(network, name, output)) for name in ("cortex-a76", "host"))
        both = (arm_folder, host_folder)
        figures["sizes"].append({"network": network.title, "cortex-a76": arm_folder, "host": host_folder})
        shared = [next(size for file, size in item["files"].items() if ".so" in file) for item in both]
        arenas = [item["arena_bytes"] for item in both]
        code = shared[0] - arm_folder["weights_bytes"]
        rows.append(
            [
                network.title,
                *(f"{arena / 1e3:,.0f} kB" for arena in arenas),
                f"{arm_folder['weights_bytes'] / 1e6:.2f} MB",
                f"{shared[0] / 1e6:.2f} MB",
                f"{code / 1e3:,.0f} kB",
                f"{shared[1] / 1e6:.2f} MB",
            ]
        )
    header = ["network", "arena, `cortex-a76`", f"arena, `host` ({platform.machine()})", "weights",
              "`.so`, `cortex-a76`", "of it code", "`.so`, `host`"]  # fmt: skip
    return table(header, rows)


def main() -> int:
    """Measure what was asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help="arm, sizes, host (default: all three)")
    parser.add_argument(
        "--against",
        default=",".join(PEERS),
        help="peers (default: all); arm takes those that `make arm-peers` prepares",
    )
    parser.add_argument("--repeat", type=int, default=3, help="whole runs of the benchmark per network (default: 3)")
    parser.add_argument("--output", type=Path, default=Path("build/bench"), help="default: build/bench")
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    makers = {
        "arm": lambda: arm(options.output, options.against, figures),
        "sizes": lambda: sizes(options.output, figures),
        "host": lambda: host(options.output, options.against, options.repeat, figures),
    }
    if unknown := [name for name in options.tables if name not in makers]:
        parser.error(f"unknown table {unknown[0]!r}; tables: {', '.join(makers)}")
    for name in options.tables or makers:
        print(f"### {name}\n\n{makers[name]()}", flush=True)
    (options.output / "figures.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
