"""The repository as a whole: set-up, README, version, packaging, start-up time."""

import argparse
import re
import statistics
import subprocess
import sys
import time
import tomllib
import zipfile
from pathlib import Path

import pytest

import mnv2c
from mnv2c.cli.main import VERBS, build_parser

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TEXT = {".py", ".md", ".toml", ".c", ".h", ".S", ".in", ".sh", ".svg", ".json", ".cfg", ""}
NOT_OURS = {".git", ".venv", "build", "dist", "__pycache__"}


def tree() -> list[Path]:
    """Every text file of the project."""
    files = (path for path in ROOT.rglob("*") if path.is_file() and path.suffix in TEXT)
    return [path for path in files if not NOT_OURS & set(path.parts) and not hidden_cache(path)]


def hidden_cache(path: Path) -> bool:
    return any(part.startswith(".") and part != ".ci" for part in path.relative_to(ROOT).parts[:-1])


def median_seconds(*command: str) -> float:
    """Median wall time of five processes; the first, which may compile bytecode, is not counted."""
    times = []
    for _ in range(6):
        start = time.perf_counter()
        subprocess.run([sys.executable, *command], cwd=ROOT, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


@pytest.mark.parametrize("command", [("-c", "import mnv2c"), ("-m", "mnv2c", "--help")])
def test_start_is_quick(command: tuple[str, ...]) -> None:
    assert median_seconds(*command) < 0.3


def test_start_imports_nothing_heavy() -> None:
    heavy = {"tvm", "onnx", "onnxruntime", "numpy", "rich", "PIL"}
    code = f"import sys, mnv2c.cli.main; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_public_names_resolve() -> None:
    assert set(mnv2c.__all__) <= set(dir(mnv2c))
    for name in set(mnv2c.__all__) - {"__version__"}:
        assert callable(getattr(mnv2c, name)), name
    with pytest.raises(AttributeError, match="nothing"):
        mnv2c.nothing  # noqa: B018 (the access is the test)


def test_the_version_is_written_once() -> None:
    version = re.escape(mnv2c.__version__)
    assert re.fullmatch(r"\d+\.\d+\.\d+", mnv2c.__version__)
    assert PROJECT["project"]["dynamic"] == ["version"]
    pattern = re.compile(rf"""^_*version_*\s*[=:]\s*["']{version}""", re.MULTILINE | re.IGNORECASE)
    written = [path.relative_to(ROOT) for path in tree() if pattern.search(path.read_text(encoding="utf-8"))]
    assert written == [Path("mnv2c/common/version.py")]


def test_the_checked_pins_are_those_of_the_project() -> None:
    from mnv2c.report.doctor import FFI_PIN, PYTHON_FLOOR, WHEELS

    requirements = PROJECT["project"]["dependencies"]
    assert f"apache-tvm-ffi=={FFI_PIN}" in requirements
    assert PROJECT["project"]["requires-python"] == ">=" + ".".join(map(str, PYTHON_FLOOR))
    assert {re.split("[=>]", text)[0] for text in requirements} == {name for name, _ in WHEELS}


def every_requirement() -> list[str]:
    extras = PROJECT["project"]["optional-dependencies"].values()
    return [*PROJECT["project"]["dependencies"], *(text for extra in extras for text in extra)]


def test_every_dependency_has_a_lower_bound() -> None:
    others = [text for text in every_requirement() if not text.startswith("mnv2c[")]
    assert [text for text in others if not re.fullmatch(r"[\w.-]+(>=|==)\d[\w.*]*(,<[\w.]+)?", text)] == []


def test_the_constraints_hold_what_the_tests_need() -> None:
    """Every package once, with a version that pyproject.toml allows and a digest."""
    from packaging.requirements import Requirement

    lines = [line for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if line[:1] not in "# "]
    text = (ROOT / "constraints.txt").read_text("utf-8")
    pinned = {match[1]: match[2] for line in lines if (match := re.fullmatch(r"([a-z0-9-]+)==(\S+) \\", line))}
    assert len(pinned) == len(lines) == len(re.findall(r"^    --hash=sha256:[0-9a-f]{64}$", text, re.MULTILINE))
    extras = PROJECT["project"]["optional-dependencies"]
    needed = [*PROJECT["project"]["dependencies"], *extras["test"], *extras["tune"], *extras["coco"]]
    for requirement in map(Requirement, needed):
        if requirement.name != "mnv2c":
            assert requirement.specifier.contains(pinned[requirement.name]), requirement


def commands() -> list[str]:
    """Every shell line of the README."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    return [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]


def test_exactly_two_commands_set_everything_up() -> None:
    section = README.split("## Set-up")[1].split("\n## ")[0]
    assert re.findall(r"^make \w+", section, re.MULTILINE) == ["make demo", "make test"]
    rules = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {"demo", "test"} <= set(rules)


def test_the_commands_of_the_readme_parse() -> None:
    ours = [line.split()[1:] for line in commands() if line.startswith("mnv2c ")]
    assert len(ours) >= 5
    for words in ours:
        assert build_parser().parse_args(words).verb == words[0]


def test_the_readme_names_every_verb_and_target() -> None:
    assert all(f"`mnv2c {verb}" in README for verb in VERBS)
    assert all(f"`{path.stem}`" in README for path in (ROOT / "targets").glob("*.toml"))


def test_the_readme_names_every_option() -> None:
    table = README.split("| option | of | says |")[1].split("\n## ")[0]
    named = set(re.findall(r"`(--[\w-]+)", table))
    for verb, parser in build_parser().verbs().items():
        options = {
            word for action in parser._actions if action.help != argparse.SUPPRESS for word in action.option_strings
        }
        missing = {word for word in options if word.startswith("--")} - named - {"--help"}
        assert not missing, f"{verb} has {missing}"


def test_paths_in_the_documents_exist() -> None:
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = document.read_text(encoding="utf-8")
        for path in re.findall(r"`((?:mnv2c|docs|tests|tools|targets|schedules|examples)/[\w/.-]*)`", text):
            assert (ROOT / path).exists(), f"{document.name} names {path}"
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert (document.parent / link).exists(), f"{document.name} links to {link}"


def test_the_index_of_decisions_names_every_one_once() -> None:
    text = (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8")
    titles = re.findall(r"^## (\d+\. .*)$", text, re.MULTILINE)
    index = " ".join(text[text.index("## Index") : text.index("## 1.")].split())
    listed = re.findall(r"(?<= )(\d+) ([^?]*\?)", index)
    assert sorted(f"{number}. {title}" for number, title in listed) == sorted(titles)
    for number in re.findall(r"(?<=superseded by )[\d ,and]+", text):
        assert set(re.findall(r"\d+", number)) <= {title.split(".")[0] for title in titles}


def test_no_path_of_a_machine_is_in_the_tree() -> None:
    machine = re.compile(r"/(?:home|Users|root|work|opt)/\w|/tmp/\w")
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in tree()
        if path != Path(__file__)
        for line in path.read_text(encoding="utf-8").splitlines()
        if machine.search(line)
    ]
    assert found == []


def test_modules_stay_small() -> None:
    long = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in (ROOT / "mnv2c").rglob("*.py")
    }
    assert {name: lines for name, lines in long.items() if lines > 350} == {}


def test_the_picture_of_the_pipeline_is_valid() -> None:
    from xml.etree import ElementTree

    root = ElementTree.parse(ROOT / "docs" / "pipeline.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "prefers-color-scheme: dark" in (ROOT / "docs" / "pipeline.svg").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the files in a freshly built wheel; skipped where the build back-end cannot be had."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and re.search("No matching distribution|ConnectionError|NewConnectionError", done.stderr):
        pytest.skip("pip cannot fetch the build back-end (hatchling)")
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        return set(archive.namelist())


def test_the_wheel_carries_the_data(wheel: set[str]) -> None:
    for folder in ("targets", "schedules"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file():
                assert f"mnv2c/data/{path.relative_to(ROOT).as_posix()}" in wheel


def test_the_wheel_carries_every_file_of_the_package(wheel: set[str]) -> None:
    for path in (ROOT / "mnv2c").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("."):
            assert path.relative_to(ROOT).as_posix() in wheel
    assert not any(name.startswith(("tests/", "build/")) for name in wheel)
    assert any(name.endswith("licenses/LICENSE") for name in wheel)
