"""Simulated time goes from one thing that is waited for to the next."""

from __future__ import annotations

from madsci.demo.course import Course, Places, Signal, StoppedError, Wait


def test_flows_go_on_in_the_order_of_what_they_wait_for():
    course, seen = Course(100), []

    def flow(name, *instants):
        for instant in instants:
            yield Wait(instant)
            seen.append((course.now, name))

    course.begin(flow("a", 110, 130))
    course.begin(flow("b", 120, 130))
    course.run()
    assert seen == [(110, "a"), (120, "b"), (130, "a"), (130, "b")]


def test_what_lies_behind_is_not_waited_for():
    course, seen = Course(100), []

    def flow():
        yield Wait(5)
        seen.append(course.now)

    course.begin(flow())
    course.run()
    assert seen == [100]


def test_whichever_of_instant_and_signal_comes_first_ends_the_wait():
    course, seen = Course(0), []
    signal = Signal(course)

    def waiting(until):
        is_signal = yield Wait(until, signal)
        seen.append((course.now, is_signal))
        yield Wait(50)
        seen.append((course.now, "on"))

    def giving():
        yield Wait(20)
        signal.give()

    course.begin(waiting(10))
    course.begin(waiting(30))
    course.begin(giving())
    course.run()
    assert seen == [(10, False), (20, True), (50, "on"), (50, "on")]


def test_a_stopped_flow_may_tidy_up_and_others_hear_when_it_is_over():
    course, seen = Course(0), []

    def work():
        try:
            yield Wait(1_000)
        except StoppedError:
            yield Wait(course.now + 5)
            seen.append((course.now, "tidy"))
            raise

    def boss():
        process = course.begin(work())
        yield Wait(10)
        course.stop(process)
        yield Wait(signal=process.over)
        seen.append((course.now, process.is_over))
        course.stop(process)  # says nothing

    course.begin(boss())
    course.run()
    assert seen == [(10 + 5, "tidy"), (15, True)]


def test_places_are_given_in_the_order_of_asking_and_not_to_who_has_left():
    course, seen = Course(0), []
    places = Places(course, 1)

    def using(name, length):
        yield from places.take()
        seen.append((course.now, name))
        yield Wait(course.now + length)
        places.give_back()

    processes = [course.begin(using(name, 10)) for name in "abcd"]

    def stopping():
        yield Wait(5)
        course.stop(processes[1])  # waits in the line
        yield Wait(10)
        course.stop(processes[3])

    course.begin(stopping())
    course.run()
    assert seen == [(0, "a"), (10, "c")]


def test_a_place_goes_on_when_who_was_to_have_it_is_stopped_at_that_instant():
    course, seen = Course(0), []
    places = Places(course, 1)

    def holding():
        yield from places.take()
        yield Wait(10)
        places.give_back()
        course.stop(second)

    def using(name):
        yield from places.take()
        seen.append((course.now, name))
        places.give_back()

    course.begin(holding())
    second = course.begin(using("second"))
    course.begin(using("third"))
    course.run()
    assert seen == [(10, "third")]
