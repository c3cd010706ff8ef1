"""A compiling process that compiles nothing: it does what it is told."""

import os
import signal
import sys
import time

from mnv2c.tune.measure.worker import limit_time, read, write

write(sys.stdout.buffer, "ready")
while True:
    try:
        word, *rest = read(sys.stdin.buffer)
    except EOFError:
        break
    if word == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    limit_time(float(sys.argv[1]))
    while word == "busy":
        pass
    if word == "slow":
        time.sleep(rest[0])
    answers = {"say": rest[0] if rest else "", "process": str(os.getpid()), "slow": "slow"}
    write(sys.stdout.buffer, answers[word])
