"""ULIDs: valid, unique, and in the order of their making."""

from __future__ import annotations

import os
import threading
import time

import pytest

from madsci.common import ids
from madsci.common.ids import UlidFactory, is_ulid, new_ulid

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def time_of(ulid: str) -> int:
    value = 0
    for character in ulid[:10]:
        value = value * 32 + ALPHABET.index(character)
    return value


def test_a_new_id_is_a_valid_ulid_of_this_millisecond():
    before = time.time_ns() // 1_000_000
    made = UlidFactory().make()
    assert is_ulid(made)
    assert before <= time_of(made) <= time.time_ns() // 1_000_000


def test_ids_ascend_also_within_one_millisecond():
    made = [new_ulid() for _ in range(20_000)]
    assert made == sorted(set(made))
    assert len({time_of(one) for one in made}) < len(made)


def test_ids_ascend_when_the_clock_is_set_back(monkeypatch):
    factory = UlidFactory()
    first = factory.make()
    an_hour_ago = time.time_ns() - 3_600_000_000_000
    monkeypatch.setattr(ids.time, "time_ns", lambda: an_hour_ago)
    assert factory.make() > first


def test_ids_ascend_when_the_random_part_runs_over(monkeypatch):
    monkeypatch.setattr(ids, "_RANDOM_LIMIT", 1 << 60)  # rarely enough room for one more
    factory = UlidFactory()
    factory._random.getrandbits = lambda _: (1 << 60) - 1
    made = [factory.make() for _ in range(50)]
    assert made == sorted(set(made))


def test_ids_ascend_one_by_one_where_the_lowest_bits_run_over(monkeypatch):
    factory = UlidFactory()
    first = factory.make()
    monkeypatch.setattr(ids.time, "time_ns", lambda: 0)  # no new millisecond
    factory._tail |= (1 << 20) - 4
    made = [first, *(factory.make() for _ in range(9))]
    assert made == sorted(set(made))
    values = [sum(ALPHABET.index(c) << 5 * n for n, c in enumerate(reversed(one))) for one in made[1:]]
    assert values == list(range(values[0], values[0] + 9))


def test_ids_are_unique_across_threads_and_ascend_in_each():
    made: list[list[str]] = [[] for _ in range(8)]
    start = threading.Barrier(8)

    def work(mine: list[str]) -> None:
        start.wait(10)
        mine.extend(new_ulid() for _ in range(3_000))

    threads = [threading.Thread(target=work, args=(mine,)) for mine in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert all(mine == sorted(mine) for mine in made)
    assert len({one for mine in made for one in mine}) == 8 * 3_000


def test_an_interrupted_making_still_gives_a_valid_id():
    """A signal handler that logs runs in the thread that may hold the factory's lock."""
    factory = UlidFactory()
    with factory._lock:
        factory._maker = threading.get_ident()
        assert is_ulid(factory.make())
        factory._maker = 0
    assert is_ulid(factory.make())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_repeats_no_id_of_its_parent_even_if_it_forked_mid_way():
    reading, writing = os.pipe()
    with ids._factory._lock:  # held at the fork, as by another thread
        child = os.fork()
        if child == 0:
            os.write(writing, "\n".join(new_ulid() for _ in range(200)).encode())
            os._exit(0)
    os.close(writing)
    mine = {new_ulid() for _ in range(200)}
    with os.fdopen(reading) as pipe:
        theirs = set(pipe.read().split("\n"))
    assert os.waitpid(child, 0)[1] == 0
    assert len(theirs) == 200
    assert all(is_ulid(one) for one in theirs)
    assert not mine & theirs


@pytest.mark.parametrize(
    "text",
    [
        "", "01M84HX3CTDS9P8A5QKCMA1TV", "01M84HX3CTDS9P8A5QKCMA1TVTX", "81M84HX3CTDS9P8A5QKCMA1TVT",
        "01m84hx3ctds9p8a5qkcma1tvt", "01M84HX3CTDS9P8A5QKCMA1TVU", "01M84HX3CTDS9P8A5QKCMA1TV ",
    ],
)  # fmt: skip
def test_what_is_not_a_canonical_ulid_is_told(text):
    assert not is_ulid(text)


def test_canonical_ulids_are_told():
    assert is_ulid("01M84HX3CTDS9P8A5QKCMA1TVT")
    assert is_ulid("7ZZZZZZZZZZZZZZZZZZZZZZZZZ")
