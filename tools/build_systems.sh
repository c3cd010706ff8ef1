#!/bin/sh
# Usage: build_systems.sh            make sure that cmake and pkg-config are there, if this machine lets us
#        build_systems.sh --report   say loudly what the tests had to skip without them
# tests/package/test_build_systems.py builds programs with them.
set -u
present() { command -v cmake >/dev/null 2>&1 && { command -v pkg-config >/dev/null 2>&1 || command -v pkgconf >/dev/null 2>&1; }; }

present && exit 0
if [ "${1:-}" = --report ]; then
    echo "**********************************************************************"
    echo "SKIPPED: parts of tests/package/test_build_systems.py, because cmake or pkg-config is missing."
    echo "To run them: apt-get install cmake pkg-config"
    echo "**********************************************************************"
    exit 0
fi
echo "mnv2c: installing cmake and pkg-config, with which the tests build programs"
sh "$(dirname "$0")/apt.sh" cmake pkg-config || true
present || echo "mnv2c: WARNING: cmake or pkg-config is not available, the tests that build with them will be skipped"
exit 0
