"""``NAME.spdx.json``: what a library is made of and with what, as a bill of materials in SPDX 2.3.

Equal libraries get equal bills: the time is that of $SOURCE_DATE_EPOCH, else the beginning of 1970.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any

from mnv2c.common.version import __version__
from mnv2c.errors import UserError
from mnv2c.package.write import Content, Symlink

UNKNOWN = "NOASSERTION"
LIBRARY, MODEL = "SPDXRef-Library", "SPDXRef-Model"

LICENCES = {
    "mnv2c": "Apache-2.0",
    "apache-tvm": "Apache-2.0",
    "apache-tvm-ffi": "Apache-2.0",
    "llvm": "Apache-2.0 WITH LLVM-exception",
    "onnx": "Apache-2.0",
    "zig": "MIT",
}
"""Licences of the tools; none of their code becomes part of a library. Any other tool's is unknown."""

FILE_TYPES = {".h": "SOURCE", ".c": "SOURCE", ".a": "ARCHIVE", ".onnx": "OTHER", ".json": "TEXT", ".pc": "TEXT"}
"""By the end of the name; what is not here, the shared library, is binary."""


def bill_of_materials(files: Mapping[str, Content], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The SPDX document of a folder with ``files`` (links are left out) and ``metadata`` (``NAME.json``).

    UserError where $SOURCE_DATE_EPOCH is no time.
    """
    name = str(metadata["name"])
    entries = [_file(file, _bytes(content)) for file, content in files.items() if not isinstance(content, Symlink)]
    digests = sorted(entry["checksums"][0]["checksumValue"] for entry in entries)
    whole = sha1("".join(digests).encode(), usedforsecurity=False).hexdigest()
    tools = [_tool(tool, version) for tool, version in _toolchain(metadata).items()]
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"{name} for {metadata['target']['name']}",
        "documentNamespace": f"https://spdx.org/spdxdocs/{name}-{sha256(''.join(digests).encode()).hexdigest()}",
        "creationInfo": {"created": _time(), "creators": [f"Tool: mnv2c-{__version__}"]},
        "packages": [_library(name, metadata, whole), _model(metadata), *tools],
        "files": entries,
        "relationships": [
            _relation("SPDXRef-DOCUMENT", "DESCRIBES", LIBRARY),
            *(_relation(LIBRARY, "CONTAINS", entry["SPDXID"]) for entry in entries),
            _relation(LIBRARY, "GENERATED_FROM", MODEL),
            *(_relation(tool["SPDXID"], "BUILD_TOOL_OF", LIBRARY) for tool in tools),
        ],
    }


def _time() -> str:
    text = os.environ.get("SOURCE_DATE_EPOCH", "0")
    try:
        return datetime.fromtimestamp(int(text), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        raise UserError(f'SOURCE_DATE_EPOCH="{text}": must be a number of seconds since 1970') from None


def _bytes(content: Content) -> bytes:
    match content:
        case Path():
            return content.read_bytes()
        case str():
            return content.encode()
        case bytes():
            return content
        case Symlink():
            return b""


def _file(name: str, content: bytes) -> dict[str, Any]:
    return {
        "SPDXID": f"SPDXRef-File-{re.sub(r'[^A-Za-z0-9.]+', '-', name)}",
        "fileName": f"./{name}",
        "fileTypes": [FILE_TYPES.get(Path(name).suffix, "TEXT" if name.endswith(".cmake") else "BINARY")],
        "checksums": [
            {"algorithm": "SHA1", "checksumValue": sha1(content, usedforsecurity=False).hexdigest()},
            {"algorithm": "SHA256", "checksumValue": sha256(content).hexdigest()},
        ],
        "licenseConcluded": UNKNOWN,
        "copyrightText": UNKNOWN,
    }


def _package(identifier: str, name: str, version: str, licence: str, purpose: str) -> dict[str, Any]:
    return {
        "SPDXID": identifier,
        "name": name,
        "versionInfo": version,
        "downloadLocation": UNKNOWN,
        "filesAnalyzed": False,
        "licenseConcluded": UNKNOWN,
        "licenseDeclared": licence,
        "copyrightText": UNKNOWN,
        "primaryPackagePurpose": purpose,
    }


def _library(name: str, metadata: Mapping[str, Any], verification: str) -> dict[str, Any]:
    package = _package(LIBRARY, name, __version__, UNKNOWN, "LIBRARY")
    return package | {
        "summary": str(metadata["summary"]),
        "filesAnalyzed": True,
        "packageVerificationCode": {
            "packageVerificationCodeValue": verification,
            "packageVerificationCodeExcludedFiles": [f"./{name}.spdx.json"],
        },
    }


def _model(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The network with its weights: the checksum is of the file that holds them, a licence is prose in the comment."""
    model, origin = metadata["model"], str(metadata["weights_source"])
    licence = str(model.get("licence") or "")
    package = _package(MODEL, str(model.get("file") or metadata["summary"]), "", UNKNOWN, "OTHER")
    del package["versionInfo"]
    package["comment"] = f"weights: {origin}" + (f"; licence: {licence}" if licence else "")
    digest = re.search(r"sha256 ([0-9a-f]{64})$", origin)
    if digest:
        package["checksums"] = [{"algorithm": "SHA256", "checksumValue": digest[1]}]
    return package


def _toolchain(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Versions by tool, mnv2c's own first; the linker under what it calls itself."""
    tools = {"mnv2c": __version__}
    for tool, version in metadata["toolchain"].items():
        if tool == "linker":
            called, _, number = str(version).rpartition(" ")
            tools[called or number] = number
        else:
            tools[tool] = str(version)
    return tools


def _tool(name: str, version: str) -> dict[str, Any]:
    identifier = f"SPDXRef-Tool-{re.sub(r'[^A-Za-z0-9.]+', '-', name).strip('-')}"
    return _package(identifier, name, version, LICENCES.get(name, UNKNOWN), "APPLICATION")


def _relation(left: str, kind: str, right: str) -> dict[str, str]:
    return {"spdxElementId": left, "relationshipType": kind, "relatedSpdxElement": right}
