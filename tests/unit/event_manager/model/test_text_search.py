"""Searching for words: what is a word, what folds, and MongoDB's rules of words and phrases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madsci.event_manager.model.text_search import TextSearch, folded_words, message_of


def finds(searched: str, message: str, **flags: bool) -> bool:
    return TextSearch.parse(searched, **flags).is_in(message)


@pytest.mark.parametrize(
    ("searched", "message", "expected"),
    [
        ("jam", "A jam!", True),
        ("jam", "jammed", False),
        ("jam", "Jam", True),
        ("jam plate", "The plate", True),
        ("jam plate", "nothing", False),
        ("jam -plate", "jam of plate", False),
        ("jam -plate", "jam", True),
        ("-plate", "jam", False),
        ("", "jam", False),
        ("-", "-", False),
        ("... ,,,", "... ,,,", False),
        ('"plate jam"', "a plate jam", True),
        ('"plate jam"', "jam of plate", False),
        ('"plate jam" other', "other", False),
        ('"plate jam" other', "plate jam", True),
        ('"late ja"', "plate jam late ja", True),
        ('jam -"on plate"', "jam on plate", False),
        ('jam -"on plate"', "plate on jam", True),
        ('"unclosed jam', "jam", True),
        ('""', "jam", False),
        ("a-b", "b", True),
        ("a -b", "a b", False),
        ("a- b", "b", True),
        ("node_1", "node_1", True),
        ("node", "node_1", False),
        ("1", "1.00", True),
        ("OR", "or", True),
        ('jam*"', "jam", True),
        ("jam\0plate", "plate", True),
    ],
)
def test_words_phrases_and_minus_signs(searched, message, expected):
    assert finds(searched, message) is expected


@pytest.mark.parametrize(
    ("searched", "message"),
    [
        ("CAFÉ", "cafe"),
        ("cafe\N{COMBINING ACUTE ACCENT}", "Café"),
        ("STRASSE", "straße"),
        ("ﬁlter", "FILTER"),
        ("\N{MATHEMATICAL BOLD CAPITAL A}", "a"),
        ("🄰", "A"),
        ("Å", "a"),
        ("ΣΟΦΟΣ", "σοφος"),
        ("\N{FULLWIDTH LATIN CAPITAL LETTER A}b", "ab"),
    ],
)
def test_case_accents_and_forms_of_letters_do_not_count(searched, message):
    assert finds(searched, message)
    assert finds(message, searched)


def test_case_counts_where_it_is_asked_for():
    assert not finds("jam", "Jam", case_sensitive=True)
    assert finds("Jam", "Jam", case_sensitive=True)
    assert finds("Cafe", "Café", case_sensitive=True)


def test_accents_count_where_they_are_asked_for():
    assert not finds("cafe", "café", diacritic_sensitive=True)
    assert finds("CAFÉ", "cafe\N{COMBINING ACUTE ACCENT}", diacritic_sensitive=True)
    assert not finds("café", "CAFÉ", diacritic_sensitive=True, case_sensitive=True)


@pytest.mark.parametrize("case", [False, True])
@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("0\N{COMBINING GRAVE ACCENT}0 plates", {"0\N{COMBINING GRAVE ACCENT}0", "plates"}),
        ("arm\N{TRADE MARK SIGN}", {"armtm"}),
        ("at 3\N{SQUARE AM}", {"at", "3a", "m"}),
        ("\N{GREEK SMALL LETTER ALPHA WITH YPOGEGRAMMENI}", {"\u03b1\u03b9"}),
    ],
)
def test_words_end_where_they_end_without_accents(message, words, case):
    """Else the index of words without accents would not list them."""
    found = TextSearch.parse(message, case_sensitive=case, diacritic_sensitive=True).words
    assert {word.casefold() for word in found} == words
    for word in found:
        assert finds(word, message, case_sensitive=case, diacritic_sensitive=True)
        assert finds(word, message)
    assert not finds("0 arm 3", message, case_sensitive=case, diacritic_sensitive=True)


@pytest.mark.parametrize("flags", [{}, {"diacritic_sensitive": True}, {"case_sensitive": True}])
def test_accents_alone_are_no_words(flags):
    for sign in "\ufc5e\ufe70\uff9e\N{COMBINING ACUTE ACCENT}":
        assert TextSearch.parse(sign, **flags).words == frozenset()
        assert not finds(sign, sign, **flags)


def test_an_index_of_words_is_enough_only_where_nothing_but_words_counts():
    assert TextSearch.parse("a b -c").is_about_words_only
    assert not TextSearch.parse('a "b c"').is_about_words_only
    assert not TextSearch.parse('a -"b c"').is_about_words_only
    assert not TextSearch.parse("a", case_sensitive=True).is_about_words_only
    assert not TextSearch.parse("a", diacritic_sensitive=True).is_about_words_only


@pytest.mark.parametrize(
    ("event_data", "message"),
    [
        ("a jam", "a jam"),
        ({"message": "a jam"}, "a jam"),
        ({"message": 1}, ""),
        ({"message": ["a"]}, ""),
        ({}, ""),
        (["a"], ""),
        (None, ""),
        (3, ""),
    ],
)
def test_the_message_is_the_text_or_its_member(event_data, message):
    assert message_of(event_data) == message


@given(st.text())
def test_folding_twice_is_folding_once(text):
    assert folded_words(folded_words(text)) == folded_words(text)


@given(st.text())
def test_every_text_with_a_word_is_found_by_itself(text):
    words = folded_words(text)
    searched = TextSearch.parse(words)
    assert searched.is_in(text) is bool(words)


letters_and_signs = st.text(st.sampled_from("a0A\u0300\u0345\u1fb3\u2122\u33c2\xbd\xdf\u0130 _-"))


@given(st.text() | letters_and_signs, st.booleans(), st.booleans())
def test_a_message_that_is_found_shares_a_folded_word_with_the_search(text, case, accents):
    """What the index of folded words does not list is never found."""
    search = TextSearch.parse(text, case_sensitive=case, diacritic_sensitive=accents)
    for message in (text, text.upper(), text.lower()):
        if search.is_in(message):
            wanted = {one for word in search.words for one in folded_words(word).split()}
            assert wanted & set(folded_words(message).split())
