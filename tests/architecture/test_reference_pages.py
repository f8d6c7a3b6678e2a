"""The reference pages name everything that there is."""

from __future__ import annotations

from pathlib import Path

from madsci.common import errors
from madsci.common.types import foreign_event, foreign_sender, log_level
from madsci.common.types.event_types import Event, EventType

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"


def page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def test_every_event_type_stands_in_the_reference_with_its_meaning():
    text = page("events.md")
    assert [kind for kind in EventType if f"| `{kind.value}` | {kind.meaning} |" not in text] == []


def test_every_member_of_an_event_stands_in_the_reference():
    text = page("events.md")
    assert [name for name in Event.model_fields if f"`{name}`" not in text] == []


def test_every_name_of_other_loggers_and_of_levels_stands_in_the_reference():
    text = page("events.md").lower()
    tables = (
        foreign_event.MESSAGES, foreign_event.LEVELS, foreign_event.TIMES, log_level.OTHER_NAMES,
        foreign_sender.NAMES, foreign_sender.HOSTS, foreign_sender.PROCESSES,
    )  # fmt: skip
    names = sorted({name.lower() for table in tables for name in table})
    assert [name for name in names if f"`{name}`" not in text] == []


def test_every_error_code_that_the_server_gives_stands_in_the_reference():
    text = page("rest.md")
    given = [
        errors.MalformedJsonError, errors.InvalidSelectorError, errors.InvalidCursorError,
        errors.EventNotFoundError, errors.TooLargeError, errors.UnsupportedBodyError,
        errors.InvalidEventError, errors.InvalidInputError, errors.OverloadedError,
        errors.StoreUnavailableError, errors.StoreError, errors.HeadTooLargeError,
        errors.RequestTimeoutError, errors.MalformedRequestError,
    ]  # fmt: skip
    assert [kind.code for kind in given if f"`{kind.code}`" not in text] == []


def test_every_library_has_its_line_of_reason():
    root = REFERENCE.parents[1]
    decisions = (root / "docs" / "decisions" / "dependencies.md").read_text(encoding="utf-8")
    project = (root / "pyproject.toml").read_text(encoding="utf-8")
    block = project.split("dependencies = [", 1)[1].split("]", 1)[0]
    names = [
        line.strip(' ",').split(">")[0].split(";")[0].strip()
        for line in block.splitlines()
        if ">" in line
    ]
    assert len(names) > 10
    assert [name for name in names if f"| {name} |" not in decisions] == []
