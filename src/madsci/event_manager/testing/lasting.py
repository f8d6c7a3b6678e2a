"""What a store that was closed still holds when it is opened again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest

from madsci.event_manager.model.feed import START, Position
from madsci.event_manager.model.query import Query
from madsci.event_manager.model.tables import FOLLOWERS, Step, position_of, put
from madsci.event_manager.stores.base import EventStore
from madsci.event_manager.testing.samples import FULL, append, event, followed, ids, names, stored

Reopen = Callable[[], EventStore]


class LastingContract:
    """What outlives a server. ``reopen`` is a fixture that opens the store of ``store`` once more."""

    @pytest.fixture
    def reopen(self) -> Reopen:
        """Return what opens the store again; to be overridden."""
        pytest.skip("this store is not opened again")

    def test_events_are_as_they_were_archived_deleted_or_with_an_alert(
        self, store: EventStore, reopen: Reopen
    ) -> None:
        store.append([FULL, event("a", 1), event("b", 2), event("gone", 3)])
        store.append([event("a", alert=True)])
        store.archive(["b", "gone"], 9)
        store.delete(["gone"])
        before = store.find(Query()).events
        store.close()
        with closing(reopen()) as again:
            assert again.find(Query()).events == before
            assert ids(again.find(Query())) == ["full", "b", "a"]
            assert stored(again, "a").alert
            assert stored(again, "b").archived_at == 9
            assert again.count() == 3
            outcomes = again.append([event("a"), event("gone")])
            assert [one.is_duplicate for one in outcomes] == [True, False]

    def test_positions_in_the_feed_stay_valid(self, store: EventStore, reopen: Reopen) -> None:
        append(store, *names(0, 5))
        early = store.since(START, 2).next
        _, _, end = followed(store)
        store.close()
        with closing(reopen()) as again:
            append(again, "new")
            again.append([event("e0", alert=True)])
            found, missed, _ = followed(again, Position.parse(str(early)))
            assert (sorted(found), missed) == (["e0!", *names(2, 5), "new"], 0)  # of two lanes, perhaps
            assert [one for one in found if one in names(2, 5)] == names(2, 5)
            found, missed, _ = followed(again, Position.parse(str(end)))
            assert (sorted(found), missed) == (["e0!", "new"], 0)

    def test_documents_and_the_places_of_followers_stay(
        self, store: EventStore, reopen: Reopen
    ) -> None:
        append(store, "a")
        store.apply([put("t", "k", "1"), put("t", "l", "1")])
        end = store.head()
        assert store.apply([put("t", "k", "2")], Step("f", START, end))
        store.close()
        with closing(reopen()) as again:
            assert again.scan("t") == [("k", "2"), ("l", "1")]
            assert position_of(again.read(FOLLOWERS, "f") or "") == end
            assert not again.apply([], Step("f", START, end))

    def test_who_closed_a_store_holds_no_lease_for_longer_than_he_asked(
        self, store: EventStore, reopen: Reopen
    ) -> None:
        assert store.hold("a", "one", 0.05)
        store.close()
        with closing(reopen()) as again:
            while not again.hold("a", "other", 60):
                pass  # the test's own time is the bound
