"""Whatever stands for a sender is read as far as it can be, and what is left is kept."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madsci.common.types.event_reading import read_event
from madsci.common.types.event_types import Event
from madsci.common.types.sender import Sender, sender_here
from madsci.common.types.sender_reading import LARGEST_PROCESS, LONGEST_NAME, cut_name, read_sender

WHOLE = {"name": "arm", "host": "robot-3", "process": 4711}


@pytest.mark.parametrize(
    ("value", "known", "left"),
    [
        (WHOLE, WHOLE, None),
        (None, {}, None),
        ({}, {}, None),
        ("", {}, None),
        ("arm", {"name": "arm"}, None),
        ({"name": None, "host": "", "process": None}, {}, None),
        ({"name": "arm", "thread": "main"}, {"name": "arm"}, {"thread": "main"}),
        ({"process": "4711"}, {"process": 4711}, None),
        ({"process": -1}, {}, {"process": -1}),
        ({"process": LARGEST_PROCESS + 1}, {}, {"process": LARGEST_PROCESS + 1}),
        ({"process": True}, {}, {"process": True}),
        ({"process": "9" * 5000}, {}, {"process": "9" * 5000}),
        ({"process": "\u0664"}, {}, {"process": "\u0664"}),
        ({"name": "x" * LONGEST_NAME}, {"name": "x" * LONGEST_NAME}, None),
        ({"name": "x" * 256, "host": "pc"}, {"host": "pc"}, {"name": "x" * 256}),
        ("x" * 10_000, {}, "x" * 10_000),
        ({"name": ["arm"]}, {}, {"name": ["arm"]}),
        (7, {}, 7),
        (["arm"], {}, ["arm"]),
    ],
)
def test_a_sender_is_read_as_far_as_it_can_be(value, known, left):
    assert read_sender(value) == (known, left)


def test_what_cannot_be_read_is_kept_in_extra_and_told():
    reading = read_event({"sender": {"name": "arm", "host": "x" * 300}, "extra": {"a": 1}})
    assert reading.sender == {"name": "arm"}
    assert reading.extra == {"a": 1, "sender": {"host": "x" * 300}}
    assert len(reading.repairs) == 1
    assert "extra.sender" in reading.repairs[0]


def test_this_process_is_a_sender_that_events_can_hold():
    here = sender_here("arm")
    assert (here["name"], here["process"]) == ("arm", os.getpid())
    assert read_sender(here) == (here, None)
    assert "name" not in sender_here()


@given(st.text(st.characters(), max_size=300))
def test_every_name_can_be_cut_to_one_that_can_be_written(name):
    cut = cut_name(name)
    assert len(cut) <= LONGEST_NAME
    assert cut.encode().decode() == cut
    assert name.startswith(cut) or "\\" in cut


def test_events_of_programs_take_a_sender_in_its_usual_forms():
    assert Event(sender="arm").sender == Sender(name="arm")
    assert Event(sender=WHOLE).sender.known() == WHOLE
    assert Event().sender is None
    assert Event.read({"sender": WHOLE}).sender == Sender(**WHOLE)


def test_who_sent_an_event_does_not_make_it_another_one():
    event = Event()
    assert event == event.model_copy(update={"sender": Sender(name="arm")})
