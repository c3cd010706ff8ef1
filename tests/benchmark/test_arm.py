"""The ARM system that peers see, the script that prepares it, and what a peer's process does there."""

import gc
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from mnv2c import targets
from mnv2c.benchmark import arm, worker
from mnv2c.benchmark.job import UnavailableError
from mnv2c.benchmark.peers.base import Prepared
from mnv2c.benchmark.plugin import HERE

TOOLS = Path(__file__).resolve().parents[2] / "tools"
SCRIPTS = ["arm_peers.sh", "arm_rpc.sh"]


def prepared(folder: Path) -> Path:
    """What the script leaves, without its content."""
    (folder / "system" / "usr" / "bin").mkdir(parents=True)
    (folder / "system" / "usr" / "bin" / "python3").write_text("")
    (folder / "system" / "lib").mkdir()
    (folder / "packages").mkdir()
    return folder


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(arm.FOLDER, str(tmp_path / "none"))
    with pytest.raises(UnavailableError, match=r"none/system/usr/bin/python3 is missing; run `make arm-peers`"):
        arm.find()
    folder = prepared(tmp_path / "some")
    monkeypatch.setenv(arm.FOLDER, str(folder))
    assert arm.find() == folder
    (folder / "packages").rmdir()
    with pytest.raises(UnavailableError, match="packages is missing"):
        arm.find()


@pytest.mark.parametrize(("cpu", "part"), [("cortex-a53", "0xd03"), ("cortex-a76", "0xd0b"), ("unheard-of", "0xd03")])
def test_peers_see_one_cpu_of_the_kind(cpu: str, part: str, tmp_path: Path) -> None:
    arm.lay_out(prepared(tmp_path / "arm"), tmp_path, cpu)
    text = (tmp_path / "system/proc/cpuinfo").read_text()
    assert re.findall(r"CPU part\s*: (\w+)", text) == [part]
    assert ("asimddp" in text.split()) == (cpu == "cortex-a76")
    assert (tmp_path / "system/sys/devices/system/cpu/possible").read_text() == "0\n"
    assert (tmp_path / "system/usr/bin/python3").is_file()
    assert (tmp_path / arm.SOURCE / "mnv2c/benchmark/worker.py").is_file()
    assert not (tmp_path / "arm/system/proc").exists()  # the prepared folder itself stays as it is


def test_the_cpus_are_those_of_the_targets() -> None:
    """A target that is emulated as the CPU it is named after has that CPU's part number and extensions."""
    known = [target for target in targets.available() if target.name == target.emulator_cpu and target.name in arm.CPUS]
    assert {"cortex-a53", "cortex-a72", "cortex-a76"} <= {target.name for target in known}
    for target in known:
        part, features = arm.CPUS[target.name]
        assert part in target.cpu_parts
        assert set(target.requires) <= set(features.split())


def test_the_marker_is_that_of_the_plugin() -> None:
    assert f"MARKER = {worker.MARKER}," in (HERE / "count.c").read_text()


def test_a_counted_process_runs_twice() -> None:
    runs: list[bool] = []
    worker.count(Prepared(lambda: runs.append(gc.isenabled()), lambda: np.zeros(1, np.float32), "test 1"))
    assert runs == [False, False]
    assert gc.isenabled()


@pytest.mark.parametrize("name", [*SCRIPTS, "arm_system.sh"])
@pytest.mark.parametrize("command", ["sh", "dash"])
def test_the_scripts_are_portable(command: str, name: str) -> None:
    if not shutil.which(command):
        pytest.skip(f"{command} is not installed")
    assert subprocess.run([command, "-n", str(TOOLS / name)], check=False).returncode == 0


def script(name: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(TOOLS / name), *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_says_what_it_lacks_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    done = script(name)
    assert done.returncode == 2
    assert f"usage: {name} FOLDER" in done.stderr
    done = script(name, str(tmp_path / "made"), PATH="/nowhere")
    assert done.returncode == 1
    assert "apt-get and dpkg-deb are needed" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not shutil.which("apt-get") or platform.system() != "Linux", reason="apt-get is missing")
@pytest.mark.parametrize("name", SCRIPTS)
def test_sources_without_arm64_are_an_error(name: str, tmp_path: Path) -> None:
    """No source at all: nothing is fetched, and the answer is that of a machine whose sources have no arm64."""
    sources = tmp_path / "sources.list"
    sources.write_text("")
    done = script(name, str(tmp_path / "made"), ARM_SOURCES=str(sources))
    assert done.returncode == 1
    assert "have no Python for arm64; name others with ARM_SOURCES" in done.stderr
    assert list(tmp_path.iterdir()) == [sources]
