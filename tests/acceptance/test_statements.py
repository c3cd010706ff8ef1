"""The list of what the README says is accepted: its words stand there, and its tests exist and compare."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.acceptance.statements import STATEMENTS, Statement

ROOT = Path(__file__).parents[2]


def plain(text: str) -> str:
    return " ".join(text.split())


@cache
def functions(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / "tests" / path).read_text("utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def test_no_statement_stands_twice() -> None:
    assert len({statement.text for statement in STATEMENTS}) == len(STATEMENTS) >= 50


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement.text[:40])
def test_the_readme_says_so_and_tests_show_it(statement: Statement) -> None:
    assert plain(statement.text) in plain((ROOT / "README.md").read_text("utf-8"))
    assert statement.tests
    for name in statement.tests:
        path, function = name.split("::")
        assert function in functions(path), name


@pytest.mark.parametrize("table", ["Models", "Targets", "Trained weights", "ONNX files"])
def test_every_row_of_the_tables_of_what_is_accepted_is_a_statement(table: str) -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    section = text.split(f"\n## {table}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ") and not set(line) <= set("|-: ")]
    headings = {"| model |", "| target |", "| source |", "| file |"}
    found = [row for row in rows if not any(row.startswith(heading) for heading in headings)]
    assert len(found) >= 4
    refused = ("refused", "macOS 11")
    missing = [
        row
        for row in found
        if not any(plain(statement.text) in plain(row) for statement in STATEMENTS)
        and not any(word in row for word in refused)
    ]
    assert not missing
