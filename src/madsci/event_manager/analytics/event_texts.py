"""Where ids and names stand in events: labs and releases write them in several places."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from madsci.event_manager.analytics.marks import Thing

LONGEST: Final = 200
"""Characters of an id or a name: what people read."""

Places = tuple[tuple[bool, str, tuple[str, ...]], ...]
"""Where a text is looked for, first to last: whether in the data, not the source; under which names."""


def _places(*paths: str) -> Places:
    split = [path.split(".") for path in paths]
    return tuple((one[0] == "event_data", one[1], tuple(one[2:])) for one in split)


_NODE: Final = _places(
    "source.node_id", "event_data.node_id", "event_data.node_name", "event_data.node"
)
_WORKFLOW: Final = _places("event_data.workflow_id", "source.workflow_id")
_EXPERIMENT: Final = _places(
    "source.experiment_id", "event_data.experiment_id",
    "event_data.experiment.experiment_id", "event_data.experiment._id",
)  # fmt: skip
WORKCELL: Final = _places("source.workcell_id", "event_data.workcell_id", "source.manager_id")
WORD: Final = "action"
"""The member of data that has the id of an action, or a word that many have."""
IDS: Final = {
    Thing.SESSION: _places(
        "source.workcell_id", "source.lab_id", "event_data.lab_id", "source.manager_id",
        "event_data.workcell_id",
    ),
    Thing.NODE: _NODE,
    Thing.EXPERIMENT: _EXPERIMENT,
    Thing.WORKFLOW: _WORKFLOW,
    Thing.STEP: _places("source.step_id", "event_data.step_id"),
    Thing.ACTION: _places(
        "event_data.action_id", "event_data.action", "event_data.task_id", "event_data._id",
        "event_data.id",
    ),
}  # fmt: skip
NAMES: Final = {
    Thing.SESSION: _places(
        "event_data.workcell_name", "event_data.lab_name", "event_data.name"
    ),
    Thing.NODE: _places("event_data.node_name"),
    Thing.EXPERIMENT: _places(
        "event_data.experiment_name", "event_data.name", "event_data.experiment.name",
        "event_data.experiment.experiment_design.experiment_name", "event_data.experiment.run_name",
    ),
    Thing.WORKFLOW: _places("event_data.name", "event_data.workflow_name"),
    Thing.STEP: _places("event_data.step_name", "event_data.name"),
    Thing.ACTION: _places("event_data.action_name", "event_data.name"),
}  # fmt: skip
_OF_SOURCE: Final = (
    ("node_id", "node"), ("workflow_id", "workflow"), ("experiment_id", "experiment"),
    ("workcell_id", "workcell"), ("campaign_id", "campaign"), ("user_id", "user"),
)  # fmt: skip
_OF_DATA: Final = {
    "node": _places("event_data.node_id", "event_data.node_name", "event_data.node"),
    "workflow": _places("event_data.workflow_id"),
    "experiment": _EXPERIMENT,
    "workcell": _places("event_data.workcell_id"),
    "campaign": _places("event_data.campaign_id"),
    "user": _places("event_data.user_id"),
}
"""Where it is looked for if the source does not say it."""
MEMBERS_OF_DATA: Final = frozenset(
    member for places in _OF_DATA.values() for is_in_data, member, _ in places if is_in_data
)
"""Without any of them nothing is looked for."""
ERRORS: Final = _places(
    "event_data.error_type", "event_data.error", "event_data.error_message", "event_data.message"
)
AUTHOR: Final = _places(
    "event_data.author", "event_data.definition_metadata.author",
    "event_data.workflow_definition_metadata.author",
)  # fmt: skip


def about_of(name: str | None, source: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, str]:
    """Return where something belongs: what the source says, else the data; and what it is called."""
    about: dict[str, str] = {}
    for member, of in _OF_SOURCE:
        value = source.get(member)
        if value is not None:  # as ``text_of`` does, which is not called for nearly all
            text = value.strip()[:LONGEST] if type(value) is str else text_of(value)
            if text:
                about[of] = text
    if not MEMBERS_OF_DATA.isdisjoint(data):
        for of, places in _OF_DATA.items():
            if of not in about and (text := first_text(places, source, data)) is not None:
                about[of] = text
    if name is not None:
        about["name"] = name
    return about


def first_text(places: Places, source: Mapping[str, Any], data: Mapping[str, Any]) -> str | None:
    """Return the first text or number that says anything, as text."""
    for is_in_data, member, rest in places:
        value = data.get(member) if is_in_data else source.get(member)
        if value is None:
            continue
        for name in rest:
            value = value.get(name) if isinstance(value, dict) else None
        text = value.strip()[:LONGEST] if type(value) is str else text_of(value)
        if text:
            return text
    return None


def source_node(source: Mapping[str, Any]) -> str | None:
    """Return the id of the node that sent an event, as marks have it."""
    return text_of(source.get("node_id"))


def text_of(value: object) -> str | None:
    """Return a text without blanks around it, or a number as one; ``None`` of anything else."""
    if isinstance(value, str):
        return value.strip()[:LONGEST] or None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)[:LONGEST]
    return None
