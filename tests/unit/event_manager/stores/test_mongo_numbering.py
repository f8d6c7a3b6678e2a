"""The events of earlier versions get their places in the feed, however many there are."""

from __future__ import annotations

from contextlib import closing

from madsci.event_manager.stores.mongo.connection import connect
from madsci.event_manager.stores.mongo.lanes import LANE, LANES, NUMBER
from madsci.event_manager.stores.mongo.numbering import Numbering


def unseen(what: str, done: int, of: int | None) -> None:
    pass


def test_more_events_than_a_server_changes_at_once_are_numbered_in_the_order_of_receipt(
    mongo_url, mongo_database
):
    with closing(connect(mongo_url)) as client:
        database = client[mongo_database]
        events = database["events"]
        events.insert_many([{"_id": f"e{number:03}", "received_at": -number} for number in range(120)])
        numbering = Numbering(database, events)
        assert numbering.pending(unseen) == 120
        assert numbering.run(unseen) == 120
        assert numbering.pending(unseen) == 0
        found = list(events.find({}).sort("_id", -1))
        assert [one[NUMBER] for one in found] == list(range(1, 121))
        (lane,) = database[LANES].find({})
        assert {one[LANE] for one in found} == {lane["_id"]}
        assert (lane["head"], lane["ended"]) == (120, 1)
