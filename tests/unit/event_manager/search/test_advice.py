"""What a question that took too long is told."""

from __future__ import annotations

from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.search.advice import advice


def test_the_advice_names_what_the_question_lacks():
    told = advice(parse_selector({"event_data.message": {"$regex": "x"}}))
    assert "range of event_timestamp" in told
    assert "source.node_id" in told
    assert "$text instead of $regex" in told
    assert "query_timeout_seconds" in told


def test_the_advice_does_not_ask_for_what_is_there():
    selector = {"event_timestamp": {"$gte": 0}, "source.node_id": "n", "event_data.x": 1}
    told = advice(parse_selector(selector))
    assert "source.node_id" not in told
    assert "$regex" not in told
    assert "shorter range" in told
