"""Who may import whom: every package keeps to what it is meant to know."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "mnv2c"
EVERYWHERE = {"mnv2c.dtypes", "mnv2c.errors", "mnv2c.escape", "mnv2c.files", "mnv2c.reading", "mnv2c.scratch"}
HEAVY = {"tvm", "tvm_ffi", "onnx", "onnxruntime", "torch"}

# Per package or module of mnv2c: what it may import besides the standard library, itself and EVERYWHERE.
MAY_IMPORT = {
    "errors": set(),
    "dtypes": set(),
    "files": set(),
    "scratch": set(),
    "escape": set(),
    "reading": set(),
    "labels": set(),
    "tolerance": {"numpy"},
    "masks": {"numpy", "onnx"},
    "double_precision": {"mnv2c", "mnv2c.tolerance", "numpy", "onnx"},
    "data": set(),
    "spec": set(),
    "weights": {"mnv2c.spec", "numpy", "safetensors", "torch"},
    "reference": {"mnv2c.spec", "numpy", "torch"},
    "from_onnx": {"onnx", "numpy"},
    "to_onnx": {"mnv2c.spec", "mnv2c.weights", "onnx", "numpy"},
    "targets": {"mnv2c.data"},
    "package": {"mnv2c", "mnv2c.data", "mnv2c.plan.program", "mnv2c.targets"},
    "link": {"mnv2c.targets", "ziglang"},
    "frames": {"mnv2c", "mnv2c.data", "mnv2c.spec"},
    "runtime": {"numpy", "mnv2c.data", "mnv2c.link"},
    "report": {"mnv2c.spec", "rich"},
    "progress": {"rich"},
    "pictures": {"numpy", "PIL", "mnv2c.execution", "mnv2c.labels", "mnv2c.runtime"},
    "records": {"mnv2c", "mnv2c.data", "mnv2c.plan.chain", "mnv2c.plan.network", "mnv2c.schedule", "mnv2c.targets"},
    "scenes": {"numpy", "PIL"},
    "training": {f"mnv2c.{name}" for name in ("evaluation", "reference", "scenes", "spec", "weights")}
    | {"numpy", "torch"},
    "cli": {"mnv2c", "mnv2c.api", "mnv2c.progress"},
}

# Per package: what it must never import, where a list of everything it may would only be noise.
MUST_NOT_IMPORT = {
    "to_relax": {"mnv2c.targets", "mnv2c.schedule", "mnv2c.kernels", "mnv2c.codegen", "mnv2c.cli"},
    "passes": {"mnv2c.targets", "mnv2c.schedule", "mnv2c.kernels", "mnv2c.codegen", "mnv2c.cli"},
    "plan": {"onnx", "onnxruntime", "mnv2c.kernels", "mnv2c.codegen", "mnv2c.link", "mnv2c.package", "mnv2c.cli"},
    "kernels": {"onnx", "onnxruntime", "mnv2c.spec", "mnv2c.link", "mnv2c.package", "mnv2c.codegen", "mnv2c.cli"},
    "schedule": {"tvm", "onnx", "onnxruntime", "mnv2c.spec", "mnv2c.link", "mnv2c.package", "mnv2c.cli"},
    "codegen": {"onnx", "onnxruntime", "mnv2c.spec", "mnv2c.link", "mnv2c.cli"},
    "benchmark": {"tvm", "tvm_ffi", "mnv2c.api", "mnv2c.cli", "mnv2c.compiler", "mnv2c.kernels", "mnv2c.plan"},
    "evaluation": {*HEAVY, "mnv2c.api", "mnv2c.cli", "mnv2c.compiler", "mnv2c.training", "mnv2c.reference"},
    "selfcheck": {*HEAVY, "mnv2c.api", "mnv2c.cli", "mnv2c.compiler", "mnv2c.kernels", "mnv2c.plan", "mnv2c.tune"},
    "tune": {"onnx", "onnxruntime", "torch", "mnv2c.api", "mnv2c.cli", "mnv2c.report", "mnv2c.package"},
    "compiler": {"mnv2c.tune", "mnv2c.api", "mnv2c.cli", "mnv2c.report", "mnv2c.runtime", "mnv2c.progress"},
}

MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    """The dotted name of a module of mnv2c."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST, module: str) -> set[str]:
    """Dotted names that the code imports; `from a import b` counts as a.b where that is a module of mnv2c."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import; write the whole name"
            assert node.module is not None
            found.update(
                f"{node.module}.{a.name}" if is_module(f"{node.module}.{a.name}") else node.module for a in node.names
            )
    return found


def is_module(dotted: str) -> bool:
    path = ROOT.joinpath(*dotted.split("."))
    return dotted.startswith("mnv2c") and (path.with_suffix(".py").exists() or (path / "__init__.py").exists())


def at_import_time(tree: ast.Module) -> ast.Module:
    """The module without the bodies of functions and of `if TYPE_CHECKING`."""

    class Strip(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
            return None

        def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
            return None

        def visit_If(self, node: ast.If) -> ast.AST | None:
            return None if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)

    return Strip().visit(tree)


def is_within(name: str, allowed: set[str]) -> bool:
    return any(name == entry or name.startswith(f"{entry}.") for entry in allowed if entry != "mnv2c") or (
        name == "mnv2c" and "mnv2c" in allowed
    )


def foreign_imports(path: Path) -> set[str]:
    """What a module imports besides the standard library, its own package and EVERYWHERE."""
    module = name_of(path)
    own = {".".join(module.split(".")[:2])}
    names = imports(ast.parse(path.read_text(encoding="utf-8")), module)
    return {
        name
        for name in names
        if name.split(".")[0] not in sys.stdlib_module_names and not is_within(name, EVERYWHERE | own)
    }


def members(package: str) -> list[Path]:
    return [path for path in MODULES if name_of(path).split(".")[1:2] == [package]]


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_package_imports_only_what_it_may(package: str) -> None:
    offences = {
        name_of(path): sorted(name for name in foreign_imports(path) if not is_within(name, MAY_IMPORT[package]))
        for path in members(package)
    }
    assert {module: names for module, names in offences.items() if names} == {}


@pytest.mark.parametrize("package", MUST_NOT_IMPORT)
def test_package_does_not_import_what_it_must_not_know(package: str) -> None:
    offences = {
        name_of(path): sorted(name for name in foreign_imports(path) if is_within(name, MUST_NOT_IMPORT[package]))
        for path in members(package)
    }
    assert {module: names for module, names in offences.items() if names} == {}


def test_every_package_is_under_a_rule() -> None:
    ruled = MAY_IMPORT.keys() | MUST_NOT_IMPORT.keys()
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert packages <= ruled, "give the new package a rule"


def test_only_the_compiler_half_imports_tvm() -> None:
    allowed = {"to_relax", "passes", "plan", "kernels", "codegen", "compiler", "tune", "dump"}
    users = {
        name_of(path) for path in MODULES if any(is_within(name, {"tvm", "tvm_ffi"}) for name in foreign_imports(path))
    }
    assert {name for name in users if name.split(".")[1] not in allowed} == set()


def test_only_one_module_imports_onnxruntime() -> None:
    """It has to be silenced before it is imported; tests are silenced by their conftest."""
    users = [path for path in MODULES if any(is_within(name, {"onnxruntime"}) for name in foreign_imports(path))]
    assert list(map(name_of, users)) == ["mnv2c.onnx_reference"]


def test_cheap_modules_import_heavy_packages_lazily() -> None:
    cheap = {
        "",
        "api",
        "cli",
        "spec",
        "targets",
        "package",
        "link",
        "progress",
        "image",
        "labels",
        "drawing",
        "frames",
        "scenes",
        "evaluation",
        "doctor",
        "onnx_reference",
        "verification",
        "prediction",
        "benchmark",
        "double_precision",
        "tolerance",
        "errors",
        "files",
        "scratch",
        "data",
        "compiler",
        "records",
    }
    for path in MODULES:
        module = name_of(path)
        if [*module.split("."), ""][1] in cheap:
            eager = imports(at_import_time(ast.parse(path.read_text(encoding="utf-8"))), module)
            assert not {name for name in eager if is_within(name, HEAVY)}, f"{module} imports at its top level"


def test_the_rules_see_an_offence() -> None:
    tree = ast.parse("def f():\n    from mnv2c.cli import main\nimport tvm.relax")
    assert imports(tree, "mnv2c.spec.x") == {"mnv2c.cli.main", "tvm.relax"}
    assert imports(at_import_time(tree), "mnv2c.spec.x") == {"tvm.relax"}
    assert is_within("tvm.relax", HEAVY)
    assert not is_within("tvmx", HEAVY)
