"""Packaging: header, example, metadata and the output folder of a library. Knows the program, no compiler."""

from mnv2c.package.header import ABI, example_source, header_source
from mnv2c.package.metadata import metadata, to_json
from mnv2c.package.names import check_name, exports, identifier
from mnv2c.package.write import Symlink, check_writable, write

__all__ = [
    "ABI",
    "Symlink",
    "check_name",
    "check_writable",
    "example_source",
    "exports",
    "header_source",
    "identifier",
    "metadata",
    "to_json",
    "write",
]
