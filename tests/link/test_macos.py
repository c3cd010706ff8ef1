"""Libraries for macOS, as far as their files show: no Mac is needed, and none has loaded them."""

import pytest

from mnv2c import package, targets
from mnv2c.errors import LinkerError
from mnv2c.link import Linked
from mnv2c.link.macho import hide_definitions
from tests.link import macho
from tests.runtime import fake

ZIGS_OWN = {"__mh_dylib_header", "___dso_handle"}
"""What zig's linker adds to the exports; both stand in every library, and are found in each one's own only."""
SYSTEM = {"dyld_stub_binder", "_memcpy", "_memset", "_bzero", "_memset_pattern16"}


@pytest.fixture(scope="module")
def linked() -> Linked:
    target = targets.load("apple-m1")
    return fake.link(fake.parts(target), target)


def test_the_dynamic_library_is_well_formed(linked: Linked) -> None:
    found = macho.parse(linked.shared)
    assert (found.cpu, found.kind) == (macho.ARM64, macho.DYLIB)
    assert 10 <= len(found.commands) <= 24
    assert macho.CODE_SIGNATURE in found.commands  # macOS loads nothing unsigned on ARM
    assert (found.platform, found.least_version) == (macho.MACOS, (11, 0))
    assert all(address % 16384 == 0 for address, _ in found.segments)


def test_it_is_found_by_the_programs_search_path(linked: Linked) -> None:
    assert macho.parse(linked.shared).own_name == f"@rpath/libfake.{package.ABI}.dylib"


def test_it_exports_the_public_functions(linked: Linked) -> None:
    found = macho.parse(linked.shared)
    assert found.exports - ZIGS_OWN == {f"_{symbol}" for symbol in package.exports("fake")}
    assert found.bound <= SYSTEM
    assert found.needed == ("/usr/lib/libSystem.B.dylib",)


def test_weights_are_in_both_libraries(linked: Linked) -> None:
    weights = fake.program().weights
    assert weights in linked.shared and weights in linked.archive


def test_the_archive_is_one_for_macos(linked: Linked) -> None:
    assert linked.archive.startswith(b"!<arch>\n#1/12") and b"__.SYMDEF" in linked.archive[:128]


def test_only_mach_o_objects_can_be_hidden() -> None:
    with pytest.raises(LinkerError, match="not a 64-bit Mach-O file"):
        hide_definitions(b"\x7fELF" + bytes(60))
    with pytest.raises(LinkerError, match="not a 64-bit Mach-O file"):
        hide_definitions(b"")
