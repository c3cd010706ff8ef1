"""Library names are C identifiers."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnv2c.errors import UserError
from mnv2c.package import check_name, exports, identifier
from mnv2c.package.reserved import taken_by


@pytest.mark.parametrize("name", ["mobilenet_v2_1_0_224", "a", "Model2"])
def test_good_names(name: str) -> None:
    assert check_name(name) == identifier(name) == name


@pytest.mark.parametrize("name", ["", "2fast", "_x", "a-b", "größe", "a b", "a\n", "a" * 101])
def test_bad_names(name: str) -> None:
    with pytest.raises(UserError, match="must be a C identifier such as"):
        check_name(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("int", "is a keyword of C or C"),
        ("class", "is a keyword of C or C"),
        ("stdio", r"its header would hide the system's <stdio\.h>"),
        ("String", r"its header would hide the system's <string\.h>"),
        ("unistd", r"its header would hide the system's <unistd\.h>"),
        ("features", r"its header would hide the system's <features\.h>"),
        ("immintrin", r"its header would hide the system's <immintrin\.h>"),
        ("main", "is a file name that is taken"),
        ("con", "is a file name that is taken"),
        ("Lpt1", "is a file name that is taken"),
        ("m", "libm is a library of the system"),
        ("sem", "its functions would have names that are taken"),
    ],
)
def test_taken_names(name: str, reason: str) -> None:
    with pytest.raises(UserError, match=f'name "{name}": {reason}.*; give another one, such as "model_{name}"'):
        check_name(name)


@pytest.mark.parametrize("folder", ["generic-glibc", "generic-musl"])
def test_no_library_hides_a_header_of_the_c_libraries(folder: str) -> None:
    ziglang = find_spec("ziglang")
    assert ziglang is not None and ziglang.origin is not None
    headers = Path(ziglang.origin).parent / "lib" / "libc" / "include" / folder
    found = sorted(path.stem for path in headers.glob("*.h"))
    names = [name for name in found if re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name)]
    assert len(names) > 50
    assert [name for name in names if not taken_by(name)] == []


@given(st.text(max_size=30))
def test_a_suggestion_is_always_good(text: str) -> None:
    name = check_name(identifier(text))
    assert all(re.fullmatch(rf"{name}_\w+", symbol) for symbol in exports(name))
