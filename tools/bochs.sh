#!/bin/sh
# Usage: bochs.sh            make sure that bochs is there, if this machine lets us
#        bochs.sh --report   say loudly what the tests had to skip without it
# Bochs emulates a PC with AVX-512; tests/numerics/test_avx512_emulated.py runs on it.
set -u
present() { command -v bochs >/dev/null 2>&1; }

present && exit 0
if [ "${1:-}" = --report ]; then
    echo "**********************************************************************"
    echo "SKIPPED: tests/numerics/test_avx512_emulated.py, because bochs is missing."
    echo "Where this CPU has no AVX-512 either, no AVX-512 code was run."
    echo "To run it: apt-get install bochs"
    echo "**********************************************************************"
    exit 0
fi
echo "mnv2c: installing bochs, with which AVX-512 code runs here"
sh "$(dirname "$0")/apt.sh" bochs bochs-term || true # bochs wants one of its displays; this is the smallest
present || echo "mnv2c: WARNING: bochs is not available, the tests of AVX-512 code on an emulated CPU will be skipped"
exit 0
