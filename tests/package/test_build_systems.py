"""The folder in real builds: pkg-config and CMake, and models that CMake compiles."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from mnv2c import api, targets
from mnv2c.compiler import Compiled
from mnv2c.package import build_files
from tests.runtime import fake

PKG_CONFIG = shutil.which("pkg-config") or shutil.which("pkgconf")
CMAKE = shutil.which("cmake")
CC = shutil.which("cc")

needs_cc = pytest.mark.skipif(CC is None, reason="no C compiler: builds against the folder were NOT tried")
needs_pkg_config = pytest.mark.skipif(PKG_CONFIG is None, reason="no pkg-config: NAME.pc was NOT tried")
needs_cmake = pytest.mark.skipif(CMAKE is None, reason="no cmake: the CMake packages were NOT tried")


def run(folder: Path, *command: str, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def moved(compiled: Compiled, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled folder at another place, with a space in its name."""
    folder = tmp_path_factory.mktemp("moved") / "a folder"
    shutil.copytree(compiled.directory, folder, symlinks=True, ignore=shutil.ignore_patterns("dump"))
    return folder


@needs_cc
@needs_pkg_config
def test_pkg_config_builds_the_example(moved: Path, compiled: Compiled, tmp_path: Path) -> None:
    def ask(*options: str) -> str:
        return run(tmp_path, str(PKG_CONFIG), *options, compiled.name, PKG_CONFIG_PATH=str(moved)).strip()

    line = f"'{CC}' '{moved}/main.c' {ask('--cflags', '--libs')} -o shared"
    run(tmp_path, "sh", "-c", line)
    assert run(tmp_path, "./shared", LD_LIBRARY_PATH=str(moved)).count("\n") == 6
    archive = ask("--variable=archive").replace("\\ ", " ")
    run(tmp_path, str(CC), f"{moved}/main.c", f"-I{moved}", archive, "-o", "static")
    assert run(tmp_path, "./static").count("\n") == 6
    assert ask("--modversion") == compiled.metadata["version"]
    assert ask("--static", "--libs").endswith("-lm")


PROJECT = """
cmake_minimum_required(VERSION 3.16)
project(demo C)
find_package(NAME 0.1 CONFIG REQUIRED)
foreach(kind NAME static)
  add_executable(with_${kind} main.c)
  target_link_libraries(with_${kind} PRIVATE NAME::${kind})
endforeach()
"""


@needs_cc
@needs_cmake
def test_cmake_builds_the_example(moved: Path, compiled: Compiled, tmp_path: Path) -> None:
    (tmp_path / "CMakeLists.txt").write_text(PROJECT.replace("NAME", compiled.name))
    shutil.copy(moved / "main.c", tmp_path)
    run(tmp_path, str(CMAKE), "-S", ".", "-B", "build", f"-DCMAKE_PREFIX_PATH={moved}")
    run(tmp_path, str(CMAKE), "--build", "build")
    for kind in (compiled.name, "static"):
        assert run(tmp_path, f"build/with_{kind}").count("\n") == 6


@needs_cmake
@pytest.mark.parametrize(("name", "message"), [("android-arm64", "not for Linux"), ("cortex-a7", "compile it with")])
def test_cmake_refuses_a_library_for_another_machine(name: str, message: str, tmp_path: Path) -> None:
    if name == "cortex-a7" and os.uname().machine.startswith("arm"):
        pytest.skip("this is such a machine")
    for file, text in build_files("net", targets.load(name), "a network").items():
        (tmp_path / file).write_text(text)
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16)\nproject(demo NONE)\nfind_package(net CONFIG REQUIRED)\n"
    )
    command = [str(CMAKE), "-S", ".", "-B", "build", f"-Dnet_DIR={tmp_path}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert message in " ".join(done.stderr.split())


MODELS = """
cmake_minimum_required(VERSION 3.20)
project(demo C)
find_package(mnv2c CONFIG REQUIRED)
mnv2c_add_model(fake MODEL spec.toml WEIGHTS weights.safetensors OPTIONS --seed "a b")
add_executable(demo main.c)
target_link_libraries(demo PRIVATE fake)
"""

COMPILER = """#!/bin/sh
# Stands in for mnv2c: a compiled folder is at hand, and the rule names one more file.
echo "$@" >> "HERE/log"
while [ $# -gt 0 ]; do
    case "$1" in --output) output="$2";; --depfile) depfile="$2";; esac
    shift
done
cp HERE/made/* "$output"
echo "$output/libfake.a: HERE/beside.data" > "$depfile"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A CMake project with a model, and a compiler that copies a library instead of making one."""
    for file in ("spec.toml", "weights.safetensors", "beside.data"):
        (tmp_path / file).touch()
    fake.build(tmp_path / "made")
    shutil.copy(tmp_path / "made" / "main.c", tmp_path)
    (tmp_path / "CMakeLists.txt").write_text(MODELS)
    compiler = tmp_path / "mnv2c"
    compiler.write_text(COMPILER.replace("HERE", str(tmp_path)))
    compiler.chmod(stat.S_IRWXU)
    return tmp_path


@needs_cc
@needs_cmake
@pytest.mark.parametrize(
    "generator",
    [
        pytest.param("Unix Makefiles", marks=pytest.mark.skipif(not shutil.which("make"), reason="no make")),
        pytest.param("Ninja", marks=pytest.mark.skipif(not shutil.which("ninja"), reason="no ninja")),
    ],
)
def test_cmake_compiles_models_anew_when_they_change(generator: str, project: Path) -> None:
    def build() -> int:
        """How often the model has been compiled after a build."""
        run(project, str(CMAKE), "--build", "build")
        return (project / "log").read_text().count("compile ")

    configure = ["-S", ".", "-B", "build", "-G", generator]
    variables = [f"-Dmnv2c_DIR={api.cmake_dir()}", f"-DMNV2C_EXECUTABLE={project / 'mnv2c'}"]
    run(project, str(CMAKE), *configure, *variables)
    assert build() == 1
    log = (project / "log").read_text()
    assert f"compile {project}/spec.toml --target host --name fake --output {project}/build/fake.mnv2c" in log
    assert f"--seed a b --weights {project}/weights.safetensors" in log
    assert run(project, "build/demo").count("\n") == 4
    assert build() == 1
    for times, file in enumerate(("spec.toml", "weights.safetensors", "beside.data"), start=2):
        later = (project / "build" / "fake.mnv2c" / "libfake.a").stat().st_mtime + 2
        os.utime(project / file, (later, later))
        assert build() == times, file
        # What was made must not stay older than what was changed, for clocks that stand still during a test.
        for made in (project / "build" / "fake.mnv2c").iterdir():
            os.utime(made, (later + 1, later + 1))


@needs_cmake
def test_mistakes_in_a_cmake_file_are_named(project: Path) -> None:
    cases = {
        "mnv2c_add_model(fake)": "MODEL is missing",
        "mnv2c_add_model(fake MODEL a --seed 3)": "unknown argument --seed",
        "set(CMAKE_CROSSCOMPILING TRUE)\nmnv2c_add_model(fake MODEL a)": "TARGET is needed to cross-compile",
    }
    for text, message in cases.items():
        head = "cmake_minimum_required(VERSION 3.20)\nproject(demo NONE)\nfind_package(mnv2c CONFIG REQUIRED)\n"
        (project / "CMakeLists.txt").write_text(head + text + "\n")
        variables = [f"-Dmnv2c_DIR={api.cmake_dir()}", f"-DMNV2C_EXECUTABLE={project / 'mnv2c'}"]
        command = [str(CMAKE), "-S", ".", "-B", "wrong", *variables]
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
        assert done.returncode != 0
        assert message in " ".join(done.stderr.split()), text
