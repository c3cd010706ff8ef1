"""What reads strace's lines sees every kind of offence."""

from pathlib import Path

from tests.tracing import network, read, written

LINES = [
    '7  mkdir("made", 0777) = 0',
    '7  openat(AT_FDCWD</start>, "read", O_RDONLY|O_CLOEXEC) = 3</start/read>',
    '7  openat(AT_FDCWD</start>, "absent", O_WRONLY) = -1 ENOENT (No such file or directory)',
    '7  openat(4</other>, "opened", O_RDWR|O_CREAT|O_CLOEXEC, 0644 <unfinished ...>',
    '8  chdir("/elsewhere") = 0',
    "7  <... openat resumed>) = 5</other/opened>",
    "7  vfork() = 8",
    '9  rename("a", "b") = 0',
    "8  clone(child_stack=NULL, flags=SIGCHLD) = 9",
    '7  symlink("target", "/link") = 0',
    '7  unlinkat(3</third>, "gone", 0) = 0',
]


def test_writing_is_found() -> None:
    found = {str(path) for path in written(list(read(LINES)), Path("/start"))}
    assert found == {"/start/made", "/other/opened", "/elsewhere/a", "/elsewhere/b", "/link", "/third/gone"}


def test_the_network_is_found() -> None:
    lines = [
        "7  socket(AF_INET6, SOCK_DGRAM, IPPROTO_IP) = 3",
        '7  connect(3, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("10.0.0.1")}, 16) = 0',
        "7  socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0) = 4",
        '7  connect(4, {sa_family=AF_UNIX, sun_path="/var/run/nscd/socket"}, 110) = -1 ENOENT (No such file)',
        '7  connect(4, {sa_family=AF_UNIX, sun_path="/run/telemetry"}, 110) = 0',
        "7  socket(AF_NETLINK, SOCK_RAW|SOCK_CLOEXEC, NETLINK_ROUTE) = 5",
    ]
    calls = list(read(lines))
    assert network(calls) == [calls[0], calls[1], calls[4], calls[5]]
