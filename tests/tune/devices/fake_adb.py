"""``adb`` for tests: FOLDER ARGUMENTS. /data/local/tmp is FOLDER/phone; every call is noted in FOLDER/log."""

import shutil
import subprocess
import sys
from pathlib import Path

HOME = "/data/local/tmp"


def main(folder: Path, arguments: list[str]) -> int:
    with (folder / "log").open("a") as log:
        log.write("\x1f".join(arguments) + "\x1e")
    if arguments[0] == "-s":
        arguments = arguments[2:]
    verb, rest = arguments[0], arguments[1:]
    failure = folder / f"fail-{verb}"
    if failure.exists():
        times, errors, output = failure.read_text().split("\x1f")
        if int(times) > 0:
            failure.write_text(f"{int(times) - 1}\x1f{errors}\x1f{output}")
            print(errors, file=sys.stderr)
            print(output)
            return 1
    if verb == "get-state":
        print("device")
        return 0
    if verb == "push":
        shutil.copyfile(rest[0], rest[1].replace(HOME, str(folder / "phone")))
        return 0
    if verb == "shell":
        return subprocess.run(["sh", "-c", rest[0].replace(HOME, str(folder / "phone"))]).returncode
    print(f"adb: unknown command {verb}", file=sys.stderr)
    return 1


sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
