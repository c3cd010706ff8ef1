"""What the command line prints of files of unknown origin: visible characters only."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mnv2c.cli.output import print_json, print_table, say
from mnv2c.errors import OnnxError, UserError

HOSTILE = "a\x1b]0;title\x07\u202e\ud8ff\n\x9bb"
SEEN = r"a\x1b]0;title\x07\u202e\ud8ff\n\x9bb"


def test_nothing_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say(HOSTILE)
    print_table(("name", HOSTILE), [(HOSTILE, "b")])
    captured = capsys.readouterr().out
    assert captured.splitlines() == [SEEN, f"name{' ' * (len(SEEN) - 4)}  {SEEN}", f"{SEEN}  b"]


def test_json_is_as_it_was_but_for_what_cannot_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"größe": "☃"})
    assert "größe" in (text := capsys.readouterr().out)
    assert json.loads(text) == {"größe": "☃"}
    print_json([HOSTILE])
    assert (text := capsys.readouterr().out).isascii()
    assert json.loads(text) == [HOSTILE]


def test_messages_are_one_short_visible_line() -> None:
    message = str(UserError(f"{HOSTILE}: {'x' * 100_000} {'y ' * 100_000} end"))
    assert message.isprintable()
    assert len(message) <= 2001
    assert message.startswith(r"a\x1b]0;title\x07\u202e\ud8ff \x9bb: xxx")
    assert message.endswith(" end")
    assert str(OnnxError(f"m.onnx: {UserError(HOSTILE)}")) == rf"m.onnx: {UserError(HOSTILE)}"


def test_a_file_name_that_is_no_text(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xff\x1b.onnx"
    done = subprocess.run(
        [sys.executable, "-m", "mnv2c", "compile", name, "-o", tmp_path / "out"], capture_output=True, check=False
    )
    assert done.returncode == 2
    assert rb"/\udcff\x1b.onnx: cannot be read" in done.stderr
