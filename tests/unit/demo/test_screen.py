"""What the demo shows, on a terminal and elsewhere."""

import io

import pytest

from wallaroo.demo.flow import Screen


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")


def show(out):
    screen = Screen(out)
    screen.line("first")
    for percent in range(0, 101, 5):
        screen.progress(percent / 100, f"{percent} done")
    screen.line("second")
    screen.done()
    screen.line("third")
    return out.getvalue()


def test_without_a_terminal_there_is_no_control_character():
    shown = show(io.StringIO())
    assert all(character.isprintable() or character == "\n" for character in shown)


def test_without_a_terminal_progress_is_a_few_lines():
    assert show(io.StringIO()).splitlines() == [
        "first",
        *("   20%  20 done", "   40%  40 done", "   60%  60 done", "   80%  80 done", "  100%  100 done"),
        *("second", "third"),
    ]


def test_a_dumb_terminal_is_none(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    assert show(Terminal()) == show(io.StringIO())


def test_on_a_terminal_lines_stand_above_the_progress():
    shown = show(Terminal())
    erased = "\r\x1b[2K"
    last = "  [####################] 100%  100 done"
    assert shown.endswith(f"{last}{erased}second\n{last}{erased}third\n")
    assert "  [##########----------]  50%  50 done" in shown


def test_progress_never_wraps():
    terminal = Terminal()
    Screen(terminal).progress(0.5, "x" * 500)
    assert len(terminal.getvalue().removeprefix("\r\x1b[2K")) == 79


def test_what_an_output_cannot_show_is_replaced():
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    Screen(out).line("Zoë")
    assert raw.getvalue() == b"Zo?\n"
