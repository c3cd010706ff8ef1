#!/bin/sh
# Usage: qemu.sh            make sure that qemu-aarch64 is there, if this machine lets us
#        qemu.sh --report   say loudly what the tests had to skip without it
set -u
present() { command -v qemu-aarch64 >/dev/null 2>&1 || command -v qemu-aarch64-static >/dev/null 2>&1; }

present && exit 0
[ "$(uname -m)" = aarch64 ] && exit 0
if [ "${1:-}" = --report ]; then
    echo "**********************************************************************"
    echo "SKIPPED: every test marked 'emulated', because qemu-aarch64 is missing."
    echo "No ARM code was run. To run it: apt-get install qemu-user"
    echo "**********************************************************************"
    exit 0
fi
echo "mnv2c: installing qemu-user, with which the ARM tests run here"
sh "$(dirname "$0")/apt.sh" qemu-user || true
present || echo "mnv2c: WARNING: qemu-aarch64 is not available, the ARM tests will be skipped"
exit 0
