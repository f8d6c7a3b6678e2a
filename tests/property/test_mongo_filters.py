"""A selector compiled for MongoDB is a selector again, and means the same."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from madsci.event_manager.model.matcher import matches
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.stores.mongo.compile import compile_selector
from support.questions import events, selectors


@pytest.mark.slow
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(events, min_size=1, max_size=6), st.lists(selectors, min_size=1, max_size=10))
def test_the_filter_finds_what_the_selector_means(listed, questions):
    for question in questions:
        tree = parse_selector(question)
        again = parse_selector(compile_selector(tree))
        for event in listed:
            document = event.document()
            assert matches(again, document) == matches(tree, document), (question, document)
