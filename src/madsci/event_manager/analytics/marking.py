"""What events say of the life of a lab: from an event to its mark, if it has one.

Labs and releases say it in several ways. Each is read here, and nowhere else; which ones is in
``docs/reference/utilization.md``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypedDict

import msgspec

from madsci.common.clock import UTC, parse_instant
from madsci.common.types.event_type import EventType
from madsci.event_manager.analytics.event_texts import (
    AUTHOR,
    ERRORS,
    IDS,
    LONGEST,
    MEMBERS_OF_DATA,
    NAMES,
    WORD,
    WORKCELL,
    Places,
    about_of,
    first_text,
    text_of,
)
from madsci.event_manager.analytics.marks import Mark, Outcome, Phase, Thing, id_of_word
from madsci.event_manager.model.stored_event import StoredEvent

_BY_NAME: Final = {str(known): known for known in EventType}
_KINDS: Final = {EventType.LAB_START: "lab", EventType.LAB_STOP: "lab"}
"""Of sessions; those of workcells are told apart by their ids, too."""
_BEGUN: Final = {"running", "started", "in_progress"}
_ENDED: Final = {
    "completed": Outcome.COMPLETED, "finished": Outcome.COMPLETED, "succeeded": Outcome.COMPLETED,
    "failed": Outcome.FAILED, "cancelled": Outcome.CANCELLED,
}  # fmt: skip
_WELL: Final = {"ready", "idle", "ok", "running", "busy", "online", "healthy", "normal"}
_ILL: Final = {"error", "errored", "fault", "faulted", "failed"}
"""What nodes say of themselves."""
_SAID: Final = ("completed", "failed", "cancelled")
"""Sought in a status that is an object: as a member that is true, then in its description."""


_OTHERS: Final = (
    "event_type", "status", "state", "errored", "duration_seconds", "start_time", "end_time",
)  # fmt: skip
_LOOKED_FOR: Final = {*_OTHERS, *MEMBERS_OF_DATA} | {
    member
    for places in (*IDS.values(), *NAMES.values(), ERRORS, AUTHOR)
    for is_in_data, member, _ in places
    if is_in_data
}
"""Members of data. Of what else is in it nothing is made, such as the results of actions."""
_decode: Final = msgspec.json.Decoder(
    TypedDict("_Data", dict.fromkeys(_LOOKED_FOR, Any), total=False)  # type: ignore[operator]
).decode

Abouts = dict[tuple[int, "str | None"], dict[str, str]]
"""What is known beside marks, by which source says it and what something is called."""


class _Meaning(NamedTuple):
    """What events of a type say, and where it stands whose life it is."""

    thing: Thing
    phase: Phase
    outcome: Outcome | None
    of_id: str
    of_name: str
    """The members of data in which nearly all say it, if that is where it is looked for first."""
    is_end: bool
    has_more: bool
    """Whether something is to be looked for that others do not say."""
    ids: Places
    names: Places
    kind: str | None = None


_SAYS: Final[dict[EventType, tuple[Thing, Phase, Outcome | None]]] = {
    EventType.LAB_START: (Thing.SESSION, Phase.BEGIN, None),
    EventType.LAB_STOP: (Thing.SESSION, Phase.END, None),
    EventType.WORKCELL_START: (Thing.SESSION, Phase.BEGIN, None),
    EventType.WORKCELL_STOP: (Thing.SESSION, Phase.END, None),
    EventType.NODE_START: (Thing.NODE, Phase.BEGIN, None),
    EventType.NODE_STOP: (Thing.NODE, Phase.END, None),
    EventType.NODE_ERROR: (Thing.NODE, Phase.FAULT, None),
    EventType.EXPERIMENT_START: (Thing.EXPERIMENT, Phase.BEGIN, None),
    EventType.EXPERIMENT_PAUSE: (Thing.EXPERIMENT, Phase.PAUSE, None),
    EventType.EXPERIMENT_CONTINUED: (Thing.EXPERIMENT, Phase.RESUME, None),
    EventType.EXPERIMENT_COMPLETE: (Thing.EXPERIMENT, Phase.END, Outcome.COMPLETED),
    EventType.EXPERIMENT_FAILED: (Thing.EXPERIMENT, Phase.END, Outcome.FAILED),
    EventType.EXPERIMENT_CANCELLED: (Thing.EXPERIMENT, Phase.END, Outcome.CANCELLED),
    EventType.WORKFLOW_CREATE: (Thing.WORKFLOW, Phase.QUEUED, None),
    EventType.WORKFLOW_START: (Thing.WORKFLOW, Phase.BEGIN, None),
    EventType.WORKFLOW_COMPLETE: (Thing.WORKFLOW, Phase.END, None),
    EventType.WORKFLOW_ABORT: (Thing.WORKFLOW, Phase.END, Outcome.CANCELLED),
    EventType.WORKFLOW_STEP_START: (Thing.STEP, Phase.BEGIN, None),
    EventType.WORKFLOW_STEP_COMPLETE: (Thing.STEP, Phase.END, Outcome.COMPLETED),
    EventType.WORKFLOW_STEP_FAILED: (Thing.STEP, Phase.END, Outcome.FAILED),
    EventType.ACTION_START: (Thing.ACTION, Phase.BEGIN, None),
    EventType.ACTION_COMPLETE: (Thing.ACTION, Phase.END, Outcome.COMPLETED),
    EventType.ACTION_FAILED: (Thing.ACTION, Phase.END, Outcome.FAILED),
}


def _meaning(
    thing: Thing, phase: Phase, outcome: Outcome | None = None, kind: str | None = None
) -> _Meaning:
    has_more = thing in {Thing.WORKFLOW, Thing.SESSION} or phase is Phase.FAULT
    ids, names = IDS[thing], NAMES[thing]
    return _Meaning(
        thing, phase, outcome, _member(ids), _member(names), phase is Phase.END, has_more,
        ids, names, kind,
    )  # fmt: skip


def _member(places: Places) -> str:
    is_in_data, member, rest = places[0]
    return member if is_in_data and not rest else ""


_MEANINGS: Final[dict[str, _Meaning]] = {
    known.value: _meaning(*says, kind=_KINDS.get(known)) for known, says in _SAYS.items()
} | {
    known.value: _meaning(*_SAYS[known], kind="workcell")._replace(ids=WORKCELL)
    for known in (EventType.WORKCELL_START, EventType.WORKCELL_STOP)
}
_BY_STATUS: Final[dict[str, dict[str, _Meaning]]] = {
    EventType.ACTION_STATUS_CHANGE.value: {
        **{word: _meaning(Thing.ACTION, Phase.BEGIN) for word in _BEGUN},
        **{word: _meaning(Thing.ACTION, Phase.END, outcome) for word, outcome in _ENDED.items()},
    },
    EventType.NODE_STATUS_UPDATE.value: {
        **{word: _meaning(Thing.NODE, Phase.CLEAR) for word in _WELL},
        **{word: _meaning(Thing.NODE, Phase.FAULT) for word in _ILL},
    },
}
"""Of types that say it by a word."""
_MEAN_NOTHING: Final = {known.value for known in EventType} - {*_MEANINGS, *_BY_STATUS}
"""Types that say nothing of it, unless another type is hidden in their data."""


def mark_of(event: StoredEvent, abouts: Abouts) -> Mark | None:
    """Return what an event says of the life of the lab, ``None`` for nothing.

    ``abouts`` keeps what is known beside marks for those that come later: what began and its end may
    share a source. It is of use for as long as the events are there.
    """
    kind = event.event_type
    meaning = _MEANINGS.get(kind)
    if meaning is None and kind in _MEAN_NOTHING and '"event_type"' not in event.event_data:
        return None  # nearly all events: nothing of them is decoded
    data = _data_of(event.event_data)
    if meaning is None:
        meaning = _hidden(kind, data)
        if meaning is None:
            return None
    thing, phase, outcome, of_id, of_name, is_end, has_more = meaning[:7]
    source, at = event.source, event.event_timestamp
    value = data.get(of_id)
    found = value.strip()[:LONGEST] if type(value) is str else None
    is_word = False
    if not found:
        found = first_text(meaning.ids, source, data) or _without_id(meaning, at)
        if found is None:
            return None
        is_word = thing is Thing.ACTION and text_of(data.get(WORD)) == found
    value = data.get(of_name)
    name = value.strip()[:LONGEST] if type(value) is str else None
    if not name:
        name = first_text(meaning.names, source, data)
    if has_more:
        about = about_of(name, source, data)
        outcome = _more(meaning, source, data, about, found)
    elif MEMBERS_OF_DATA.isdisjoint(data):
        about = _known_about(name, source, abouts)
    else:
        about = about_of(name, source, data)
    if is_word and (node := about.get("node")) is not None:
        found = id_of_word(found, node)
    return Mark(at, thing, phase, found, about, outcome, _seconds(data) if is_end else None)


def _without_id(meaning: _Meaning, at: int) -> str | None:
    """Return what stands for the id of a lab that begins and has none."""
    if meaning.thing is Thing.SESSION and meaning.phase is Phase.BEGIN:
        return f"system_{at // 1_000_000}"
    return None


def _more(
    meaning: _Meaning,
    source: Mapping[str, Any],
    data: Mapping[str, Any],
    about: dict[str, str],
    found: str,
) -> Outcome | None:
    """Add what only workflows, faults and sessions say; return how it ended, if it did."""
    if meaning.thing is Thing.SESSION:
        if meaning.kind is not None:
            about["kind"] = meaning.kind
        if (text := text_of(source.get("manager_id"))) is not None:
            about["manager"] = text
        about.setdefault("workcell", found)
        return None
    if meaning.phase is Phase.FAULT:
        if (text := first_text(ERRORS, source, data)) is not None:
            about["kind"] = text
        return None
    if (text := first_text(AUTHOR, source, data)) is not None:
        about["author"] = text
    if meaning.is_end and meaning.outcome is None:
        return _outcome(_status(data))
    return meaning.outcome


def _hidden(kind: str, data: Mapping[str, Any]) -> _Meaning | None:
    """Return what an event says whose own type does not: by a status, or by a type in its data."""
    known = _named(kind)
    if known is None or known.is_log:  # clients of earlier releases hide it in the data
        known = _named(data.get("event_type"))
    if known is None:
        return None
    words = _BY_STATUS.get(known.value)
    if words is None:
        return _MEANINGS.get(known.value)
    status = _status(data)
    if isinstance(status, str):
        return words.get(status.strip().lower())
    flags = status if isinstance(status, Mapping) else data
    if known is EventType.NODE_STATUS_UPDATE and isinstance(flags.get("errored"), bool):
        return words["error" if flags["errored"] else "ready"]
    return None


def _data_of(text: str) -> dict[str, Any]:
    """Return what is looked for in the data of an event, which is not always an object."""
    try:
        data: dict[str, Any] = _decode(text)
    except msgspec.ValidationError:
        return {}
    return data


def _known_about(name: str | None, source: Mapping[str, Any], abouts: Abouts) -> dict[str, str]:
    """Return where something belongs as its source says: one dict for all events that share that."""
    key = id(source), name
    about = abouts.get(key)
    if about is None:
        about = abouts[key] = about_of(name, source, {})
    return about


def _named(value: object) -> EventType | None:
    if not isinstance(value, str):
        return None
    known = _BY_NAME.get(value)
    if known is None:  # in other letters, or by a former name
        with contextlib.suppress(ValueError):
            return EventType(value)
    return known


def _status(data: Mapping[str, Any]) -> object:
    status = data.get("status")
    return data.get("state") if status is None else status


def _outcome(status: object) -> Outcome:
    """Return how a workflow ended: by a word, or by an object with flags and a description."""
    if isinstance(status, str):
        return _ENDED.get(status.strip().lower(), Outcome.UNKNOWN)
    if isinstance(status, Mapping):
        said = next((one for one in _SAID if status.get(one) is True), None)
        if said is None and status.get("running") is True:
            return Outcome.UNKNOWN
        description = str(status.get("description", "")).lower()
        said = said or next((one for one in _SAID if one in description), "completed")
        return _ENDED[said]
    return Outcome.COMPLETED


def _seconds(data: Mapping[str, Any]) -> float | None:
    """Return how long something took, as the event that ends it says: at once, or by two times."""
    value = data.get("duration_seconds")
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf"):
        return float(value)
    if "start_time" not in data or "end_time" not in data:
        return None
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        taken = parse_instant(data["end_time"], UTC) - parse_instant(data["start_time"], UTC)
        return taken / 1_000_000 if taken >= 0 else None
    return None
