"""A selector alone, or with what goes with it."""

from __future__ import annotations

import pytest

from madsci.common.errors import InvalidInputError
from madsci.event_manager.export.projection import parse_fields
from madsci.event_manager.model.query import MAX_PAGE
from madsci.event_manager.model.selector import EVERYTHING, NOT_ARCHIVED, And, Equals
from madsci.event_manager.model.sorting import parse_sort
from madsci.event_manager.search.question import Question, read_question

LEVEL = Equals(("log_level",), 40)


@pytest.mark.parametrize(
    ("document", "question"),
    [
        ({}, Question()),
        ({"log_level": 40}, Question(LEVEL)),
        ({"selector": {"log_level": 40}}, Question(LEVEL)),
        ({"selector": {}, "include_archived": False}, Question(And((EVERYTHING, NOT_ARCHIVED)))),
        ({"selector": {}, "include_archived": True}, Question()),
        ({"limit": 5}, Question(limit=5)),
        ({"limit": 0}, Question(limit=MAX_PAGE)),
        ({"limit": None, "sort": None, "cursor": None, "fields": None}, Question()),
        ({"cursor": "abc"}, Question(cursor="abc")),
        ({"sort": "-log_level"}, Question(sort=parse_sort("-log_level"))),
        ({"fields": ["alert"]}, Question(fields=parse_fields(["alert"]))),
    ],
)
def test_either_form_is_read(document, question):
    assert read_question(document, None) == question


@pytest.mark.parametrize(
    ("document", "member"),
    [
        ({"selector": {}, "colour": 1}, "colour"),
        ({"log_level": 40, "limit": 5}, "limit"),
        ({"selector": {}, "limit": "5"}, "limit"),
        ({"limit": 1.5}, "limit"),
        ({"cursor": 5}, "cursor"),
        ({"include_archived": "no"}, "include_archived"),
        ({"sort": {}}, "sort"),
        ({"fields": 5}, "fields"),
    ],
)
def test_a_member_that_cannot_be_used_is_named(document, member):
    with pytest.raises(InvalidInputError, match=member) as caught:
        read_question(document, None)
    assert caught.value.errors[0]["loc"][-1] == member
