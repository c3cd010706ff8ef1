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
case $1 in /*) folder=$1 ;; *) folder=$PWD/$1 ;; esac
fail() {
    echo "mnv2c: error: $1" >&2
    exit 1
}
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || fail "apt-get and dpkg-deb are needed, as Debian has them"

python=${PYTHON:-.venv/bin/python}
"$python" -c "" 2>/dev/null || python=python3
"$python" -m pip --version >/dev/null 2>&1 || fail "$python has no pip; name another: PYTHON=/path/to/python"

new=$folder.new
rm -rf "$new"
trap 'rm -rf "$new"' EXIT

# --- system/ ---
state=$new/apt
mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
: >"$state/status" # nothing is installed, so whatever is needed is fetched
apt() {
    apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o APT::Sandbox::User= \
        -o Dir::State="$state" -o Dir::State::Lists="$state/lists" -o Dir::State::status="$state/status" \
        -o Dir::Cache="$state/cache" ${ARM_SOURCES:+-o Dir::Etc::sourcelist="$ARM_SOURCES" -o Dir::Etc::sourceparts=-} "$@"
}
echo "mnv2c: fetching Python for arm64"
apt update >"$state/log" 2>&1 || true # a source without arm64 is no harm; what is missing shows below
apt -y --no-install-recommends --download-only install python3 libstdc++6 >>"$state/log" 2>&1 || {
    tail -n 5 "$state/log" >&2
    fail "the machine's apt sources have no Python for arm64; name others with ARM_SOURCES"
}
mkdir "$new/system"
for package in "$state"/cache/archives/*.deb; do
    dpkg-deb --extract "$package" "$new/system"
done
# Where /lib is a link on an installed system, the packages know only /usr/lib.
[ -e "$new/system/lib" ] || ln -s usr/lib "$new/system/lib"
rm -rf "$state"

# --- packages/ ---
at() { # PACKAGE: PACKAGE==VERSION as installed, else PACKAGE
    "$python" -c 'import sys; from importlib.metadata import version; print(f"{sys.argv[1]}=={version(sys.argv[1])}")' "$1" \
        2>/dev/null || echo "$1"
}
version=$(readlink "$new/system/usr/bin/python3")
version=${version#python}
set --
for package in apache-tvm apache-tvm-ffi numpy ml_dtypes typing_extensions tornado psutil cloudpickle; do
    set -- "$@" "$(at "$package")"
done
echo "mnv2c: fetching $* for Python $version on aarch64"
# Without dependencies: those named are all that the server imports.
"$python" -m pip install --quiet --disable-pip-version-check --no-input --no-deps \
    --target "$new/packages" --implementation cp --python-version "$version" --only-binary=:all: \
    --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux_2_17_aarch64 \
    --platform manylinux2014_aarch64 "$@" >"$new/log" 2>&1 || {
    tail -n 3 "$new/log" >&2
    fail "not every package has an aarch64 wheel for Python $version"
}
rm -f "$new/log"

rm -rf "$folder"
mv "$new" "$folder"
echo "mnv2c: $folder is ready: MNV2C_ARM_RPC=$folder python -m pytest -m slow tests/tune/devices"
