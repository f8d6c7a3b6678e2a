"""The nearest right word for a wrong one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from madsci.common.nearest import did_you_mean, nearest
from madsci.common.types.event_type import EventType
from madsci.common.types.log_level import EventLogLevel

TYPES = [kind.value for kind in EventType]


@given(st.sampled_from([word for word in TYPES if len(word) > 6]), st.integers(1, 6), st.booleans())
def test_a_word_with_a_letter_too_few_or_twice_is_near_a_right_one(word, place, is_twice):
    slip = word[:place] + (word[place] if is_twice else "") + word[place + (not is_twice) :]
    assert nearest(slip.upper(), TYPES) is not None


def test_the_nearest_word_is_the_one_that_is_meant():
    assert nearest("EROR", EventLogLevel.__members__) == "ERROR"
    assert nearest("workflow_compleet", TYPES) == "workflow_complete"
    assert nearest("xyz", TYPES) is None
    assert (did_you_mean("debgu", EventLogLevel.__members__), did_you_mean("?", TYPES)) == (
        " Did you mean DEBUG?", "",
    )  # fmt: skip


@given(st.text())
def test_any_text_is_near_a_word_or_not(text):
    assert nearest(text, TYPES) in {None, *TYPES}
