"""Whole compiles are killed while they overwrite a folder: it is the old one or the new one each time."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from mnv2c import package
from mnv2c.package import Symlink
from tests.faults import compiling

SHORT, LONG = 8, 200


def left_overs(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if "mnv2c-" in path.name and path.name.startswith(".")]


def compile_whole(model: Path, output: Path, temporary: Path) -> tuple[float, float]:
    """Return the seconds until the new folder is begun, and those from then to the end."""
    begun = time.monotonic()
    process = compiling.start(model, output, env=compiling.environment(temporary))
    await_publishing(process, output)
    seen = time.monotonic()
    code, errors = compiling.finish(process)
    assert code == 0, errors
    return seen - begun, time.monotonic() - seen


def await_publishing(process: subprocess.Popen[str], output: Path) -> None:
    while process.poll() is None and not (output.parent.is_dir() and left_overs(output.parent)):
        time.sleep(0.0002)


def kill_once(model: Path, output: Path, temporary: Path, moment: float, aimed: bool) -> None:
    """Kill a compile ``moment`` seconds after its start or, if ``aimed``, after it began to write its folder."""
    process = compiling.start(model, output, env=compiling.environment(temporary))
    if aimed:
        await_publishing(process, output)
    time.sleep(moment)
    process.kill()
    compiling.finish(process)


def kill(tmp_path: Path, count: int) -> tuple[int, int]:
    """Kill ``count`` compiles, half while they publish; return how often the folder was the old and the new one."""
    chance = random.Random(count)
    temporary, output = tmp_path / "temporary", tmp_path / "work" / "out"
    temporary.mkdir()
    models = [compiling.network(tmp_path / f"{seed}.onnx", seed) for seed in (0, 1)]
    compile_whole(models[0], output, temporary)
    (output / "notes").mkdir()
    (output / "notes" / "mine.txt").write_text("mine")
    (output / "other.txt").write_text("other")
    before, publishing = compile_whole(models[1], output, temporary)
    now = compiling.version(output)
    kept = changed = 0
    for index in range(count):
        aimed = index % 2 == 0
        moment = chance.uniform(0, publishing) if aimed else chance.uniform(0, before + publishing)
        kill_once(models[changed % 2], output, temporary, moment, aimed)
        found = compiling.version(output)
        assert (output / "notes" / "mine.txt").read_text() == "mine"
        assert (output / "other.txt").read_text() == "other"
        kept, changed = (kept + 1, changed) if found == now else (kept, changed + 1)
        now = found
    for _ in range(3):  # a compiler that a killed compile had started may still be writing
        compile_whole(models[changed % 2], output, temporary)
        if not left_overs(temporary):
            break
        time.sleep(2)
    assert left_overs(temporary) == left_overs(output) == left_overs(output.parent) == []
    assert compiling.version(output) != now
    return kept, changed


def test_a_few_kills(tmp_path: Path) -> None:
    kept, changed = kill(tmp_path, SHORT)
    assert kept + changed == SHORT
    assert kept >= 1


@pytest.mark.slow
def test_many_kills(tmp_path: Path) -> None:
    kept, changed = kill(tmp_path, LONG)
    print(f"{LONG} kills: {kept} folders were the old one, {changed} the new one")
    assert min(kept, changed) >= LONG // 50


def write_for_ever(folder: Path, number: int) -> None:
    while True:
        number += 1
        text = str(number)
        package.write(folder, {**{name: text for name in "abcdefgh"}, "link": Symlink("a")})


def test_writing_alone_is_killed_at_every_place(tmp_path: Path) -> None:
    """Many more kills than whole compiles allow, all of them within the writing."""
    chance, folder, seen = random.Random(0), tmp_path / "out", set()
    package.write(folder, {**{name: "0" for name in "abcdefgh"}, "link": Symlink("a")})
    (folder / "mine").write_text("mine")
    begun = time.monotonic()
    package.write(folder, {**{name: "0" for name in "abcdefgh"}, "link": Symlink("a")})
    takes = time.monotonic() - begun  # mostly waiting for the disk
    for index in range(400):  # on a busy machine most are killed before they have written anything
        if index >= 40 and len(seen) > 5:
            break
        child = os.fork()
        if child == 0:
            write_for_ever(folder, 1000 * index)
        time.sleep(chance.uniform(0.1, 3) * takes)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert {path.name for path in folder.iterdir()} == {*"abcdefgh", "link", "mine"}
        texts = {(folder / name).read_text() for name in [*"abcdefgh", "link"]}
        assert len(texts) == 1
        assert (folder / "mine").read_text() == "mine"
        seen |= texts
    assert len(seen) > 5
    package.write(folder, {"a": "", "b": ""})
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
