"""The table of operations has each method of a path once, and paths that can be told apart."""

from __future__ import annotations

import pytest

from madsci.event_manager.api.operations import Operations, Scope


def add(table: Operations, method: str, path: str) -> None:
    table.add(method, path, "name", "A summary", Scope.READ, "tag")(lambda: None)


def test_a_method_of_a_path_is_added_once():
    table = Operations()
    add(table, "GET", "/events")
    add(table, "POST", "/events")
    with pytest.raises(ValueError, match="GET /events"):
        add(table, "GET", "/events")
    other = Operations()
    add(other, "POST", "/events")
    with pytest.raises(ValueError, match="POST /events"):
        table.extend(other)
    assert [(row.method, row.path) for row in table] == [("GET", "/events"), ("POST", "/events")]


def test_nothing_follows_the_variable_part_of_a_path():
    with pytest.raises(ValueError, match="cannot be added"):
        add(Operations(), "GET", "/event/{event_id}/more")
