"""What is cut says so, and stays within its room."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from madsci.common.stderr import visible
from madsci.event_manager.alerts.shortening import cut, last_lines, lines_of, one_line, shortened
from madsci.event_manager.model.stored_event import json_size

texts = st.text(st.characters(exclude_categories=["Cs"]))
most_characters = st.integers(20, 200)


@given(texts, most_characters)
def test_a_short_text_stays_and_a_long_one_ends_with_an_ellipsis(text, most):
    short = cut(text, most)
    assert len(short) <= most
    assert short == text or short == f"{text[: most - 1]}…"


@given(texts, most_characters)
def test_a_line_is_one_and_everything_in_it_is_seen(text, most):
    line = one_line(text * 10, most)
    assert len(line) <= most
    assert line.split("\n") == [line]
    assert visible(line) == line


def test_a_line_begins_behind_blanks_and_keeps_its_words():
    assert one_line(" \n\t a\r\n b  c", 20) == "a b c"


@given(texts, most_characters)
def test_lines_stay_lines(text, most):
    short = lines_of(f"a\r\n{text}", most)
    assert short.startswith("a\n") or not text.strip()
    assert len(short) <= most
    assert visible(short, has_lines=True) == short


@given(st.lists(st.text("abc ", max_size=30), max_size=30), most_characters)
def test_the_last_lines_are_whole_and_those_before_are_counted(lines, most):
    text = "\n".join([*lines, "end"])
    shown = last_lines(text, most).split("\n")
    assert shown[-1] == "end"
    if shown[0].startswith("[cut"):
        number = int(shown[0].split()[1])
        assert shown[1:] == [*lines, "end"][number:]
    else:
        assert "\n".join(shown) == text.strip("\n")


def test_of_one_line_that_is_too_long_the_beginning_is_kept():
    assert last_lines(f"first\nValueError: {'x' * 500}", 40) == f"ValueError: {'x' * 27}…"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(texts, inner, max_size=20),
    max_leaves=60,
)


@given(json_values, st.integers(0, 500))
def test_json_is_about_as_large_as_asked_for(value, most):
    short = shortened(value, most)
    if json_size(value) <= most:
        assert short is value
    assert json_size(short) <= most + 12_000  # the signs for what is cut, and names
    assert json_size(short) <= max(most, 100) or json_size(short) <= json_size(value) * 30


def test_small_members_stay_and_large_ones_share_the_rest():
    value = {"id": "e1", "a": "x" * 5_000, "b": "y" * 5_000, "n": 7, "deep": {"c": "z" * 5_000, "d": 1}}
    short = shortened(value, 1_000)
    assert json_size(short) <= 1_000
    assert list(short) == list(value)
    assert (short["id"], short["n"], short["deep"]["d"]) == ("e1", 7, 1)
    for text, letter in ((short["a"], "x"), (short["b"], "y"), (short["deep"]["c"], "z")):
        assert text.startswith(f"[cut from 5000 characters] {letter}")
        assert text.endswith(letter)
        assert len(text) > 200


def test_lists_keep_their_first_items():
    short = shortened({"rows": list(range(1_000))}, 200)
    assert short["rows"][:3] == [0, 1, 2]
    assert short["rows"][-1] == f"[cut: {1_000 - len(short['rows']) + 1} more items]"
    assert json_size(short) <= 220


def test_too_many_members_are_counted():
    short = shortened({f"m{n}": "x" * 100 for n in range(500)}, 3_000)
    assert short["[cut]"] == "400 of 500 members"
    assert shortened({"n" * 5_000: 1}, 100) == {"[cut]": "1 of 1 members"}


def test_what_is_nested_deeply_or_is_a_huge_number_is_named_by_its_size():
    value: object = "x" * 1_000
    for _ in range(10):
        value = {"a": value}
    assert shortened(value, 100) == {"a": {"a": {"a": {"a": "[cut: 1038 bytes of JSON]"}}}}
    assert shortened({"n": 10**3_000}, 100) == {"n": "[cut: 3001 bytes of JSON]"}
