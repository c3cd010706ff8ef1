"""Who may import whom: every package keeps to what it is meant to know."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "mnv2c"
EVERYWHERE = {
    "mnv2c.dtypes",
    "mnv2c.errors",
    "mnv2c.common.escape",
    "mnv2c.common.files",
    "mnv2c.common.reading",
    "mnv2c.common.scratch",
}
HEAVY = {"tvm", "tvm_ffi", "onnx", "onnxruntime", "torch"}

# Per package or module of mnv2c: what it may import besides the standard library, itself and EVERYWHERE.
MAY_IMPORT = {
    "errors": {"mnv2c.common.escape"},
    "dtypes": set(),
    "common": {"rich"},
    "spec": set(),
    "weights": {"mnv2c.spec", "numpy", "safetensors", "torch"},
    "from_onnx": {"onnx", "numpy"},
    "to_onnx": {"mnv2c.spec", "mnv2c.weights", "onnx", "numpy"},
    "targets": {"mnv2c.common.data"},
    "package": {"mnv2c.common", "mnv2c.plan.program", "mnv2c.targets"},
    "link": {"mnv2c.targets", "ziglang"},
    "frames": {"mnv2c.common", "mnv2c.spec"},
    "runtime": {"numpy", "mnv2c.common.data", "mnv2c.link"},
    "verification": {"mnv2c.runtime", "numpy", "onnx", "onnxruntime"},
    "report": {"mnv2c.spec", "mnv2c.targets", "rich"},
    "pictures": {"numpy", "PIL", "mnv2c.frames.labels", "mnv2c.runtime"},
    "records": {"mnv2c.common", "mnv2c.plan.chain", "mnv2c.plan.network", "mnv2c.schedule", "mnv2c.targets"},
    "lower": {"mnv2c.passes", "mnv2c.plan", "numpy"},
    "learning.reference": {"mnv2c.spec", "numpy", "torch"},
    "learning.scenes": {"numpy", "PIL"},
    "learning.training": {f"mnv2c.learning.{name}" for name in ("evaluation", "reference", "scenes")}
    | {"mnv2c.spec", "mnv2c.weights", "numpy", "torch"},
    "cli": {"mnv2c.api", "mnv2c.common", "mnv2c.verification.comparison"},
}

TUNE = {"onnx", "onnxruntime", "torch", "mnv2c.api", "mnv2c.cli", "mnv2c.report", "mnv2c.package"}

# Per package: what it must never import, where a list of everything it may would only be noise.
MUST_NOT_IMPORT = {
    "to_relax": {"mnv2c.targets", "mnv2c.schedule", "mnv2c.kernels", "mnv2c.codegen", "mnv2c.cli"},
    "passes": {"mnv2c.targets", "mnv2c.schedule", "mnv2c.kernels", "mnv2c.codegen", "mnv2c.cli"},
    "planner": {"onnx", "onnxruntime", "mnv2c.spec", "mnv2c.link", "mnv2c.package", "mnv2c.cli", "mnv2c.compiler"},
    "plan": {
        "tvm",
        "onnx",
        "mnv2c.passes",
        "mnv2c.lower",
        "mnv2c.kernels",
        "mnv2c.codegen",
        "mnv2c.link",
        "mnv2c.package",
        "mnv2c.cli",
    },
    "kernels": {"onnx", "onnxruntime", "mnv2c.spec", "mnv2c.link", "mnv2c.package", "mnv2c.codegen", "mnv2c.cli"},
    "schedule": {"tvm", "onnx", "onnxruntime", "mnv2c.spec", "mnv2c.link", "mnv2c.package", "mnv2c.cli"},
    "codegen": {"onnx", "onnxruntime", "mnv2c.spec", "mnv2c.link", "mnv2c.cli"},
    "benchmark": {"tvm", "tvm_ffi", "mnv2c.api", "mnv2c.cli", "mnv2c.compiler", "mnv2c.kernels", "mnv2c.plan"},
    "learning.evaluation": {
        *HEAVY,
        "mnv2c.api",
        "mnv2c.cli",
        "mnv2c.compiler",
        "mnv2c.learning.training",
        "mnv2c.learning.reference",
    },
    "selfcheck": {*HEAVY, "mnv2c.api", "mnv2c.cli", "mnv2c.compiler", "mnv2c.kernels", "mnv2c.plan", "mnv2c.tune"},
    **{f"tune.{room}": TUNE for room in ("space", "model", "measure", "devices", "session")},
    "compiler": {"mnv2c.tune", "mnv2c.api", "mnv2c.cli", "mnv2c.report", "mnv2c.runtime", "mnv2c.common.progress"},
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
    own = {f"mnv2c.{package_of(module)}"}
    names = imports(ast.parse(path.read_text(encoding="utf-8")), module)
    return {
        name
        for name in names
        if name.split(".")[0] not in sys.stdlib_module_names and not is_within(name, EVERYWHERE | own)
    }


def package_of(module: str) -> str:
    """The package of a module, without ``mnv2c``; accuracy and tuning have several in one folder."""
    parts = module.split(".")
    return ".".join(parts[1 : 3 if parts[1:2] in (["learning"], ["tune"]) else 2])


def members(package: str) -> list[Path]:
    return [path for path in MODULES if package_of(name_of(path)) == package]


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
    packages = {package_of(name_of(path)) for path in MODULES if path.name == "__init__.py"} - {"", "learning", "tune"}
    assert packages <= ruled, "give the new package a rule"


def test_only_the_compiler_half_imports_tvm() -> None:
    allowed = {"to_relax", "passes", "lower", "planner", "kernels", "codegen", "compiler", "tune"}
    users = {
        name_of(path) for path in MODULES if any(is_within(name, {"tvm", "tvm_ffi"}) for name in foreign_imports(path))
    }
    assert {name for name in users if name.split(".")[1] not in allowed} == set()


def test_only_one_module_imports_onnxruntime() -> None:
    """It has to be silenced before it is imported; tests are silenced by their conftest."""
    users = [path for path in MODULES if any(is_within(name, {"onnxruntime"}) for name in foreign_imports(path))]
    assert list(map(name_of, users)) == ["mnv2c.verification.onnx_reference"]


def test_cheap_modules_import_heavy_packages_lazily() -> None:
    heavy = {
        "to_relax",
        "passes",
        "lower",
        "kernels",
        "codegen",
        "planner",
        "compiler.emitting",
        "compiler.library",
        "compiler.expected",
        "tune",
    }
    heavy |= {"learning.reference", "learning.training", "from_onnx", "to_onnx"}
    for path in MODULES:
        module = name_of(path)
        if not is_within(module, {f"mnv2c.{name}" for name in heavy}):
            eager = imports(at_import_time(ast.parse(path.read_text(encoding="utf-8"))), module)
            assert not {name for name in eager if is_within(name, HEAVY)}, f"{module} imports at its top level"


def test_the_rules_see_an_offence() -> None:
    tree = ast.parse("def f():\n    from mnv2c.cli import main\nimport tvm.relax")
    assert imports(tree, "mnv2c.spec.x") == {"mnv2c.cli.main", "tvm.relax"}
    assert imports(at_import_time(tree), "mnv2c.spec.x") == {"tvm.relax"}
    assert is_within("tvm.relax", HEAVY)
    assert not is_within("tvmx", HEAVY)


def graph() -> dict[str, set[str]]:
    """The modules that each module imports, for its types alone as well."""
    names = {name_of(path): path for path in MODULES}
    found = {name: imports(ast.parse(path.read_text(encoding="utf-8")), name) for name, path in names.items()}
    return {name: {other for other in imported if other in names and other != name} for name, imported in found.items()}


def circle(of: dict[str, set[str]]) -> list[str]:
    """A circle of names, the first one also last; empty where there is none."""
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for other in sorted(of.get(name, ())):
            if found := walk(other, [*path, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(of) if (found := walk(name, []))), [])


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circle(graph()) == []


def test_no_packages_import_each_other_in_a_circle() -> None:
    """What lies beside the packages is left out: ``api`` uses nearly all, and all use ``errors``."""
    packages: dict[str, set[str]] = {}
    for name, others in graph().items():
        own = packages.setdefault(package_of(name), set())
        own |= {package_of(other) for other in others} - {package_of(name)}
    roots = {package_of(name_of(path)) for path in PACKAGE.glob("*.py")}
    assert circle({name: others - roots for name, others in packages.items() if name not in roots}) == []


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}}) == []
