"""Ids of the process and of contexts: what holds where, and that what was handed out stays as it is."""

from __future__ import annotations

import asyncio
import threading

import pytest

from madsci.common import ownership
from madsci.common.ownership import (
    get_current_ownership_info,
    global_ownership_info,
    has_ownership_context,
    layered_ownership,
    ownership_class,
    ownership_context,
    with_ownership,
)
from madsci.common.types.event import Event
from madsci.common.types.ownership import OwnershipInfo
from madsci.common.types.ownership_ids import OWNERSHIP_IDS


@pytest.fixture(autouse=True)
def process_ids():
    yield
    for name in type(global_ownership_info).model_fields:
        setattr(global_ownership_info, name, None)


def ids():
    return get_current_ownership_info().model_dump()


def test_the_known_ids_are_the_members_of_the_model():
    assert tuple(OwnershipInfo.model_fields) == OWNERSHIP_IDS


def test_all_names_are_there():
    assert ownership.__all__ == sorted(ownership.__all__)
    assert all(hasattr(ownership, name) for name in ownership.__all__)


def test_contexts_add_to_the_process_and_to_each_other():
    global_ownership_info.manager_id = "m"
    with ownership_context(experiment_id="e", user_id="u"):
        with ownership_context(user_id="v", shelf_id="own names too") as info:
            assert info.model_dump() == ids()
            assert ids() == {
                "manager_id": "m", "experiment_id": "e", "user_id": "v", "shelf_id": "own names too",
            }  # fmt: skip
        assert ids() == {"manager_id": "m", "experiment_id": "e", "user_id": "u"}
    assert ids() == {"manager_id": "m"}


def test_there_is_a_context_only_inside_one():
    assert not has_ownership_context()
    with ownership_context():
        assert has_ownership_context()
    assert not has_ownership_context()


def test_none_takes_an_id_away():
    global_ownership_info.user_id = "u"
    with ownership_context(user_id=None):
        assert ids() == {}


def test_a_context_ends_with_an_exception():
    with pytest.raises(KeyError), ownership_context(user_id="u"):
        raise KeyError
    assert ids() == {}


def test_what_was_handed_out_does_not_change_any_more():
    """In the reference the source of an event that exists changed with the process's ids."""
    global_ownership_info.manager_id = "before"
    event, info = Event(), get_current_ownership_info()
    global_ownership_info.manager_id = "after"
    info.user_id = "mine"
    assert event.source.manager_id == info.manager_id == "before"
    assert ids() == {"manager_id": "after"}


def test_events_take_the_ownership_of_where_they_are_made():
    with ownership_context(workflow_id="w"):
        assert Event().source == OwnershipInfo(workflow_id="w")
        assert Event(source={"node_id": "n"}).source == OwnershipInfo(node_id="n")
        assert Event.read({"event_id": "x", "event_data": 1}).source == OwnershipInfo()


def test_the_ids_of_a_configuration_lie_between_process_and_context():
    global_ownership_info.node_id = "process"
    assert layered_ownership({"node_id": "client"}) == {"node_id": "client"}
    with ownership_context(node_id="context"):
        assert layered_ownership({"node_id": "client"}) == {"node_id": "context"}


def test_threads_and_tasks_do_not_see_each_others_contexts():
    seen = {}

    async def task(name):
        with ownership_context(node_id=name):
            await asyncio.sleep(0)
            seen[name] = ids()["node_id"]

    async def both():
        await asyncio.gather(task("a"), task("b"))

    with ownership_context(user_id="u"):
        asyncio.run(both())
        thread = threading.Thread(target=lambda: seen.update(thread=ids()))
        thread.start()
        thread.join()
    assert seen == {"a": "a", "b": "b", "thread": {}}


def test_functions_run_in_a_context_and_may_ask_for_it():
    @with_ownership(user_id="u")
    def bake(cake, ownership_info=None):
        return cake, ownership_info.user_id, ids()

    @with_ownership
    def plain(ownership_info):
        return has_ownership_context(), ownership_info

    own = OwnershipInfo(user_id="given")
    assert bake("plum") == ("plum", "u", {"user_id": "u"})
    assert bake("plum", own)[1] == "given"
    assert plain() == (True, OwnershipInfo())


def test_methods_of_a_class_run_in_contexts_with_the_objects_own_ids():
    @ownership_class(workcell_id="w")
    class Robot:
        def __init__(self, name):
            self.name = name

        def get_ownership_overrides(self):
            return {"node_id": self.name}

        def move(self):
            return ids()

        def _inner(self):
            return ids()

    assert Robot("r").move() == {"workcell_id": "w", "node_id": "r"}
    assert Robot("r")._inner() == {}
