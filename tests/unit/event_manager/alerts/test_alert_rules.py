"""A rule is checked when it is given, with a sentence that helps; and meets the events it is about."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madsci.common.errors import InvalidInputError
from madsci.common.types.alert_rules import AlertRule
from madsci.event_manager.alerts.defaults import default_rules
from madsci.event_manager.alerts.rule import compiled, read_rule
from madsci.event_manager.alerts.rulebook import Rulebook, SeenEvent
from madsci.event_manager.alerts.shelf import Shelf, to_keep
from madsci.event_manager.model.matcher import matches
from madsci.event_manager.model.stored_event import encode_json
from madsci.event_manager.stores.memory import MemoryStore
from madsci.event_manager.testing.samples import event

RULE = {"name": "r", "selector": {"log_level": 40}}
STUCK = {**RULE, "kind": "stuck", "ended_by": {}, "same": "action"}


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ([], "A rule is a JSON object such as"),
        ({"name": "r"}, "selector: Field required"),
        ({**RULE, "name": "Two words"}, "name: "),
        ({**RULE, "selektor": {}}, "selektor: a rule has no such member. Did you mean selector"),
        ({**RULE, "kind": "rat"}, "one of match, rate, absence, unfinished, stuck. Did you mean rate"),
        ({**RULE, "kind": "rate"}, "a rule of the kind rate needs more_than"),
        ({**RULE, "kind": "absence"}, "a rule of the kind absence needs within"),
        ({**RULE, "within": "10m"}, "within is for rules of the kind absence or rate or unfinished"),
        ({**RULE, "kind": "absence", "within": "ten"}, "within: it should be a time such as 90s"),
        ({**RULE, "kind": "absence", "within": "2y"}, "within: it should be a time such as 90s"),
        ({**RULE, "kind": "absence", "within": "999d"}, "at most a year"),
        ({**RULE, "kind": "absence", "within": -1}, "greater than 0"),
        ({**RULE, "severity": "eror"}, "perhaps ERROR"),
        ({**RULE, "selector": {"log_levl": 40}}, "selector of the rule 'r' cannot be used: "),
        ({**RULE, "selector": {"event_timestamp": {"$gte": "-1h"}}}, "cannot be used: "),
        ({**STUCK, "ended_by": {"event_tpe": "x"}}, "ended_by of the rule 'r' cannot be used: "),
        ({**RULE, "group_by": "nod"}, "group_by of the rule 'r' cannot be used: 'nod' is nothing"),
        ({**RULE, "group_by": ["plate"]}, "Did you mean event_data.plate"),
        ({**RULE, "group_by": ["event_data..x"]}, "is nothing that events have in common"),
        ({**STUCK, "alike": "nodes"}, "alike of the rule 'r' cannot be used: 'nodes' is nothing"),
        ({**STUCK, "times": 1}, "times: it should be greater than 1"),
        ({**RULE, "more_than": 5}, "more_than is for rules of the kind rate"),
    ],
)
def test_what_is_wrong_with_a_rule_is_said(document, sentence):
    with pytest.raises(InvalidInputError) as caught:
        read_rule(document)
    assert sentence in caught.value.message


def test_two_rules_of_one_name_in_the_settings_are_refused():
    with pytest.raises(InvalidInputError, match="Two rules of alerts are called 'r'"):
        Shelf([], [AlertRule(**RULE), AlertRule(**RULE)])


def test_rules_that_this_server_was_given_are_in_force_at_once_and_those_of_others_soon():
    store, now = MemoryStore(), [0.0]
    shelf = Shelf([], [], elapsed=lambda: now[0])
    assert list(shelf.rulebook(store).rules) == []
    store.apply(to_keep(read_rule(RULE), "1"))
    assert list(shelf.rulebook(store).rules) == []
    now[0] = 1.0
    assert list(shelf.rulebook(store).rules) == ["r"]
    store.apply(to_keep(read_rule({**RULE, "name": "s"}), "2"))
    shelf.changed()
    assert list(shelf.rulebook(store).rules) == ["r", "s"]


LEAVES = st.sampled_from([
    {"log_level": {"$gte": 30}}, {"log_level": {"$gt": 30}}, {"log_level": 40}, {"alert": True},
    {"event_type": "log"}, {"event_type": {"$in": ["log", "node_error"]}}, {"source.node_id": "n1"},
    {"event_data.tags": "a"}, {"event_data.tags": {"$in": ["a", 1]}}, {"event_data.n": 1},
    {"event_data.n": 1.0}, {"event_data.n": True}, {"event_data.n": None}, {"event_data.n": {"$ne": 1}},
    {"event_data.message": {"$regex": "stuck"}}, {"event_data.n": {"$exists": False}},
    {"trace_id": "t"}, {"source": {"node_id": "n1"}}, {"event_data": "text"}, {"extra.x": 1},
])  # fmt: skip
SELECTORS = st.recursive(
    LEAVES,
    lambda part: st.one_of(
        st.fixed_dictionaries({"$and": st.lists(part, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"$or": st.lists(part, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"$nor": st.lists(part, min_size=1, max_size=2)}),
    ),
    max_leaves=6,
)
VALUES = st.sampled_from([1, 1.0, True, None, "a", ["a", "b"], [1], {"x": 1}, "stuck"])
EVENTS = st.builds(
    lambda level, alert, kind, node, data, trace: event(
        "e", log_level=level, alert=alert, event_type=kind, source={"node_id": node} if node else {},
        event_data=encode_json(data), trace_id=trace,
    ),
    st.sampled_from([10, 30, 31, 40]), st.booleans(), st.sampled_from(["log", "node_error", "test"]),
    st.sampled_from([None, "n1", "n2"]),
    st.one_of(
        st.just("text"), st.dictionaries(st.sampled_from(["tags", "n", "message"]), VALUES, max_size=3)
    ),
    st.sampled_from([None, "t"]),
)  # fmt: skip


@given(st.lists(SELECTORS, min_size=1, max_size=8), EVENTS)
def test_an_event_meets_the_rules_that_it_matches_and_no_other_has_its_rest(selectors, seen):
    rules = [
        compiled(AlertRule(name=f"r{number}", selector=one)) for number, one in enumerate(selectors)
    ]
    document = seen.document()
    met = Rulebook(rules).candidates(SeenEvent(seen))
    assert len(met) == len(set(met))
    found = {one.rule.name for one in met if matches(one.rest, document)}
    assert found == {rule.name for rule in rules if matches(rule.selector, document)}


def test_of_a_thousand_rules_about_nodes_an_event_meets_few():
    rules = [
        compiled(
            AlertRule(
                name=f"r{number}",
                selector={"source.node_id": f"n{number}", "event_type": "log", "log_level": 20},
            )
        )
        for number in range(1_000)
    ]
    met = Rulebook(rules).candidates(SeenEvent(event("e", source={"node_id": "n7"})))
    assert [one.rule.name for one in met] == ["r7"]


def test_what_happens_all_day_meets_none_of_the_default_rules_and_is_not_decoded():
    rulebook = Rulebook(compiled(one) for one in default_rules(40))
    seen = SeenEvent(event("e", event_type="log_info", event_data='{"message":"moved"}'))
    assert rulebook.candidates(seen) == []
