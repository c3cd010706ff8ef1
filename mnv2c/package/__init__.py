"""Packaging: header, example, metadata, build files and the output folder of a library. Knows no compiler."""

from mnv2c.package.build_files import build_files
from mnv2c.package.example import example_source
from mnv2c.package.header import ABI, header_source
from mnv2c.package.metadata import metadata, to_json, with_variants
from mnv2c.package.names import check_name, exports, identifier
from mnv2c.package.sbom import bill_of_materials
from mnv2c.package.write import Content, Symlink, check_writable, lay_out, shared_files, write

__all__ = [
    "ABI",
    "Content",
    "Symlink",
    "bill_of_materials",
    "build_files",
    "check_name",
    "check_writable",
    "example_source",
    "exports",
    "header_source",
    "identifier",
    "lay_out",
    "metadata",
    "shared_files",
    "to_json",
    "with_variants",
    "write",
]
