"""The texts of a library: header, entry C, example, metadata."""

import json
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from mnv2c import __version__, package, targets
from mnv2c.codegen.cpu_check import cpu_checks
from mnv2c.codegen.entry import entry_source
from mnv2c.codegen.selftest import Expected
from mnv2c.errors import CompilerError
from mnv2c.plan.program import Step
from tests.runtime import fake

Golden = Callable[[str, str], None]
A76 = targets.load("cortex-a76")


def test_the_texts_are_as_agreed(golden: Golden) -> None:
    made = fake.parts(A76)
    texts = {
        "fake.h": made.header,
        "fake.json": made.metadata,
        "main.c": package.example_source(fake.program(), "fake"),
        "fake.cortex-a76.c": made.entry,
        "fake.x86-64-v4.c": fake.parts(targets.load("x86-64-v4")).entry,
        **package.build_files("fake", A76, "three steps to test with"),
        "macos.cmake": package.build_files("fake", targets.load("apple-m1"), "")["fakeConfig.cmake"],
        "check.cortex-a7.c": "".join(cpu_checks({"cpu_has_features": targets.load("cortex-a7")})) + "\n",
        "check.android-arm64.c": "".join(cpu_checks({"cpu_has_features": targets.load("android-arm64")})) + "\n",
        "check.apple-m1.c": "".join(cpu_checks({"cpu_has_features": targets.load("apple-m1")})) + "\n",
    }
    for name, text in texts.items():
        golden(name, text.replace(__version__, "VERSION"))


def test_the_example_is_about_thirty_lines() -> None:
    assert 25 <= package.example_source(fake.program(), "fake").count("\n") <= 42


def test_the_header_includes_only_freestanding_headers() -> None:
    header = fake.parts(A76).header
    assert set(re.findall(r"#include (\S+)", header)) == {"<stddef.h>", "<stdint.h>"}
    declared = set(re.findall(r"fake_API \S.*?(fake_\w+)\(", header.replace("FAKE_API", "fake_API")))
    assert declared == set(package.exports("fake"))


def test_the_entry_is_one_function_per_step_with_its_places() -> None:
    entry = fake.parts(A76).entry
    assert "return fake_scale(WEIGHTS(0u), INPUT(0, 0u), ARENA(0u));" in entry
    assert "return fake_split(ARENA(0u), ARENA(320u), OUTPUT(0, 0u), OUTPUT(1, 0u));" in entry
    assert (
        '/* 0 scale: times a weight per channel\n * leaves 1x4x5x3 float32 at arena + 0 = ONNX tensor "scaled" */'
        in entry
    )
    assert not re.search(r"malloc|stdio|printf|assert", entry)
    assert "\n\n\n" not in entry


def test_nothing_in_the_entry_is_mutable() -> None:
    entry = fake.parts(A76).entry
    outside = re.sub(r"\{.*?^\}", "", entry, flags=re.DOTALL | re.MULTILINE)
    for line in outside.splitlines():
        if re.match(r"static (?!const)\S+ \**\w+( =|;|\[)", line):
            pytest.fail(f"a mutable global: {line}")


def test_comments_cannot_be_left() -> None:
    network = fake.program()
    steps = (replace(network.steps[0], comment="*/ #error /* \n #error"), *network.steps[1:])
    entry = entry_source(replace(network, steps=steps), "fake", A76, [Expected(((0, 0.0),), 0.0)] * 2)
    assert "/* 0 scale: * / #error / * #error\n" in entry


def test_a_target_without_requirements_needs_no_check() -> None:
    entry = entry_source(fake.program(), "fake", replace(A76, requires=()), [Expected(((0, 0.0),), 0.0)] * 2)
    assert "any CPU of this architecture will do" in entry
    assert "getauxval" not in entry


@pytest.mark.parametrize("name", ["cortex-a76", "cortex-a7", "android-arm64", "x86-64-v4"])
def test_the_check_names_every_required_feature(name: str) -> None:
    target = targets.load(name)
    entry = fake.parts(target).entry
    checked = re.findall(r"lacks\(.*/\* ([\w, ]+) \*/$", entry, re.MULTILINE)
    assert set(target.requires) <= {word for line in checked for word in line.split(", ")}


def test_metadata_has_what_scripts_rely_on() -> None:
    meta = json.loads(fake.parts(A76).metadata)
    wanted = "name target dtype inputs outputs params madds arena_bytes weights_bytes chains fallbacks"
    assert set(wanted.split()) <= set(meta)
    assert [entry["step"] for entry in meta["chains"]] == [0, 2]
    assert [entry["step"] for entry in meta["fallbacks"]] == [1]
    assert meta["target"]["name"] == "cortex-a76"
    assert meta["inputs"][0] == {
        "name": "input", "shape": [1, 4, 5, 3], "dtype": "float32", "layout": "NHWC", "bytes": 240
    }  # fmt: skip


def describe(chains: list[str]) -> None:
    package.metadata(
        fake.program(), "fake", A76, summary="", dtype="float32", params=0, madds=0, model={}, weights_source="",
        toolchain={}, chains=[{"name": name} for name in chains], fallbacks=[],
    )  # fmt: skip


def test_every_step_is_described_once() -> None:
    describe(["scale", "relu6", "split"])
    with pytest.raises(CompilerError, match="no step is called 'pool'"):
        describe(["scale", "pool"])
    with pytest.raises(CompilerError, match=r"steps \[1\] belong to no chain"):
        describe(["scale", "split"])


def test_a_kernel_may_be_shared() -> None:
    network = fake.program()
    again = Step("again", "fake_relu6", network.steps[1].arguments, ())
    entry = entry_source(replace(network, steps=(*network.steps, again)), "fake", A76, [Expected(((0, 0.0),), 0.0)] * 2)
    assert entry.count("extern HIDDEN int32_t fake_relu6(") == 1
    assert entry.count("return fake_relu6(") == 2
