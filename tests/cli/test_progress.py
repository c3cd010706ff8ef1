"""Progress goes to stderr, as a bar on a terminal and as lines elsewhere."""

import io

from mnv2c.common.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_once_per_phase() -> None:
    stream = io.StringIO()
    with progress(stream=stream) as report:
        for phase, fraction in (("import", 0.0), ("import", 0.1), ("kernels", 0.5), ("link", 0.9)):
            report(phase, fraction)
    lines = stream.getvalue().splitlines()
    assert [line.split("] ")[1].split() for line in lines] == [["0%", "import"], ["50%", "kernels"], ["90%", "link"]]


def test_bar_on_a_terminal_is_transient() -> None:
    stream = Terminal()
    with progress(stream=stream) as report:
        report("kernels", 0.5)
        report("kernels", 7.0)
    assert "kernels" in stream.getvalue()
    assert "\x1b[2K" in stream.getvalue()


def test_quiet() -> None:
    stream = Terminal()
    with progress(quiet=True, stream=stream) as report:
        report("kernels", 0.5)
    assert stream.getvalue() == ""
