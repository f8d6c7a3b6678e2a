"""Facts about the lab, on every engine."""

from __future__ import annotations

import threading

from madsci.event_manager.model.tables import DONE, put
from madsci.event_manager.stores.facts import facts_about_the_lab, remember


def test_a_fact_is_kept_the_first_time(store):
    assert remember(store, "id", "1") == "1"
    assert remember(store, "id", "2") == "1"
    assert remember(store, "other", "2") == "2"


def test_facts_are_what_was_given_and_nothing_else_however_many(store):
    assert facts_about_the_lab(store) == {}
    store.apply([put(DONE, "task", '{"slot":"1"}')])
    given = {f"key/{number:04}": f"wert ü {number}" for number in range(1_003)}
    for key, value in list(given.items())[:3]:
        remember(store, key, value)
    store.apply([put("facts", key, f'{{"value":"{value}"}}') for key, value in list(given.items())[3:]])
    assert facts_about_the_lab(store) == given


def test_all_that_ask_at_once_get_the_same(store):
    got: list[str] = []
    begun = threading.Barrier(4)

    def ask(value: str) -> None:
        begun.wait(10)
        got.append(remember(store, "id", value))

    threads = [threading.Thread(target=ask, args=[str(number)]) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert len(got) == 4
    assert len(set(got)) == 1
