#!/bin/sh
# Usage: venv.sh FOLDER REQUIREMENT...
# Makes the virtual environment FOLDER with a fitting Python (or the one in $PYTHON) and installs the requirements; one
# that begins with a dot is this project and is installed editable. Where $CONSTRAINTS is set, the packages of that file
# come first, with their digests checked.
set -eu
folder=$1
shift
fits='import sys; sys.exit(sys.version_info < (3, 11))'

find_python() {
    for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
        # A shim may exist for a version that is not installed, so the candidate is run, not only looked up.
        if "$candidate" -c "$fits" >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
    found=$(python3 --version 2>&1 || true)
    echo "mnv2c: error: Python 3.11 or newer is needed; python3 is: ${found:-not installed}." >&2
    echo "mnv2c: install one (for example apt-get install python3 python3-venv) or name it: make PYTHON=/path/to/python" >&2
    exit 1
}

make_environment() {
    python=$1
    rm -rf "$folder"
    if "$python" -m venv "$folder" >/dev/null 2>&1; then
        return
    fi
    rm -rf "$folder"
    # Debian and Ubuntu ship the venv module separately.
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "mnv2c: $python has no venv module; trying to install python$version-venv"
    sh "$(dirname "$0")/apt.sh" "python$version-venv" || true
    if ! "$python" -m venv "$folder"; then
        rm -rf "$folder"
        echo "mnv2c: error: cannot make a virtual environment; run: apt-get install python$version-venv" >&2
        exit 1
    fi
}

if ! "$folder/bin/python" -c "$fits" >/dev/null 2>&1; then
    python=$(find_python)
    echo "mnv2c: making $folder with $python"
    make_environment "$python"
fi
if [ -n "${CONSTRAINTS:-}" ]; then
    echo "mnv2c: installing the packages of $CONSTRAINTS into $folder"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --require-hashes -r "$CONSTRAINTS"
fi
echo "mnv2c: installing $* into $folder"
case $1 in .*) set -- --editable "$@" ;; esac
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-input "$@"
