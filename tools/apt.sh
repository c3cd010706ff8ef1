#!/bin/sh
# Usage: apt.sh PACKAGE...
# Installs system packages without asking anything: as root, or through sudo where it needs no password. Fails otherwise.
set -eu
command -v apt-get >/dev/null 2>&1 || { echo "mnv2c: no apt-get on this system" >&2; exit 1; }
if [ "$(id -u)" -eq 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true >/dev/null 2>&1; then
    as_root="sudo -n"
else
    echo "mnv2c: neither root nor password-less sudo" >&2
    exit 1
fi
install="$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=60 install --no-install-recommends"
$install "$@" >/dev/null 2>&1 && exit 0
$as_root apt-get -qq update >/dev/null 2>&1 || true # the package lists may be missing or old
$install "$@" >/dev/null
