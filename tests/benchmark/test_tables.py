"""bench/tables.py, which makes the README's tables."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.test_project import README

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "bench" / "tables.py"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(SCRIPT), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_it_explains_itself() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "--against" in done.stdout


def test_an_unknown_table_is_a_mistake(tmp_path: Path) -> None:
    done = run("hots", "--output", str(tmp_path))
    assert done.returncode == 2
    assert "unknown table 'hots'; tables: arm, sizes, host" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_readme_names_the_command_of_every_table() -> None:
    section = README.split("## Performance")[1].split("\n## ")[0]
    for name in ("host", "arm", "sizes"):
        assert f"python bench/tables.py {name}" in section
    assert "make bench" in section
    assert "emulated" in section


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    found = importlib.util.spec_from_file_location("tables", SCRIPT)
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules["tables"] = module  # where its dataclasses look for their annotations
    found.loader.exec_module(module)
    return module


def measured(median_ms: float, peers: dict[str, float], missing: dict[str, str]) -> dict[str, Any]:
    """What the table reads of a run of ``mnv2c bench``."""
    return {
        "median_ms": median_ms,
        "peak_share": 0.9,
        "spread": 0.05,
        "target": "host",
        "threads": 1,
        "rounds": 9,
        "machine": {"cpu": "a CPU", "cores": 2},
        "peers": {name: {"ratio": ratio, "version": f"{name} 1.2"} for name, ratio in peers.items()},
        "missing": missing,
    }


def test_a_peer_may_miss_some_networks(tables: ModuleType) -> None:
    logits, mask = (network for network in tables.HOST if network.model == "deeplabv3_mobilenet_v2")
    results = {
        logits: [measured(50.0, {"ncnn": 0.6, "mnn": 0.7}, {}), measured(52.0, {"ncnn": 0.62, "mnn": 0.7}, {})],
        mask: [measured(60.0, {"mnn": 0.58}, {"ncnn": "has no argmax"})] * 2,
    }
    lines = tables.host_table(results, 2).splitlines()
    assert lines[0] == "| network | median | of FMA peak | / ncnn | / mnn |"
    assert lines[2] == "| DeepLabv3, 513, logits | 51.00 ms | 90% | 0.61 (0.60-0.62) | 0.70 (0.70-0.70) |"
    assert lines[3] == "| DeepLabv3, 513, mask | 60.00 ms | 90% |  | 0.58 (0.58-0.58) |"
    assert lines[-2:] == ["ncnn 1.2, mnn 1.2", "ncnn (DeepLabv3, 513, mask): has no argmax"]


def test_every_network_has_a_folder_and_a_title_of_its_own(tables: ModuleType) -> None:
    networks = {*tables.HOST, *tables.SIZES}
    assert (
        len({network.folder for network in networks}) == len({network.title for network in networks}) == len(networks)
    )
    assert {network.model for network in networks} == {"mobilenet_v2", *tables.TASKS}
