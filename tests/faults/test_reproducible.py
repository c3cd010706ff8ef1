"""Equal inputs give equal bytes, whatever is around: cores, folders, zone, language, mask, hash seed, installation."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.faults import compiling
from tests.faults.compiling import ROOT

COMPILE = """
import os, runpy, sys
os.umask(int(sys.argv[1], 8))
if sys.argv[2]:
    os.sched_setaffinity(0, {int(sys.argv[2])})
sys.argv[:] = ["mnv2c", "compile", *sys.argv[3:]]
runpy.run_module("mnv2c", run_name="__main__", alter_sys=True)
"""


def contents(folder: Path) -> dict[str, bytes | str]:
    """What a folder holds: bytes of files, targets of links."""
    return {
        path.name: os.readlink(path) if path.is_symlink() else path.read_bytes() for path in sorted(folder.iterdir())
    }


def compile_in(
    place: Path, model: Path, *, umask: str, core: str, python: str = sys.executable, **environment: str
) -> dict[str, bytes | str]:
    """Compile in a process whose folders all lie in ``place``."""
    for name in ("home", "tmp", "work"):
        (place / name).mkdir(parents=True)
    env = {key: value for key, value in os.environ.items() if key not in ("SOURCE_DATE_EPOCH", "XDG_CACHE_HOME")}
    env |= {"HOME": str(place / "home"), "TMPDIR": str(place / "tmp"), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    words = [str(model), "-o", str(place / "out" / "net"), "--name", "net", "--threads", "2", "-q"]
    command = [python, "-c", COMPILE, umask, core, *words]
    done = subprocess.run(command, cwd=place / "work", env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return contents(place / "out" / "net")


def compare(one: dict[str, bytes | str], other: dict[str, bytes | str]) -> None:
    assert len(one) > 12
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []


@pytest.fixture
def usual(tmp_path: Path) -> dict[str, bytes | str]:
    """All cores, and a plain environment."""
    return compile_in(
        tmp_path / "usual",
        compiling.network(tmp_path / "net.onnx", 0),
        umask="022",
        core="",
        PYTHONPATH=str(ROOT),
        TZ="UTC",
        LANG="C.UTF-8",
        PYTHONHASHSEED="0",
    )


def test_what_is_around_does_not_matter(usual: dict[str, bytes | str], tmp_path: Path) -> None:
    """One core, another checkout's path, zone, language, mask, seed, and folders with odd names."""
    place = tmp_path / "a longer name, with ünusual characters"
    place.mkdir()
    (place / "checkout").symlink_to(ROOT)
    (place / "models").mkdir()
    model = compiling.network(place / "models" / "net.onnx", 0)
    found = compile_in(
        place / "other",
        model,
        umask="077",
        core=str(max(os.sched_getaffinity(0))),
        PYTHONPATH=str(place / "checkout"),
        TZ="Asia/Kathmandu",
        LANG="tr_TR.UTF-8",
        LC_ALL="C",
        PYTHONHASHSEED="4711",
        COLUMNS="40",
        USER="someone",
    )
    compare(usual, found)


@pytest.mark.slow
def test_an_installed_one_makes_the_same(usual: dict[str, bytes | str], tmp_path: Path) -> None:
    """From a wheel, in an environment that takes only the other packages from this one."""
    wheels = tmp_path / "wheels"
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(wheels), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no wheel can be built here: {done.stderr.strip().splitlines()[-1]}")
    venv.create(tmp_path / "venv", with_pip=False)
    packages = next((tmp_path / "venv" / "lib").glob("python3*")) / "site-packages"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(packages)]
    subprocess.run([*install, str(next(wheels.glob("*.whl")))], check=True, capture_output=True)
    others = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "others.pth").write_text("".join(f"{path}\n" for path in others))
    python = str(tmp_path / "venv" / "bin" / "python")
    look = [python, "-I", "-c", "import mnv2c; print(mnv2c.__file__)"]
    assert subprocess.run(look, capture_output=True, text=True, check=True).stdout.startswith(str(packages))
    model = tmp_path / "net.onnx"
    found = compile_in(tmp_path / "installed", model, umask="022", core="", python=python, PYTHONPATH="")
    compare(usual, found)
