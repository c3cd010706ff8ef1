# Read by arm_peers.sh and arm_rpc.sh: makes $new/system, Python for arm64 and the libraries it needs, from this
# distribution's packages, with $debs beside it. The reader moves $new to $folder when all is there. Sets also:
#   python     an interpreter with pip
#   version    of arm64's Python, as 3.11
#   platforms  options of pip that choose aarch64 wheels for it
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
apt -y --no-install-recommends --download-only install $debs >>"$state/log" 2>&1 || {
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
version=$(readlink "$new/system/usr/bin/python3")
version=${version#python}
platforms="--implementation cp --python-version $version --only-binary=:all: \
    --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux_2_17_aarch64 \
    --platform manylinux2014_aarch64"

at() { # INTERPRETER PACKAGE: PACKAGE==VERSION as installed there, else PACKAGE
    "$1" -c 'import sys; from importlib.metadata import version; print(f"{sys.argv[1]}=={version(sys.argv[1])}")' "$2" \
        2>/dev/null || echo "$2"
}
