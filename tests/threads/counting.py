"""How many threads this process has."""

import os
import time


def threads_of_this_process() -> int:
    return len(os.listdir("/proc/self/task"))


def settles_at(count: int) -> bool:
    """Whether so many threads remain: the system lists one for a moment after it was joined."""
    end = time.monotonic() + 10
    while threads_of_this_process() != count and time.monotonic() < end:
        time.sleep(0.001)
    return threads_of_this_process() == count
