"""The asynchronous twins: the same questions, in a thread, made by one function."""

from __future__ import annotations

import asyncio
import inspect
import threading

import pytest

from madsci.client.event_client import EventClient
from madsci.client.reading.asynchronous import asynchronous, asynchronous_iterator

TWINS = sorted(name for name in dir(EventClient) if name.startswith("async_"))


class Kitchen:
    """Something with methods that take their time."""

    def cook(self, dish: str, /, *, salt: int = 1) -> str:
        """Cook a dish.

        Raises:
            ValueError: there is none.
        """
        if not dish:
            raise ValueError("no dish")
        return f"{dish} with {salt} in {threading.current_thread().name}"

    def serve(self, count: int):
        """Yield plates."""
        if count < 0:
            raise ValueError("fewer than none")
        return iter(range(count))

    async_cook = asynchronous(cook)
    async_serve = asynchronous_iterator(serve)


async def everything(plates):
    return [plate async for plate in plates]


def test_every_question_has_a_twin_of_the_same_parameters():
    assert len(TWINS) == 19
    for name in TWINS:
        twin, method = getattr(EventClient, name), getattr(EventClient, name.removeprefix("async_"))
        signature = inspect.signature(twin)
        assert signature.parameters == inspect.signature(method).parameters
        assert (twin.__name__, twin.__qualname__.rpartition(".")[2]) == (name, name)
        returned = method.__annotations__["return"]
        assert signature.return_annotation in (returned, f"Async{returned}")
        is_iterator = inspect.isasyncgenfunction(twin) or returned == "Tail"
        assert inspect.iscoroutinefunction(twin) or is_iterator


def test_the_help_of_a_twin_is_that_of_its_method_behind_a_sentence_of_its_own():
    assert inspect.getdoc(Kitchen.async_cook) == (
        "Do what ``cook`` does, in a thread, without holding up the event loop.\n\n"
        "Cook a dish.\n\nRaises:\n    ValueError: there is none."
    )
    assert str(inspect.signature(EventClient.async_iter_events)).endswith("-> 'AsyncIterator[Event]'")


def test_a_twin_answers_from_another_thread_and_raises_what_its_method_raises():
    kitchen = Kitchen()
    answer = asyncio.run(kitchen.async_cook("soup", salt=3))
    assert answer.startswith("soup with 3 in ")
    assert threading.main_thread().name not in answer
    with pytest.raises(ValueError, match="no dish"):
        asyncio.run(kitchen.async_cook(""))


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001, 2500])
def test_an_iterating_twin_yields_everything_in_order(count):
    assert asyncio.run(everything(Kitchen().async_serve(count))) == list(range(count))


def test_an_iterating_twin_raises_what_its_method_raises():
    with pytest.raises(ValueError, match="fewer than none"):
        asyncio.run(everything(Kitchen().async_serve(-1)))


def test_who_overrides_a_method_has_overridden_its_twin():
    class Canteen(Kitchen):
        def cook(self, dish: str, /, *, salt: int = 1) -> str:
            return "stew"

        def serve(self, count: int):
            return iter("ab")

    assert asyncio.run(Canteen().async_cook("soup")) == "stew"
    assert asyncio.run(everything(Canteen().async_serve(5))) == ["a", "b"]


def test_pages_are_fetched_as_they_are_wanted(make_client, peer):
    client = make_client(event_server=peer.url, log_file_enabled=False)
    for number in range(3000):
        peer.store({"event_id": f"e{number:05}", "event_data": number})

    async def first_of_many():
        events = client.async_iter_events({}, number=3000)
        return (await events.__anext__()).event_data

    assert asyncio.run(first_of_many()) == 2999
    assert peer.paths() == ["/events/query"]
