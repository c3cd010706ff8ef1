"""No text from a file of unknown origin becomes C, a build file's command or anything else but text."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings

from mnv2c import package, targets
from mnv2c.codegen.entry import library_source
from mnv2c.codegen.selftest import Expected
from mnv2c.common.escape import c_comment, c_string, visible
from mnv2c.compiler.depfile import write_depfile
from mnv2c.errors import OutputError
from mnv2c.frames import Frames, frames_code
from mnv2c.plan.program import Program
from mnv2c.targets import Target
from tests.package.hostile import CHOSEN, TEXTS, bare
from tests.runtime import fake

CC = shutil.which("cc")
PKG_CONFIG = shutil.which("pkg-config") or shutil.which("pkgconf")
A53, A76 = targets.load("cortex-a53"), targets.load("cortex-a76")
EXPECTED = [Expected(((0, 0.0),), 0.0)] * 2


def renamed(text: str) -> Program:
    """The fake library's program with ``text`` for everything that an ONNX file names."""
    made = fake.program("net")
    steps = tuple(
        replace(
            step,
            label=text,
            comment=text,
            reads=(text,),
            results=tuple(replace(result, onnx_name=text, name=text) for result in step.results),
        )
        for step in made.steps
    )
    return replace(
        made,
        inputs=tuple(replace(port, name=text) for port in made.inputs),
        outputs=tuple(replace(port, name=text) for port in made.outputs),
        steps=steps,
        buffers=tuple(replace(buffer, name=text, tensors=(text,)) for buffer in made.buffers),
    )


def retargeted(text: str, target: Target = A76) -> Target:
    """A target with ``text`` for its free texts, and for its name, as if nobody checked that."""
    return replace(target, name=text, entry=text, description=text, notes=text)


def texts(text: str) -> dict[str, str]:
    """All files of a library whose every free text is ``text``, and those of one with two variants."""
    program, target = renamed(text), retargeted(text)
    meta = package.metadata(
        program, "net", target, summary=text, dtype="float32", params=3, madds=60, model={"licence": text},
        weights_source=text, toolchain={"linker": text}, chains=[{"name": text, "stages": [text]}] * 3, fallbacks=[],
    )  # fmt: skip
    several = {**meta, "variants": [{"target": {"name": text}}, {"target": {"name": text}}]}
    frames = frames_code(Frames(labels=(text, text)), "net", [12, 240])
    one = {
        "net.h": package.header_source(program, "net", several, frames.declarations),
        "net.c": library_source([(target, program)], "net", EXPECTED),
        "net.json": package.to_json(meta),
        "main.c": package.example_source(program, "net"),
        **frames.sources,
        **package.build_files("net", target, text),
    }
    return {**one, "net.spdx.json": json.dumps(package.bill_of_materials(one, meta))}


BENIGN = texts("plain")


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_nothing_leaves_its_place(text: str) -> None:
    made = texts(text)
    assert made.keys() == BENIGN.keys()
    for file, content in made.items():
        content.encode()
        if file.endswith((".c", ".h")):
            assert bare(content) == bare(BENIGN[file]), file
            assert content.isprintable() or all(part.isprintable() for part in content.splitlines())
        elif file.endswith(".cmake"):
            assert content == BENIGN[file]
        elif file.endswith(".pc"):
            same = [line for line in content.splitlines() if not line.startswith(("target=", "Description:"))]
            plain = [line for line in BENIGN[file].splitlines() if not line.startswith(("target=", "Description:"))]
            assert same == plain
    meta = json.loads(made["net.json"])
    assert meta["summary"] == meta["inputs"][0]["name"] == meta["target"]["notes"] == text
    assert json.loads(made["net.spdx.json"])["packages"][0]["summary"] == text


for chosen in CHOSEN:
    test_nothing_leaves_its_place = example(chosen)(test_nothing_leaves_its_place)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_comments_and_strings_hold_what_they_are_given(text: str) -> None:
    assert bare(f"a /* {c_comment(text)} */ b") == bare(f"a /*{c_comment(text)}*/ b") == "a b"
    assert bare(f"a {c_string(text)} b") == 'a "" b'
    assert bare(f"a /* {c_comment(text)}\n * {c_comment(text)}\n */ b") == "a b"
    octal = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), c_string(text)[1:-1])
    assert octal.encode("latin-1") == text.replace("\0", "?").encode("utf-8", "replace")


@pytest.mark.skipif(CC is None, reason="no C compiler: the C was NOT compiled")
def test_a_compiler_takes_all_of_it_without_a_warning(tmp_path: Path) -> None:
    """Under the flags of careful users, in C and, what they include, in C++."""
    folders = []
    for number, text in enumerate(CHOSEN):
        folder = tmp_path / str(number)
        folder.mkdir()
        for file, content in texts(text).items():
            (folder / file).write_text(content, encoding="utf-8")
        variants = [(replace(A76, description=text, notes=text), renamed(text)), (A53, renamed(text))]
        (folder / "several.c").write_text(library_source(variants, "net", EXPECTED), encoding="utf-8")
        (folder / "net.cpp").write_text('#include "net.h"\n', encoding="utf-8")
        folders.append(folder)
    flags = ("-fsyntax-only", "-Wall", "-Wextra", "-Werror")
    sources = {"c99": ("net.c", "net_labels.c", "several.c"), "c11": ("main.c",), "c++17": ("net.cpp",)}
    for standard, names in sources.items():
        files = [str(folder / name) for folder in folders for name in names]
        subprocess.run([str(CC), *flags, f"-std={standard}", *files], check=True)


@pytest.mark.skipif(PKG_CONFIG is None, reason="no pkg-config: NAME.pc was NOT read")
def test_pkg_config_reads_the_text_and_nothing_else(tmp_path: Path) -> None:
    chosen = [text for text in CHOSEN if len(text) < 400]
    for number, text in enumerate(chosen):
        (tmp_path / f"net{number}.pc").write_text(
            package.build_files(f"net{number}", retargeted(text), f"about: {text}")[f"net{number}.pc"], encoding="utf-8"
        )
    command = [str(PKG_CONFIG), "--list-all"]
    done = subprocess.run(
        command, env={**os.environ, "PKG_CONFIG_LIBDIR": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    listed = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert len(listed) == len(chosen)
    for number, text in enumerate(chosen):
        wanted = " ".join(f"about: {text}".split())
        assert (
            listed[f"net{number}"]
            == f"net{number} - {visible(wanted).replace(chr(92), '/').replace('${', '$ {')}".rstrip()
        )


@pytest.mark.skipif(shutil.which("make") is None, reason="no make: dependency files were NOT read")
def test_make_finds_every_file_of_a_dependency_file(tmp_path: Path) -> None:
    names = ["a b", "c#d", "e$f", "g$(id) x", "h\ti", "j'k", 'l"m', "p&q", "r\\s", "t\\ u", "é", "(x) y"]
    used = [tmp_path / name for name in names]
    for path in used:
        path.touch()
    made = tmp_path / "libnet.a"
    write_depfile(tmp_path / "net.d", made, used)
    (tmp_path / "Makefile").write_text(f"{made}:\n\ttouch $@\ninclude net.d\n")
    run = ["make", "-q", "-C", str(tmp_path), str(made)]
    subprocess.run(run[:1] + run[2:], check=True, capture_output=True)
    os.utime(made, (2**30, 2**30))
    for path in used:
        os.utime(path, (2**29, 2**29))
    assert subprocess.run(run, capture_output=True).returncode == 0
    for path in used:
        os.utime(path)
        assert subprocess.run(run, capture_output=True).returncode == 1, path.name
        os.utime(path, (2**29, 2**29))
    for name in ("a\nb", "a;touch b", "a\vb"):
        with pytest.raises(OutputError, match="no dependency file can say a semicolon or control character"):
            write_depfile(tmp_path / "net.d", made, [tmp_path / name])
