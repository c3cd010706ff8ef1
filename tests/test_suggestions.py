"""``did you mean`` only for what may be a slip of the keyboard, never for another thing."""

from __future__ import annotations

import time

import pytest

from mnv2c import targets
from mnv2c.cli.main import build_parser
from mnv2c.errors import nearest
from mnv2c.spec.catalogue import available

TARGETS = targets.registry.names()
FLAGS = build_parser().verbs()["compile"].flags()
VERBS = list(build_parser().verbs())
MODELS = available()

SLIPS = [
    *[(word, "cortex-a76", TARGETS) for word in ("cortexa76", "cortex_a76", "Cortex-A76", "cortx-a76", "coretx-a76")],
    ("cortex-a076", "cortex-a76", TARGETS),
    ("aarhc64", "aarch64", TARGETS),
    ("hots", "host", TARGETS),
    ("neoverse_n1", "neoverse-n1", TARGETS),
    ("sapphire", "sapphirerapids", TARGETS),
    ("saphirerapids", "sapphirerapids", TARGETS),
    ("x86_64-v3", "x86-64-v3", TARGETS),
    ("x8664v3", "x86-64-v3", TARGETS),
    ("--tagret", "--target", FLAGS),
    ("--wieghts", "--weights", FLAGS),
    ("--out", "--output", FLAGS),
    ("--arena_limit", "--arena-limit", FLAGS),
    ("--arena", "--arena-limit", FLAGS),
    ("--input", "--input-shape", FLAGS),
    ("--thread", "--threads", FLAGS),
    ("compil", "compile", VERBS),
    ("comiple", "compile", VERBS),
    ("veryfy", "verify", VERBS),
    ("mobilenetv2", "mobilenet_v2", MODELS),
    ("mobilnet_v2", "mobilenet_v2", MODELS),
    ("moblienetv2_100", "mobilenetv2_100", MODELS),
    ("ssdlite_mobilnet_v2", "ssdlite_mobilenet_v2", MODELS),
    ("Clipp", "Clip", ["Clip", "Conv"]),
    ("mobilenet_v2_50", "mobilenetv2_050", MODELS),
    ("bottleneck_2", "bottleneck_02", ["bottleneck_02", "bottleneck_12"]),
]
OTHERS = [
    *[(word, TARGETS) for word in ("cortex-m7", "cortex-m55", "cortex-r5", "aarch64_be", "aarch64-musl", "arm64")],
    *[(word, TARGETS) for word in ("cortex-a57", "cortex-a35", "cortex-a5", "cortex-a9", "cortex-a510", "cortex-x2")],
    *[(word, TARGETS) for word in ("x86-64-v2", "x86-64", "znver2", "znver5", "apple-m2", "neoverse-v1", "riscv64")],
    *[(word, TARGETS) for word in ("cortex", "znver", "i686", "", "-", "64")],
    *[(word, MODELS) for word in ("mobilenet_v3", "mobilenet_v1", "mobilenet_v2_77", "resnet50", "mobilenet")],
    *[(word, MODELS) for word in ("deeplabv3_mobilenet_v3", "ssdlite_mobilenet_v3", "yolov2")],
    *[(word, FLAGS) for word in ("--quantize", "--optimize", "--int8", "--device")],
    *[(word, VERBS) for word in ("train", "convert", "build", "benchmarking", "x")],
]


@pytest.mark.parametrize(("word", "meant", "known"), SLIPS, ids=[word for word, *_ in SLIPS])
def test_a_slip_is_mended(word: str, meant: str, known: list[str]) -> None:
    assert nearest(word, known) == f' (did you mean "{meant}"?)'


@pytest.mark.parametrize(("word", "known"), OTHERS, ids=[f"{word}-{len(known)}" for word, known in OTHERS])
def test_another_thing_is_not_taken_for_one_that_is_known(word: str, known: list[str]) -> None:
    assert nearest(word, known) == ""


@pytest.mark.parametrize("name", [*TARGETS, *MODELS])
def test_leaving_out_any_letter_suggests_the_word_or_one_of_the_same_numbers(name: str) -> None:
    known = TARGETS if name in TARGETS else MODELS
    for index, letter in enumerate(name):
        if not letter.isalpha() or len("".join(filter(str.isalnum, name))) < 4:
            continue
        word = name[:index] + name[index + 1 :]
        found = nearest(word, known)
        digits = [part for part in name if part.isdigit()]
        assert found == "" or [part for part in found if part.isdigit()] == digits, word


def test_a_word_of_any_length_costs_no_time() -> None:
    begun = time.perf_counter()
    assert nearest("x" * 100_000, MODELS) == ""
    assert nearest("1" * 100_000, MODELS) == ""
    assert time.perf_counter() - begun < 1
