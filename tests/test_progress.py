"""Progress: a bar on a terminal, a line now and then elsewhere, and never on standard output."""

import re
from types import SimpleNamespace

import pytest

from adversaria.progress import Progress, Silent, duration


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.4, "0:59"), (59.6, "1:00"), (3599.6, "1:00:00"), (100_000, "27:46:40")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_a_line_every_ten_seconds_and_at_the_end(monkeypatch, capsys):
    now = 1000.0
    monkeypatch.setattr("adversaria.progress.time", SimpleNamespace(monotonic=lambda: now))
    with Progress("digits") as progress:
        for step in range(1, 26):
            now += 1
            progress(step, 25, {"images_per_second": 1234.5})
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "digits: step 1 of 25, 1,234 samples/s",
        "digits: step 11 of 25, 1,234 samples/s, 0:14 left",
        "digits: step 21 of 25, 1,234 samples/s, 0:04 left",
        "digits: step 25 of 25, 1,234 samples/s",
    ]


def test_a_bar_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with Progress("digits") as progress:
        progress(3, 6, {"images_per_second": 1.0})
        progress(6, 6, {"images_per_second": 9318.2})
    out, err = capsys.readouterr()
    assert out == ""
    plain = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", err)
    assert re.search(r"digits .* 6/6 9,318 samples/s", plain)


def test_silence(capsys):
    with Silent() as progress:
        progress(1, 2, {})
    assert capsys.readouterr() == ("", "")
