#!/bin/sh
# Usage: valgrind.sh            make sure that valgrind is there, if this machine lets us
#        valgrind.sh --report   say loudly what the tests had to skip without it
# tests/threads/test_valgrind.py runs compiled libraries under it.
set -u
present() { command -v valgrind >/dev/null 2>&1; }

present && exit 0
if [ "${1:-}" = --report ]; then
    echo "**********************************************************************"
    echo "SKIPPED: tests/threads/test_valgrind.py, because valgrind is missing."
    echo "To run it: apt-get install valgrind"
    echo "**********************************************************************"
    exit 0
fi
echo "mnv2c: installing valgrind, which looks at every instruction of compiled kernels"
sh "$(dirname "$0")/apt.sh" valgrind || true
present || echo "mnv2c: WARNING: valgrind is not available, the tests that run kernels under it will be skipped"
exit 0
