"""The bill of materials: its structure, its digests, and that equal libraries have equal ones."""

import json
import shutil
import subprocess
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any

import pytest

from mnv2c import __version__
from mnv2c.compiler import Compiled
from mnv2c.errors import UserError
from mnv2c.package import Symlink, bill_of_materials

META: dict[str, Any] = {
    "name": "net",
    "summary": "a network",
    "target": {"name": "cortex-a76"},
    "model": {"kind": "onnx", "file": "net.onnx", "licence": "weights Apache-2.0"},
    "weights_source": f"net.onnx, sha256 {'ab' * 32}",
    "toolchain": {"apache-tvm": "0.27", "llvm": "22", "linker": "zig 0.17.0"},
}
FILES = {"libnet.so.1": b"\x7fELF", "libnet.so": Symlink("libnet.so.1"), "net.h": "/* ü */\n", "netConfig.cmake": "#"}


def packages(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {package["name"]: package for package in document["packages"]}


def test_every_file_has_its_digests() -> None:
    document = bill_of_materials(FILES, META)
    assert [entry["fileName"] for entry in document["files"]] == ["./libnet.so.1", "./net.h", "./netConfig.cmake"]
    assert [entry["fileTypes"] for entry in document["files"]] == [["BINARY"], ["SOURCE"], ["TEXT"]]
    digests = {check["algorithm"]: check["checksumValue"] for check in document["files"][1]["checksums"]}
    content = "/* ü */\n".encode()
    assert digests == {"SHA1": sha1(content).hexdigest(), "SHA256": sha256(content).hexdigest()}
    each = sorted(entry["checksums"][0]["checksumValue"] for entry in document["files"])
    code = packages(document)["net"]["packageVerificationCode"]["packageVerificationCodeValue"]
    assert code == sha1("".join(each).encode()).hexdigest()  # SPDX 2.3, clause 7.9


def test_model_and_tools_are_packages() -> None:
    found = packages(bill_of_materials(FILES, META))
    assert found.keys() == {"net", "net.onnx", "mnv2c", "apache-tvm", "llvm", "zig"}
    assert {name: found[name]["versionInfo"] for name in ("mnv2c", "llvm", "zig")} == {
        "mnv2c": __version__, "llvm": "22", "zig": "0.17.0"
    }  # fmt: skip
    assert found["net.onnx"]["checksums"] == [{"algorithm": "SHA256", "checksumValue": "ab" * 32}]
    assert found["net.onnx"]["licenseDeclared"] == "NOASSERTION"
    assert found["net.onnx"]["comment"].endswith("licence: weights Apache-2.0")
    assert found["llvm"]["licenseDeclared"] == "Apache-2.0 WITH LLVM-exception"
    strange = packages(bill_of_materials(FILES, META | {"toolchain": {"linker": "gcc (Debian 12.2.0-14) 12.2.0"}}))
    assert strange["gcc (Debian 12.2.0-14)"]["licenseDeclared"] == "NOASSERTION"


def test_relations_name_what_exists() -> None:
    document = bill_of_materials(FILES, META)
    known = {"SPDXRef-DOCUMENT"} | {entry["SPDXID"] for entry in (*document["packages"], *document["files"])}
    assert len(known) == 1 + len(document["packages"]) + len(document["files"])
    for relation in document["relationships"]:
        assert {relation["spdxElementId"], relation["relatedSpdxElement"]} <= known
    kinds = [relation["relationshipType"] for relation in document["relationships"]]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "DESCRIBES": 1, "CONTAINS": 3, "GENERATED_FROM": 1, "BUILD_TOOL_OF": 4
    }  # fmt: skip


def test_the_time_is_fixed_or_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    first = bill_of_materials(FILES, META)
    assert first["creationInfo"]["created"] == "1970-01-01T00:00:00Z"
    assert first == bill_of_materials(dict(FILES), dict(META))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert bill_of_materials(FILES, META)["creationInfo"]["created"] == "2023-11-14T22:13:20Z"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(UserError, match='SOURCE_DATE_EPOCH="yesterday": must be a number of seconds'):
        bill_of_materials(FILES, META)


def test_other_content_has_another_namespace() -> None:
    other = bill_of_materials(FILES | {"net.h": ""}, META)
    assert other["documentNamespace"] != bill_of_materials(FILES, META)["documentNamespace"]


def test_a_compiled_folder_is_as_its_bill_says(compiled: Compiled) -> None:
    document = json.loads((compiled.directory / f"{compiled.name}.spdx.json").read_text())
    listed = {entry["fileName"].removeprefix("./"): entry["checksums"][1] for entry in document["files"]}
    there = {path.name for path in compiled.directory.iterdir() if path.is_file() and not path.is_symlink()}
    assert listed.keys() == there - {f"{compiled.name}.spdx.json"}
    for name, check in listed.items():
        assert check["checksumValue"] == sha256((compiled.directory / name).read_bytes()).hexdigest(), name
    assert {"mnv2c", "apache-tvm", "llvm", "zig"} <= packages(document).keys()


@pytest.mark.skipif(shutil.which("pyspdxtools") is None, reason="spdx-tools is missing: the document was NOT validated")
def test_the_validator_of_spdx_agrees(tmp_path: Path) -> None:
    (tmp_path / "net.spdx.json").write_text(json.dumps(bill_of_materials(FILES, META)))
    subprocess.run(["pyspdxtools", "-i", str(tmp_path / "net.spdx.json")], check=True)
