"""Lines on the console: whole, in order, shown as they are, and nobody waits for long."""

from __future__ import annotations

import gc
import io
import sys
import threading

import pytest

from madsci.common.stderr import visible, warn_locally, write_line


class Stream(io.StringIO):
    """A stream that calls something amid a write, or stands still there."""

    def __init__(self, amid=lambda: None):
        super().__init__()
        self.amid = amid

    def write(self, text):
        amid, self.amid = self.amid, lambda: None
        amid()
        return super().write(text)


@pytest.fixture
def install(monkeypatch):
    """Put a stream in the place of stderr; pytest has put its own there before the test begins."""

    def install():
        stream = Stream()
        monkeypatch.setattr(sys, "stderr", stream)
        return stream

    return install


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ü 液 🤖", "plain ü 液 🤖"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x1b[31mred\x9b\x7f\x00", "\\x1b[31mred\\x9b\\x7f\\x00"),
        ("a\u202eb\u2066c\u2028d", "a\\u202eb\\u2066c\\u2028d"),
        ("non\xa0breaking soft\xadhyphen", "non\xa0breaking soft\xadhyphen"),
    ],
)
def test_what_would_act_on_the_console_is_shown_instead(text, shown):
    assert visible(text) == shown


def test_lines_of_a_trace_stay_lines():
    assert visible("a\n\tb\x1b\r", has_lines=True) == "a\n\tb\\x1b\\r"


def test_warnings_are_one_line(install):
    stream = install()
    warn_locally("two\nlines \x1b[2J")
    assert stream.getvalue() == "[EventClient Warning] two\\nlines \\x1b[2J\n"


def test_a_line_written_amid_another_follows_it(install):
    stream = install()
    stream.amid = lambda: write_line("inner")
    write_line("outer")
    assert stream.getvalue() == "outer\ninner\n"


def test_a_finalizer_that_runs_amid_a_line_has_its_own(install):
    stream = install()

    class Robot:
        def __init__(self):
            self.me = self

        def __del__(self):
            write_line("gone")

    Robot()
    stream.amid = gc.collect
    write_line("outer")
    assert stream.getvalue() == "outer\ngone\n"


def test_a_console_that_hangs_stops_one_thread_and_shows_all_when_it_goes_on(install):
    stream = install()
    hangs, goes_on = threading.Event(), threading.Event()

    def hang():
        hangs.set()
        assert goes_on.wait(20)

    stream.amid = hang
    thread = threading.Thread(target=write_line, args=("stuck",))
    thread.start()
    assert hangs.wait(20)
    for number in range(1500):
        write_line(str(number))
    goes_on.set()
    thread.join()
    lines = stream.getvalue().splitlines()
    assert lines[:1001] == ["stuck", *map(str, range(1000))]
    assert lines[1001:] == ["[EventClient Warning] The console was too slow for 500 more lines."]
    write_line("and on")
    assert stream.getvalue().endswith("\nand on\n")


def test_an_interrupt_amid_a_line_leaves_the_console_usable(install):
    stream = install()

    def interrupt():
        raise KeyboardInterrupt

    stream.amid = interrupt
    with pytest.raises(KeyboardInterrupt):
        write_line("lost")
    write_line("next")
    assert stream.getvalue() == "next\n"


def test_lines_of_many_threads_are_whole(install):
    stream = install()

    def write(who):
        for number in range(300):
            write_line(f"{who} {number}")

    threads = [threading.Thread(target=write, args=(who,)) for who in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = stream.getvalue().splitlines()
    for who in range(6):
        own = [line for line in lines if line.startswith(f"{who} ")]
        assert own == [f"{who} {number}" for number in range(300)]


@pytest.mark.parametrize("gone", [None, object(), 7])
def test_a_stream_that_is_none_is_no_trouble(monkeypatch, gone):
    monkeypatch.setattr(sys, "stderr", gone)
    write_line("nobody hears")
