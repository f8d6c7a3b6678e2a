"""Functions of every kind and methods of classes in contexts of their own."""

from __future__ import annotations

import asyncio
import inspect
from contextlib import asynccontextmanager, contextmanager

import pytest

from madsci.client.testing import capture_events
from madsci.common.context import (
    GlobalMadsciContext,
    event_client_class,
    event_client_context,
    get_event_client,
    get_event_client_context,
    has_event_client_context,
    with_event_client,
)
from madsci.common.context import client as context_client


@pytest.fixture(autouse=True)
def quiet_lab(tmp_path, monkeypatch):
    """Clients that are made on the way log into the test's directory only."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EVENT_SERVER_URL", raising=False)
    monkeypatch.setenv("EVENT_CLIENT_LOG_FILE_ENABLED", "false")
    monkeypatch.setenv("EVENT_CLIENT_LOG_CONSOLE_ENABLED", "false")
    GlobalMadsciContext.set_context(None)
    context_client._cached_client.cache_clear()
    yield
    context_client._cached_client.cache_clear()
    GlobalMadsciContext.set_context(None)


def place():
    context = get_event_client_context()
    return context and context.name


def data_of(client):
    with capture_events() as events:
        client.info("x")
    return {name: value for name, value in events[0].event_data.items() if name != "message"}


# Functions


def test_a_function_runs_in_a_context_of_its_name():
    @with_event_client
    def plain():
        return place()

    @with_event_client(name="named", step=1)
    def named(event_client):
        return place(), data_of(event_client)

    @with_event_client("by position")
    def positional():
        return place()

    assert plain() == plain.__qualname__
    assert named() == ("named", {"hierarchy": "named", "step": 1})
    assert positional() == "by position"
    with event_client_context(name="root", a=1):
        assert plain() == f"root.{plain.__qualname__}"
        assert named()[1] == {"hierarchy": "root.named", "a": 1, "step": 1}
    assert place() is None


def test_without_inheritance_a_function_begins_a_hierarchy():
    @with_event_client(name="own", inherit=False)
    def function():
        return place()

    with event_client_context(name="root"):
        assert function() == "own"


@pytest.mark.parametrize("style", ["position", "keyword", "none"])
def test_a_client_that_the_caller_gives_is_left_alone(style):
    """In the reference one that was given by position collided with the injected one."""

    @with_event_client(name="f")
    def function(plate, event_client=None, *, more=0):
        return plate, event_client, more

    if style == "position":
        assert function("P7", "mine", more=1) == ("P7", "mine", 1)
    elif style == "keyword":
        assert function("P7", event_client="mine") == ("P7", "mine", 0)
    else:
        assert function("P7")[1] is not None


def test_a_client_that_is_a_keyword_only_parameter_is_injected():
    @with_event_client(name="f")
    def function(*plates, event_client):
        return plates, event_client.name

    assert function(1, 2) == ((1, 2), "f")


def test_the_context_ends_when_the_function_fails():
    @with_event_client(name="f")
    def function():
        raise ValueError(place())

    with pytest.raises(ValueError, match="f"):
        function()
    assert place() is None


def test_outside_of_contexts_calls_share_one_client():
    @with_event_client(name="often")
    def function(event_client):
        return event_client._outputs

    assert function() is function()


def test_what_is_no_function_is_refused_with_advice():
    with pytest.raises(TypeError, match="beneath @staticmethod"):
        with_event_client(property(lambda _: 1))


def test_coroutines_hold_their_context_over_awaits():
    @with_event_client(name="f")
    async def function(event_client=None):
        await asyncio.sleep(0)
        return place(), event_client.name

    async def run():
        with event_client_context(name="root"):
            results = await asyncio.gather(function(), function())
            return results, place()

    assert inspect.iscoroutinefunction(function)
    assert asyncio.run(run()) == ([("root.f", "root"), ("root.f", "root")], "root")


# Generators


def test_a_generator_is_in_its_context_and_its_consumer_is_not():
    @with_event_client(name="plates")
    def plates(count, event_client):
        for number in range(count):
            with event_client_context(name=f"plate{number}"):
                yield number, place()
        yield event_client.name, place()
        return "done"

    seen = []
    with event_client_context(name="root"):
        generator = plates(2)
        while True:
            assert place() == "root"
            try:
                seen.append(next(generator))
            except StopIteration as stop:
                seen.append(stop.value)
                break
        assert place() == "root"
    assert seen == [
        (0, "root.plates.plate0"), (1, "root.plates.plate1"), ("root", "root.plates"), "done",
    ]  # fmt: skip
    assert inspect.isgeneratorfunction(plates)


def test_two_generators_that_take_turns_stay_apart():
    @with_event_client
    def steps(name):
        for number in range(2):
            with event_client_context(name=f"{name}{number}"):
                yield place().rpartition(".")[2]

    assert list(zip(steps("a"), steps("b"), strict=True)) == [("a0", "b0"), ("a1", "b1")]
    assert place() is None


def test_values_and_exceptions_reach_a_generator_in_its_context():
    @with_event_client(name="g")
    def echo():
        value = None
        while True:
            try:
                value = yield value, place()
            except KeyError as error:
                value = error.args[0]

    generator = echo()
    assert next(generator) == (None, "g")
    assert generator.send("sent") == ("sent", "g")
    assert generator.throw(KeyError("thrown")) == ("thrown", "g")
    generator.close()
    with pytest.raises(StopIteration):
        next(generator)


def test_a_generator_that_is_given_up_cleans_up_in_its_context():
    places = []

    @with_event_client(name="g")
    def function():
        try:
            yield 1
        finally:
            places.append(place())

    generator = function()
    next(generator)
    generator.close()
    del generator
    for _ in function():
        break
    assert places == ["g", "g"]
    assert place() is None


def test_a_decorated_generator_makes_a_context_manager():
    @contextmanager
    @with_event_client(name="door")
    def door(event_client):
        try:
            yield place
        except KeyError:
            event_client.warning("a key was missing")

    with capture_events() as events, door():
        assert place() is None
        raise KeyError
    assert events[0].event_data == {"message": "a key was missing", "hierarchy": "door"}


def test_asynchronous_generators_do_the_same():
    places = []

    @with_event_client(name="g")
    async def readings(event_client=None):
        try:
            for number in range(3):
                await asyncio.sleep(0)
                try:
                    sent = yield number, place()
                except KeyError:
                    sent = "thrown"
                places.append(sent)
        finally:
            await asyncio.sleep(0)
            places.append(place())

    async def run():
        found = []
        with event_client_context(name="root"):
            found.extend([(reading, place()) async for reading in readings()])
            generator = readings()
            await generator.asend(None)
            await generator.asend("sent")
            await generator.athrow(KeyError())
            await generator.aclose()
            assert place() == "root"
        return found

    found = asyncio.run(run())
    assert found == [((number, "root.g"), "root") for number in range(3)]
    assert places == [None, None, None, "root.g", "sent", "thrown", "root.g"]
    assert inspect.isasyncgenfunction(readings)


def test_an_asynchronous_generator_that_fails_ends_its_context():
    @with_event_client(name="g")
    async def readings():
        yield 1
        raise ValueError(place())

    @asynccontextmanager
    @with_event_client(name="door")
    async def door():
        try:
            yield
        except KeyError:
            get_event_client().info("missing")

    async def run():
        with pytest.raises(ValueError, match="g"):
            [one async for one in readings()]
        async with door():
            raise KeyError

    with capture_events() as events:
        asyncio.run(run())
    assert events[0].event_data["hierarchy"] == "door"
    assert place() is None


# Classes


class Base:
    def inherited(self):
        return place()


@event_client_class(device="arm")
class Robot(Base):
    nested = Base

    def __init__(self, name="r1"):
        self.name = name

    def get_event_context(self):
        return {"name": self.name}

    def run(self):
        return self.move()

    def move(self, event_client=None):
        return self._inside(), data_of(event_client)

    def _inside(self):
        return place()

    async def wait(self):
        return place()

    def steps(self):
        yield place()

    @property
    def state(self):
        return place()

    @staticmethod
    def static():
        return place()

    @classmethod
    def of_class(cls):
        return place()


def test_public_methods_run_in_contexts_and_nest():
    robot = Robot()
    assert robot.run() == (
        "Robot.run.Robot.move",
        {"device": "arm", "name": "r1", "hierarchy": "Robot.run.Robot.move"},
    )
    assert robot.inherited() == "Robot.inherited"
    assert asyncio.run(robot.wait()) == "Robot.wait"
    assert list(robot.steps()) == ["Robot.steps"]
    with event_client_context(name="lab"):
        assert robot.inherited() == "lab.Robot.inherited"


def test_what_is_no_public_method_keeps_the_context_of_its_caller():
    robot = Robot()
    assert [robot._inside(), robot.state, robot.static(), Robot.of_class()] == [None] * 4
    assert Robot.nested is Base
    assert Base().inherited() is None


def test_objects_have_the_client_of_where_they_are():
    robot = Robot("r2")
    assert data_of(robot.event_client) == {"device": "arm", "name": "r2"}
    with event_client_context(name="lab", a=1):
        assert data_of(robot.event_client) == {
            "a": 1, "device": "arm", "name": "r2", "hierarchy": "lab",
        }  # fmt: skip
    robot.event_client = own = get_event_client("own")
    assert robot.event_client is own


def test_what_was_said_stands_on_the_class():
    assert Robot._event_client_context_name == "Robot"
    assert Robot._event_client_context_inherit is True
    assert Robot._event_client_context_metadata == {"device": "arm"}


def test_a_subclass_has_its_own_names_also_for_what_it_inherits():
    @event_client_class(name="Special")
    class Special(Robot):
        def move(self):
            return place(), super().move()[0]

    assert Special().inherited() == "Special.inherited"
    assert Special().move() == ("Special.move", "Special.move.Robot.move")


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        (["a", "_c"], ["K.a", None, "K._c"]),
        ("a", ["K.a", None, None]),
        (False, [None, None, None]),
        (True, ["K.a", "K.b", None]),
    ],
)
def test_the_methods_that_get_a_context_may_be_named(wanted, places):
    @event_client_class(name="K", wrap_methods=wanted)
    class Kind:
        def a(self):
            return place()

        def b(self):
            return place()

        def _c(self):
            return place()

    kind = Kind()
    assert [kind.a(), kind.b(), kind._c()] == places


def test_a_method_that_does_not_exist_cannot_be_named():
    with pytest.raises(TypeError, match="'fly'"):
        event_client_class(wrap_methods=["fly"])(Base)


def test_a_hook_that_fails_costs_its_data_and_not_the_call():
    @event_client_class
    class Kind:
        def get_event_context(self):
            return self.missing

        def work(self):
            return has_event_client_context()

    with pytest.warns(RuntimeWarning, match="get_event_context"):
        assert Kind().work() is True
