"""The most frequent values."""

from __future__ import annotations

import pytest

from madsci.common.errors import InvalidInputError
from madsci.event_manager.model.tally import GROUPINGS, Count
from madsci.event_manager.search.facets import facet, parse_groupings


def test_groupings_are_named_between_commas_and_all_without_names():
    assert [one.name for one in parse_groupings("type, node")] == ["type", "node"]
    assert parse_groupings(None) == list(GROUPINGS.values())
    with pytest.raises(InvalidInputError, match="'colour' is none of type, level"):
        parse_groupings("type,colour")


def test_a_facet_tells_its_paths_and_what_it_leaves_out():
    counts = [Count(5, "u1"), Count(3, "u2"), Count(2, None)]
    assert facet(GROUPINGS["user"], counts, 14) == {
        "paths": ["source.user_id", "event_data.user_id"],
        "values": [{"value": "u1", "count": 5}, {"value": "u2", "count": 3}],
        "missing": 2,
        "other": 4,
    }
