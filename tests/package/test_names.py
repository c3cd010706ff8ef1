"""Library names are C identifiers."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnv2c.errors import UserError
from mnv2c.package import check_name, exports, identifier


@pytest.mark.parametrize("name", ["mobilenet_v2_1_0_224", "a", "Model2"])
def test_good_names(name: str) -> None:
    assert check_name(name) == identifier(name) == name


@pytest.mark.parametrize("name", ["", "2fast", "_x", "a-b", "größe", "int", "class", "main", "a b", "a\n"])
def test_bad_names(name: str) -> None:
    with pytest.raises(UserError, match="must be a C identifier such as"):
        check_name(name)


@given(st.text(max_size=30))
def test_a_suggestion_is_always_good(text: str) -> None:
    name = check_name(identifier(text))
    assert all(re.fullmatch(rf"{name}_\w+", symbol) for symbol in exports(name))
