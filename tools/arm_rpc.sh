#!/bin/sh
# Usage: arm_rpc.sh FOLDER
# Makes FOLDER with what the tests need to run TVM's RPC server for aarch64 under qemu-user:
#   system/    Python and the libraries it needs, from this distribution's arm64 packages
#   packages/  the aarch64 wheels of TVM and of what its RPC server imports, in the versions of this machine's TVM
# Needs Debian's apt and dpkg, but neither root nor any change of the machine's own apt: its sources are read with
# arm64 as the only architecture, and everything is kept in FOLDER. About 400 MB.
#
# PYTHON       an interpreter with pip and TVM, which gives the versions (default: .venv/bin/python, else python3)
# ARM_SOURCES  a file in the format of sources.list(5), where the machine's own sources have no arm64
set -eu
[ $# -eq 1 ] || { echo "usage: arm_rpc.sh FOLDER" >&2; exit 2; }
debs="python3 libstdc++6"
case $0 in */*) here=${0%/*} ;; *) here=. ;; esac
. "$here/arm_system.sh"

set --
for package in apache-tvm apache-tvm-ffi numpy ml_dtypes typing_extensions tornado psutil cloudpickle; do
    set -- "$@" "$(at "$python" "$package")"
done
echo "mnv2c: fetching $* for Python $version on aarch64"
# Without dependencies: those named are all that the server imports.
# shellcheck disable=SC2086
"$python" -m pip install --quiet --disable-pip-version-check --no-input --no-deps \
    --target "$new/packages" $platforms "$@" >"$new/log" 2>&1 || {
    tail -n 3 "$new/log" >&2
    fail "not every package has an aarch64 wheel for Python $version"
}
rm -f "$new/log"

rm -rf "$folder"
mv "$new" "$folder"
echo "mnv2c: $folder is ready: MNV2C_ARM_RPC=$folder python -m pytest -m slow tests/tune/devices"
