"""Flags, verbs, errors and exit codes of the command line, with the API replaced."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnv2c import __version__, api
from mnv2c.cli.main import VERBS, build_parser, main
from mnv2c.errors import SpecError, VerificationError

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str) -> tuple[int, str, str]:
        code = main(words)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def replace_api(monkeypatch: pytest.MonkeyPatch, name: str, function: Callable[..., Any]) -> None:
    monkeypatch.setitem(api.__dict__, name, function)


def test_version(run: Run) -> None:
    assert run("--version") == (0, f"mnv2c {__version__}\n", "")


def test_no_verb_prints_help(run: Run) -> None:
    code, out, err = run()
    assert (code, err) == (0, "")
    assert all(verb in out for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_and_flag_explains_itself(verb: str, run: Run) -> None:
    code, out, err = run(verb, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: mnv2c {verb}")
    for action in build_parser().verbs()[verb]._actions:
        assert action.help, f"{action.option_strings or action.dest} has no help"


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        (("complie",), ('unknown verb "complie"', '"compile"')),
        (("frobnicate",), ('unknown verb "frobnicate"', "compile, run, verify")),
        (("compile", "mobilenet_v2", "--widht", "0.5", "-o", "d"), ('unknown flag "--widht"', '"--width"')),
        (("compile", "--ouptut=d", "mobilenet_v2"), ('unknown flag "--ouptut"', '"--output"')),
        (("compile", "mobilenet_v2", "--res", "96", "-o", "d"), ('unknown flag "--res"',)),
        (("compile", "mobilenet_v2"), ("-o/--output", "mnv2c compile --help")),
        (("compile", "mobilenet_v2", "-o", "d", "--width", "wide"), ("--width", "'wide'")),
        (("compile", "m", "-o", "d", "--weights", "f", "--seed", "1"), ("--seed", "not allowed")),
        (("compile", "m", "-o", "d", "--libc", "newlib"), ('libc "newlib"', "musl")),
        (("verify", "a", "b"), ("b",)),
        (("verify", "x" * 300), ("no such folder",)),
        (("compile", "mobilenet_v2", "-o", "x" * 300), ("a shorter one",)),
        (("plan", "mobilenet_v2", "--html", f"{'x' * 300}/p.html"), ("x",)),
        (("schedules", "prune", "x" * 300), ("x",)),
        (("--vresion",), ('unknown flag "--vresion"', '"--version"')),
    ],
)
def test_mistakes_are_one_line_with_exit_code_2(words: tuple[str, ...], fragments: tuple[str, ...], run: Run) -> None:
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert err.startswith("mnv2c: error: ")
    assert err.count("\n") == 1
    assert all(fragment in err for fragment in fragments), err


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=12), min_size=1, max_size=3))
def test_no_words_make_a_traceback(words: list[str]) -> None:
    if words[0] in VERBS:
        return
    assert main(words) in (0, 2)


def test_compile_passes_every_option_on(monkeypatch: pytest.MonkeyPatch, run: Run, tmp_path: Path) -> None:
    seen: dict[str, Any] = {}

    def compile_model(model: str, target: str, **options: Any) -> SimpleNamespace:
        options.pop("progress")("phase", 0.5)
        seen.update(options, model=model, target=target)
        return SimpleNamespace(directory=Path(options["output"]), name="n")

    summary = {
        "name": "n", "target": "cortex-a53", "directory": "d", "params": 1, "madds": 2, "weights_source": "seed 3",
        "arena_bytes": 1000, "weights_bytes": 2, "files": {"libn.a": 5}, "chains": 1, "fallbacks": [],
    }  # fmt: skip
    replace_api(monkeypatch, "compile_model", compile_model)
    replace_api(monkeypatch, "describe", {Path("d/n.json"): summary}.__getitem__)
    words = (
        "compile mobilenet_v2 --target cortex-a53 --libc musl --seed 3 --width 0.35 --resolution 96x160 --classes 10 "
        "--name n --cc gcc --ndk kit --depfile d.d --dtype float32 --batch 1 --threads 2 --dump dump -o d --json "
        "--schedules none --labels l.txt --mean 0,0,0 --std 1 --fit stretch --channels bgr "
        "--input-shape a=1,2 --input-shape b=3 --check native"
    )
    code, out, err = run(*words.split())
    assert code == 0
    assert json.loads(out) == summary
    assert "phase" in err
    assert seen == {
        "model": "mobilenet_v2", "target": "cortex-a53", "libc": "musl", "weights": None, "seed": 3, "width": 0.35,
        "resolution": "96x160", "classes": 10, "name": "n", "cc": "gcc", "dtype": "float32", "batch": 1, "dump": "dump",
        "output": "d", "weights_source": None, "ndk": "kit", "depfile": "d.d", "threads": 2, "arena_limit": None,
        "join": True, "labels": "l.txt", "schedules": "none",
        "input_shape": ["a=1,2", "b=3"], "check": "native",
        "preprocessing": {"mean": "0,0,0", "deviation": "1", "fit": "stretch", "channels": "bgr"},
    }  # fmt: skip
    assert run(*"compile m -o d --weights w.pth --weights-source timm --quiet".split())[0] == 0
    assert (seen["weights"], seen["weights_source"]) == ("w.pth", "timm")
    assert run("compile", "m", "-o", "d", "--quiet") == (0, "", "")


def test_errors_of_the_work(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    def fails(error: BaseException) -> Callable[..., Any]:
        def inspect(*_: Any, **__: Any) -> None:
            raise error

        return inspect

    cases: list[tuple[BaseException, int, str]] = [
        (SpecError("net.toml: width is 0\nsecond line"), 2, "mnv2c: error: net.toml: width is 0 second line\n"),
        (VerificationError("wrong"), 1, "mnv2c: error: wrong\n"),
        (FileNotFoundError(2, "No such file", "x"), 1, "mnv2c: error: x: No such file\n"),
        (KeyboardInterrupt(), 130, "mnv2c: interrupted\n"),
    ]
    for error, expected, line in cases:
        replace_api(monkeypatch, "inspect", fails(error))
        assert run("inspect", "m") == (expected, "", line)
    replace_api(monkeypatch, "inspect", fails(ZeroDivisionError("oh")))
    code, _, err = run("inspect", "m")
    assert code == 1
    assert "internal error" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("words", [("--debug", "inspect", "m"), ("inspect", "m", "--debug")])
def test_debug_shows_the_traceback(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    def inspect(*_: Any, **__: Any) -> None:
        raise SpecError("bad")

    replace_api(monkeypatch, "inspect", inspect)
    code, _, err = run(*words)
    assert code == 2
    assert "Traceback" in err
    assert err.endswith("mnv2c: error: bad\n")


def test_targets_lists_the_files(run: Run) -> None:
    code, out, _ = run("targets", "--json")
    assert code == 0
    names = {row["name"] for row in json.loads(out)}
    assert {"aarch64", "cortex-a53", "cortex-a76", "x86-64-v3", "x86-64-v4"} <= names
    assert "cortex-a53" in run("targets")[1]


def test_doctor_reports_what_is_missing(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    code, out, _ = run("doctor", "--json")
    report = json.loads(out)
    assert (code == 0) == report["healthy"]
    wanted = {"python", "apache-tvm-ffi", "ziglang", "qemu-aarch64", "qemu-arm", "cc"}
    assert wanted <= {finding["what"] for finding in report["findings"]}

    from mnv2c.report import doctor

    monkeypatch.setattr(doctor, "FFI_PIN", "0.0")
    code, out, _ = run("doctor")
    assert code == 1
    assert "MISSING" in out
    assert "0.0 is needed" in out
