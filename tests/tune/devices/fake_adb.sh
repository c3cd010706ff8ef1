#!/bin/sh
# Usage: fake_adb.sh FOLDER ARGUMENTS
# adb for tests: /data/local/tmp is FOLDER/phone, and every call is noted in FOLDER/log. While FOLDER/fail-VERB begins
# with a number above 0, that verb says the file's second and third line as error and output, fails and counts it down.
folder=$1
shift
{
    printf '%s\037' "$@"
    printf '\036'
} >>"$folder/log"
[ "$1" != -s ] || shift 2
if [ -e "$folder/fail-$1" ]; then
    { read -r times; read -r errors; read -r output; } <"$folder/fail-$1"
    if [ "$times" -gt 0 ]; then
        printf '%s\n' $((times - 1)) "$errors" "$output" >"$folder/fail-$1"
        printf '%s\n' "$errors" >&2
        printf '%s\n' "$output"
        exit 1
    fi
fi
there() {
    printf '%s' "$1" | sed "s|/data/local/tmp|$folder/phone|g"
}
case $1 in
    get-state) echo device ;;
    push) cp "$2" "$(there "$3")" ;;
    shell) exec sh -c "$(there "$2")" ;;
    *)
        echo "adb: unknown command $1" >&2
        exit 1
        ;;
esac
