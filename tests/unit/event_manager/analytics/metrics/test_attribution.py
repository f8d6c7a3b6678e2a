"""Busy time by whom it was for: who began first, who owns what, and what is nobody's."""

from __future__ import annotations

from madsci.event_manager.analytics.marks import Thing
from madsci.event_manager.analytics.metrics.attribution import all_attribution, node_attribution
from madsci.event_manager.analytics.runs import Run
from support.lab_life import action, lived, workflow


def by(runs, name="user", node="n"):
    return node_attribution(lived(runs))[node].by(name)


def test_where_actions_overlap_the_time_is_that_of_the_one_that_began_first():
    runs = [
        action(10, 30, user="ann"), action(20, 50, user="bob"), action(25, 28, user="cy"),
        action(-20, 5, user="bob"), action(90, 120, user="ann"),
    ]  # fmt: skip
    assert by(runs) == {"ann": 30, "bob": 25, "": 0}
    assert node_attribution(lived(runs))["n"].busy == 55


def test_what_no_event_gives_to_anybody_is_unattributed():
    assert by([action(0, 10), action(20, 30, user="ann")]) == {"ann": 10, "": 10}
    assert by([action(0, 10, user="ann")], "campaign") == {"": 10}


def test_actions_belong_to_whom_their_workflow_and_experiment_belong():
    runs = [
        workflow(0, 50, "w", experiment="x", author="Ann"), workflow(0, 50, "v", author="Ann"),
        Run(Thing.EXPERIMENT, "x", 0, 50, about={"user": "bob", "campaign": "c"}),
        action(0, 10, workflow="w"), action(10, 25, workflow="v"),
        action(30, 31, experiment="x", user="cy"),
    ]  # fmt: skip
    assert by(runs) == {"Ann": 15, "bob": 10, "cy": 1, "": 0}
    assert by(runs, "experiment") == {"x": 11, "": 15}
    assert by(runs, "campaign") == {"c": 11, "": 15}


def test_of_an_action_without_an_end_the_time_until_its_last_sign_counts():
    runs = [
        Run(Thing.ACTION, "a", 10, None, last=20, about={"node": "n", "user": "ann"}),
        Run(Thing.ACTION, "b", -20, None, before=0, last=-5, about={"node": "n", "user": "bob"}),
        Run(Thing.ACTION, "c", -20, None, before=0, last=5, about={"node": "n", "user": "bob"}),
    ]  # fmt: skip
    assert by(runs) == {"ann": 10, "": 0}


def test_all_nodes_together_have_the_time_of_each():
    runs = [action(0, 10, "a", user="ann"), action(0, 30, "b", user="ann"), action(40, 41, "b")]
    every = all_attribution(node_attribution(lived(runs)))
    assert (every.busy, every.by("user")) == (41, {"ann": 40, "": 1})
