"""What to narrow in a question that took too long."""

from __future__ import annotations

from madsci.event_manager.model.selector import Compare, Equals, In, Matches, Selector, conjuncts

_TIMES = ("event_timestamp",)
_NODE = ("source", "node_id")


def advice(selector: Selector) -> str:
    """Return a sentence for each thing that would make the question faster."""
    parts = list(conjuncts(selector))
    found = []
    if not any(isinstance(part, (Compare, Equals)) and part.path == _TIMES for part in parts):
        found.append("give a range of event_timestamp")
    if not any(isinstance(part, (Equals, In)) and part.path == _NODE for part in parts):
        found.append("name the nodes with source.node_id, or an experiment or workflow by its id")
    if any(isinstance(part, Matches) for part in parts):
        found.append("search for words with $text instead of $regex")
    if not found:
        found.append("take a shorter range of event_timestamp")
    listed = "; ".join(found)
    return f"Narrow it: {listed}. Or raise query_timeout_seconds in the server's settings."
