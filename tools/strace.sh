#!/bin/sh
# Usage: strace.sh            make sure that strace is there, if this machine lets us
#        strace.sh --report   say loudly what the tests had to skip without it
# tests/cli/test_traces.py looks at every system call of whole commands.
set -u
present() { command -v strace >/dev/null 2>&1; }

present && exit 0
if [ "${1:-}" = --report ]; then
    echo "**********************************************************************"
    echo "SKIPPED: tests/cli/test_traces.py, because strace is missing."
    echo "To run it: apt-get install strace"
    echo "**********************************************************************"
    exit 0
fi
echo "mnv2c: installing strace, which shows what commands write and whether they use the network"
sh "$(dirname "$0")/apt.sh" strace || true
present || echo "mnv2c: WARNING: strace is not available, the tests that look at system calls will be skipped"
exit 0
