"""Leases in the memory of one process, by a clock that nobody sets."""

from __future__ import annotations

from madsci.event_manager.stores.local_leases import LocalLeases


def test_a_lease_ends_when_its_time_is_over_and_not_before():
    now = [100.0]
    leases = LocalLeases(lambda: now[0])
    assert leases.hold("a", "one", 10)
    now[0] += 9.9
    assert not leases.hold("a", "other", 10)
    assert leases.hold("a", "one", 10)  # from now on
    now[0] += 9.9
    assert not leases.hold("a", "other", 10)
    now[0] += 0.1
    assert leases.hold("a", "other", 10)
    leases.let_go("a", "one")
    assert not leases.hold("a", "one", 10)


def test_those_that_have_ended_take_no_room():
    now = [0.0]
    leases = LocalLeases(lambda: now[0])
    for number in range(1_000):
        now[0] += 1
        assert leases.hold(str(number), "one", 5)
    assert len(leases._held) <= 5
