"""What others say is told without our secrets, however they write them."""

from __future__ import annotations

import pytest

from madsci.event_manager.alerts.quoting import Quoting, pieces_of


@pytest.mark.parametrize(
    "said",
    [
        'pw/1"<', 'PW/1"<', "pw%2F1%22%3C", 'pw/1\\"<', "pw/1&quot;&lt;", 'Basic cHcvMSI8 pw/1"<',
    ],
)  # fmt: skip
def test_a_secret_is_hidden_in_every_way_to_write_it(said):
    line = Quoting(['pw/1"<', "cHcvMSI8"]).line(f"no: {said}!")
    assert line.startswith("no: ")
    assert "pw" not in line.lower()
    assert "cHcv" not in line


def test_the_longer_one_of_two_secrets_is_hidden_as_a_whole():
    assert Quoting(["abcd", "abcdefgh"]).line("x abcdefgh y") == "x ***REDACTED*** y"


def test_without_secrets_a_text_is_one_line_of_a_length_that_is_read():
    assert Quoting([]).line("a\r\nb\x00" + "x" * 500).startswith("a b xxx")
    assert len(Quoting([""]).line("x" * 500)) == 200


def test_the_parts_of_a_url_that_are_long_enough_may_be_secrets():
    pieces = list(pieces_of("slack://tokenA:pass@host.org/T0/tokenB?key=value&x=1#frag"))
    assert pieces == ["tokenA", "pass", "host.org", "tokenB", "value", "frag"]
