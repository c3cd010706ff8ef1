"""bench/tables.py, which makes the README's tables."""

import os
import subprocess
import sys
from pathlib import Path

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
