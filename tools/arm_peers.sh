#!/bin/sh
# Usage: arm_peers.sh FOLDER
# Makes FOLDER with what `mnv2c bench --device emulator --against ...` needs to run the peers' ARM builds under qemu:
#   system/    Python and the libraries it needs, from this distribution's arm64 packages
#   packages/  the peers' aarch64 wheels, in the versions that are installed for this machine, else the newest
# Needs Debian's apt and dpkg, but neither root nor any change of the machine's own apt: its sources are read with
# arm64 as the only architecture, and everything is kept in FOLDER. About 330 MB.
#
# PYTHON              an interpreter with pip, whose peers give the versions (default: .venv/bin/python, else python3)
# MNV2C_PEERS_PYTHON  the interpreter that has LiteRT (default: .venv-peers/bin/python)
# ARM_SOURCES         a file in the format of sources.list(5), where the machine's own sources have no arm64
set -eu
[ $# -eq 1 ] || { echo "usage: arm_peers.sh FOLDER" >&2; exit 2; }
debs="python3 libstdc++6 libgomp1"
case $0 in */*) here=${0%/*} ;; *) here=. ;; esac
. "$here/arm_system.sh"

litert_python=${MNV2C_PEERS_PYTHON:-.venv-peers/bin/python}
set -- "$(at "$python" numpy)" "$(at "$python" onnxruntime)" "$(at "$python" ncnn)" "$(at "$python" MNN)" \
    "$(at "$litert_python" ai-edge-litert)"
fetch() {
    # shellcheck disable=SC2086
    "$python" -m pip install --quiet --disable-pip-version-check --no-input --no-deps --upgrade \
        --target "$new/packages" $platforms "$1" >"$new/log" 2>&1
}
echo "mnv2c: fetching $* for Python $version on aarch64"
for wheel in "$@"; do
    # One by one, so that a peer without an ARM wheel does not keep the others away.
    fetch "$wheel" && continue
    tail -n 1 "$new/log" >&2
    name=${wheel%%==*}
    [ "$name" != "$wheel" ] && fetch "$name" && echo "mnv2c: WARNING: not $wheel, but the newest that there is" >&2 && continue
    echo "mnv2c: WARNING: no aarch64 wheel of $name for Python $version; that peer will be missing" >&2
done
rm -f "$new/log"
[ -d "$new/packages/numpy" ] || fail "without numpy no peer runs"

rm -rf "$folder"
mv "$new" "$folder"
echo "mnv2c: $folder is ready: mnv2c bench DIR --device emulator --against onnxruntime,litert,ncnn,mnn"
