"""Regular expressions: MongoDB's syntax and options, and an end to their work."""

from __future__ import annotations

import pickle
import time

import pytest

from madsci.common.errors import QueryTimeoutError
from madsci.event_manager.model.pattern import MAX_PATTERN, Pattern


@pytest.mark.parametrize(
    ("text", "options", "subject", "expected"),
    [
        ("a", "", "cat", True),
        ("A", "", "cat", False),
        ("A", "i", "cat", True),
        ("É", "i", "é", True),
        ("^b", "", "a\nb", False),
        ("^b", "m", "a\nb", True),
        ("a.b", "", "a\nb", False),
        ("a.b", "s", "a\nb", True),
        ("a b # c", "x", "ab", True),
        ("é", "u", "é", True),
        (r"^\w$", "", "é", False),
        (r"^\d$", "", "٣", False),
        (r"^\p{L}$", "", "é", True),
        (r"(*UCP)^\w$", "", "é", True),
        ("^.$", "", "😀", True),
        ("a$", "", "a\n", True),
        ("a\\z", "", "a\n", False),
        ("a", "", "\0a", True),
        ("", "", "", True),
    ],
)
def test_options_and_classes_mean_what_they_mean_in_mongodb(text, options, subject, expected):
    assert Pattern(text, options).is_in(subject) is expected


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        (r"^\x{20ac}$", "€"),
        (r"^\xe9$", "é"),
        (r"^\x41\x4z$", "A\x04z"),
        (r"^[\x{80}-\x{ff}]+$", "éü"),
        (r"^\x{1f600}+$", "😀😀"),
        (r"^\\x{3}$", "\\xxx"),
        (r"^\Q\x{e9}\E$", r"\x{e9}"),
        (r"^\Q\x41", r"\x41"),
    ],
)
def test_characters_are_named_by_their_codes_as_in_perl(text, subject):
    assert Pattern(text).is_in(subject)


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("(", "", "at position 1"),
        ("ab[c", "", "at position 4"),
        ("*a", "", "at position 1"),
        (r"(a)\2", "", "position"),
        (r"\x{110000}", "", "too large"),
        ("a\0b", "", "NUL"),
        ("a" * (MAX_PATTERN + 1), "", "4,096"),
        ("a", "g", "'g'"),
        ("a", "iG", "'G'"),
    ],
)
def test_what_cannot_be_compiled_is_refused_with_the_place(text, options, says):
    with pytest.raises(ValueError, match=r".") as error:
        Pattern(text, options)
    assert says in str(error.value)


@pytest.mark.parametrize("text", [r"(.*)*x", r"^(a+a+)+b", r"(a*)*\1\1\1b", r"(?R)?a"])
def test_a_pattern_with_too_many_ways_is_stopped(text):
    began = time.monotonic()
    with pytest.raises(QueryTimeoutError, match=r"takes too long") as error:
        Pattern(text).is_in("a" * 1_000_000)
    assert time.monotonic() - began < 2
    assert "$text" in str(error.value)


def test_a_pattern_cannot_raise_its_own_limit():
    with pytest.raises(QueryTimeoutError):
        Pattern("(*LIMIT_MATCH=4000000000)(.*)*x").is_in("a" * 1_000_000)


@pytest.mark.parametrize("text", [r"^(?:(?!fail).)*$", r"^(?:\w+ )*ok", r"(?:o|k| )*x?$"])
def test_a_harmless_pattern_is_not_stopped_in_a_text_of_many_kilobytes(text):
    assert Pattern(text).is_in("ok " * 10_000)


@pytest.mark.parametrize(
    ("text", "options", "literal"),
    [
        ("jam", "", (False, "jam")),
        ("^jam", "", (True, "jam")),
        ("50% & a_b-c", "", (False, "50% & a_b-c")),
        ("jam", "s", (False, "jam")),
        ("jam", "u", (False, "jam")),
        ("é", "", (False, "é")),
        ("jam", "i", None),
        ("^jam", "m", None),
        ("a b", "x", None),
        ("", "", None),
        ("^", "", None),
        ("^^a", "", None),
        ("a$", "", None),
        ("a.b", "", None),
        ("a|b", "", None),
        ("a{2}", "", None),
        (r"a\b", "", None),
        ("[a]", "", None),
        ("a?", "", None),
    ],
)
def test_only_plain_text_is_taken_for_plain_text(text, options, literal):
    assert Pattern(text, options).literal == literal


def test_plain_text_is_found_as_the_pattern_finds_it():
    subjects = ["jam", "a jam", "JAM", "", "jam\njam", "ja"]
    for text in ("jam", "^jam"):
        pattern = Pattern(text)
        anchored, plain = pattern.literal
        for subject in subjects:
            found = subject.startswith(plain) if anchored else plain in subject
            assert pattern.is_in(subject) is found


def test_patterns_are_equal_by_what_was_written_and_travel_to_other_processes():
    pattern = Pattern("^a", "i")
    assert pattern == Pattern("^a", "i") != Pattern("^a")
    assert hash(pattern) == hash(Pattern("^a", "i"))
    copy = pickle.loads(pickle.dumps(pattern))
    assert copy == pattern
    assert copy.is_in("Ab")
