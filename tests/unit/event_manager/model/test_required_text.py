"""The text that an expression requires: in every text that matches, or not told."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from madsci.event_manager.model.pattern import Pattern
from madsci.event_manager.model.required_text import required_text


@pytest.mark.parametrize(
    ("pattern", "required"),
    [
        ("grip+er (?i:JAMMED)$", "grip"),
        ("^Node .*status$", "status"),
        ("ab?cd", "cd"),
        ("abc*", "ab"),
        ("ab{0}cd{2,3}", "a"),
        ("a+?bcd", "bcd"),
        ("(ab|cd)ef", "ef"),
        ("(ab(c|d)e)?fg", "fg"),
        (r"\d+ plates\.", " plates."),
        ("[]x]yz", "yz"),
        ("[^]|x]yz[[:alpha:]|]", "yz"),
        (r"[\]]yz", "yz"),
        ("ÄÖ🧪?x", "ÄÖ"),
        ("a{}b", "b"),
    ],
)
def test_the_longest_text_that_is_certain_is_told(pattern, required):
    assert required_text(pattern, "") == required
    assert Pattern(pattern).required == required


@pytest.mark.parametrize(
    "pattern",
    [
        "", "ab|cd", "a?", "(ab)", "(?i)ab", "(?i:a(?-i)b)", "(?x: # ) \n)ab", "(?#a)bc", "(*ACCEPT)ab",
        "ab(*ACCEPT)", r"\Qa|b\E", r"ab\Kcd", r"(a)\1b", r"\x41b", r"\p{Lu}b", r"\Nb", r"a{1, 2}b",
        "(?=a)b", "(?<n>a)b",
    ],
)  # fmt: skip
def test_where_something_could_change_the_meaning_nothing_is_told(pattern):
    assert required_text(pattern, "") is None


@pytest.mark.parametrize("options", ["i", "x", "mi"])
def test_options_under_which_a_text_may_look_otherwise_tell_nothing(options):
    assert required_text("abc", options) is None


_atoms = st.sampled_from(
    ["a", "b", "ab", "A", ".", "[ab]", "[^]a]", r"\.", r"\w", r"\b", "^", "$", "}", "]", "{", "\n", "é"]
)
_patterns = st.recursive(
    st.builds(
        lambda atom, count: atom + count,
        _atoms,
        st.sampled_from(["", "", "", "*", "?", "+", "{2}", "{0,1}", "+?", "*+", "??", "{,2}"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.builds("{}|{}".format, inner, inner),
        st.builds("({}){}".format, inner, st.sampled_from(["", "?", "*"])),
        st.builds("(?{}:{})".format, st.sampled_from(["", "i", "s", "-i"]), inner),
    ),
    max_leaves=8,
)


@settings(deadline=None, max_examples=400)
@given(_patterns, st.lists(st.text("abAB.}]{\né ", max_size=8), min_size=5, max_size=20))
def test_every_text_that_matches_holds_it(text, subjects):
    try:
        pattern = Pattern(text)
    except ValueError:
        return
    for subject in subjects:
        if pattern.is_in(subject):
            assert pattern.required is None or pattern.required in subject
        assert pattern.is_in(subject) is Pattern(text).is_in(subject)  # what is remembered is right
