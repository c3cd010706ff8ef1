#!/bin/sh
# Usage: clang.sh            make sure that clang with libFuzzer and the sanitizers is there, if this machine lets us
#        clang.sh --report   say loudly what the tests had to skip without it
# tests/fuzz/frames builds the C of frames with it.
set -u
present() {
    for compiler in clang clang-22 clang-21 clang-20 clang-19 clang-18 clang-17 clang-16 clang-15 clang-14; do
        echo 'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return d && n ? 0 : 0; }' |
            "$compiler" -fsanitize=fuzzer,address,undefined -x c - -o /dev/null >/dev/null 2>&1 && return 0
    done
    return 1
}

present && exit 0
if [ "${1:-}" = --report ]; then
    echo "**********************************************************************"
    echo "SKIPPED: tests/fuzz/frames, because clang with libFuzzer is missing."
    echo "To run it: apt-get install clang libclang-rt-dev"
    echo "**********************************************************************"
    exit 0
fi
echo "mnv2c: installing clang, whose libFuzzer feeds the C of frames"
# Debian 12 and Ubuntu 22.04 have 14, where the sanitizers have packages of their own under its number only.
sh "$(dirname "$0")/apt.sh" clang-14 libclang-rt-14-dev || sh "$(dirname "$0")/apt.sh" clang libclang-rt-dev || true
present || echo "mnv2c: WARNING: clang with libFuzzer is not available, the tests that fuzz the C of frames will be skipped"
exit 0
