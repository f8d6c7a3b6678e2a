"""Parsing selectors: a small tree for what is allowed, a named refusal for the rest."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from madsci.common.clock import now_us, parse_instant
from madsci.common.errors import InvalidSelectorError
from madsci.event_manager.model.pattern import MAX_PATTERN, Pattern
from madsci.event_manager.model.selector import (
    EVERYTHING,
    NOTHING,
    And,
    Compare,
    ElementMatches,
    ElementPasses,
    Equals,
    Exists,
    HasBits,
    HasSize,
    HasType,
    In,
    Matches,
    Modulo,
    Not,
    Or,
    Text,
)
from madsci.event_manager.model.selector_parser import MAX_DEPTH, MAX_TERMS, parse_selector
from madsci.event_manager.model.text_search import TextSearch

A = ("event_data", "a")
ONE = Equals(("event_data", "a"), 1)
NEW_YEAR = parse_instant("2026-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("selector", "tree"),
    [
        ({}, EVERYTHING),
        ({"$comment": "why"}, EVERYTHING),
        ({"event_data.a": 1}, ONE),
        ({"event_data.a": {"$eq": 1}}, ONE),
        ({"event_data.a": {"$ne": 1}}, Not(ONE)),
        ({"event_data.a": None}, Equals(A, None)),
        ({"event_data.a": [1, 2]}, Equals(A, [1, 2])),
        ({"event_data.a": {"x": 1}}, Equals(A, {"x": 1})),
        ({"event_data.a": {}}, Equals(A, {})),
        ({"event_data.a": {"$gt": 1}}, Compare(A, "$gt", 1)),
        ({"event_data.a": {"$lte": "x"}}, Compare(A, "$lte", "x")),
        ({"event_data.a": {"$gt": 1, "$lt": 3}}, And((Compare(A, "$gt", 1), Compare(A, "$lt", 3)))),
        ({"event_data.a": {"$in": [1, None]}}, In(A, (1, None))),
        ({"event_data.a": {"$in": []}}, In(A, ())),
        ({"event_data.a": {"$nin": [1]}}, Not(In(A, (1,)))),
        ({"event_data.a": {"$exists": True}}, Exists(A)),
        ({"event_data.a": {"$exists": 0}}, Not(Exists(A))),
        ({"event_data.a": {"$not": {"$gt": 1}}}, Not(Compare(A, "$gt", 1))),
        ({"$and": [{"event_data.a": 1}]}, And((ONE,))),
        ({"$or": [{"event_data.a": 1}, {}]}, Or((ONE, EVERYTHING))),
        ({"$nor": [{"event_data.a": 1}]}, Not(Or((ONE,)))),
        ({"event_data.a": 1, "alert": True}, And((ONE, Equals(("alert",), True)))),
        ({"event_data.a": {"$type": 2}}, HasType(A, frozenset({"string"}))),
        ({"event_data.a": {"$type": ["int", 18.0]}}, HasType(A, frozenset({"int", "long"}))),
        ({"event_data.a": {"$mod": [4.9, -1.9]}}, Modulo(A, 4, -1)),
        ({"event_data.a": {"$size": 2.0}}, HasSize(A, 2)),
        ({"event_data.a": {"$all": [1]}}, ONE),
        ({"event_data.a": {"$all": []}}, NOTHING),
        ({"event_data.a": {"$regex": "x", "$options": "i"}}, Matches(A, Pattern("x", "i"))),
        ({"event_data.a": {"$options": "i", "$regex": "x"}}, Matches(A, Pattern("x", "i"))),
        ({"event_data.a": {"$bitsAllSet": 5}}, HasBits(A, "$bitsAllSet", 5)),
        ({"event_data.a": {"$bitsAnyClear": [0, 2, 99]}}, HasBits(A, "$bitsAnyClear", 5 + 2**63)),
        ({"event_data.a": {"$elemMatch": {"$gt": 1}}}, ElementPasses(A, Compare((), "$gt", 1))),
        ({"event_data.a": {"$elemMatch": {"x": 1}}}, ElementMatches(A, Equals(("x",), 1))),
        ({"event_data.a": {"$elemMatch": {}}}, ElementMatches(A, EVERYTHING)),
        ({"$text": {"$search": "jam"}}, Text(TextSearch.parse("jam"))),
        ({"event_data..": 1}, Equals(("event_data", "", ""), 1)),
        ({"event_data.a": {"$regularExpression": {"pattern": "x"}}}, Matches(A, Pattern("x"))),
        (
            {"event_data.a": {"$not": {"$regularExpression": {"pattern": "x"}}}},
            Not(Matches(A, Pattern("x"))),
        ),
        (
            {"event_data.a": {"$all": [1, {"$regularExpression": {"pattern": "x", "options": "i"}}]}},
            And((ONE, Matches(A, Pattern("x", "i")))),
        ),
        (
            {"event_data.a": {"$in": [1, {"$regularExpression": {"pattern": "x"}}]}},
            Or((In(A, (1,)), Matches(A, Pattern("x")))),
        ),
        (
            {"event_data.a": {"$nin": [{"$regularExpression": {"pattern": "x"}}]}},
            Not(Or((In(A, ()), Matches(A, Pattern("x"))))),
        ),
        ({'event_data["http.method"]': 1}, Equals(("event_data", "http.method"), 1)),
        ({'event_data[""]["a\\"b"].c': 1}, Equals(("event_data", "", 'a"b', "c"), 1)),
        ({'["event_id"]': "x"}, Equals(("_id",), "x")),
        ({"event_data.a[0]": 1}, Equals(("event_data", "a[0]"), 1)),
    ],
)
def test_each_operator_has_its_tree(selector, tree):
    assert parse_selector(selector) == tree


def test_event_id_means_the_id():
    assert parse_selector({"event_id": "x"}) == Equals(("_id",), "x")
    assert parse_selector({"event_id": {"$in": ["x"]}}) == In(("_id",), ("x",))


def test_a_plain_object_for_source_means_its_members():
    assert parse_selector({"source": {"node_id": "n"}}) == Equals(("source", "node_id"), "n")
    both = parse_selector({"source": {"node_id": "n", "a.b": {"$gt": 1}}})
    assert both == And((Equals(("source", "node_id"), "n"), Compare(("source", "a", "b"), "$gt", 1)))
    assert parse_selector({"source": {"$eq": {"node_id": "n"}}}) == Equals(
        ("source",), {"node_id": "n"}
    )


@pytest.mark.parametrize("field", ["event_timestamp", "received_at", "archived_at"])
def test_times_are_read_in_any_usual_form(field):
    for value in ("2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", 1767225600, 1767225600000):
        assert parse_selector({field: {"$gte": value}}) == Compare((field,), "$gte", NEW_YEAR)
    assert parse_selector({field: {"$in": ["2026-01-01T00:00", None]}}, ZoneInfo("UTC")) == In(
        (field,), (NEW_YEAR, None)
    )
    assert parse_selector({field: None}) == Equals((field,), None)


def test_times_without_offset_are_in_the_zone_that_is_given():
    tree = parse_selector({"event_timestamp": "2026-01-01T09:00:00"}, ZoneInfo("Asia/Tokyo"))
    assert tree == Equals(("event_timestamp",), NEW_YEAR)


def test_levels_and_types_are_read_by_name():
    assert parse_selector({"log_level": {"$gte": "error"}}) == Compare(("log_level",), "$gte", 40)
    assert parse_selector({"event_type": "LOG_INFO"}) == Equals(("event_type",), "log_info")
    assert parse_selector({"event_type": {"$in": ["experiment_stop", None]}}) == In(
        ("event_type",), ("experiment_cancelled", None)
    )


def test_extended_json_is_read_as_what_it_stands_for():
    tree = parse_selector({"event_timestamp": {"$gte": {"$date": "2026-01-01T00:00:00Z"}}})
    assert tree == Compare(("event_timestamp",), "$gte", NEW_YEAR)
    milliseconds = {"$date": {"$numberLong": "1767225600000"}}
    assert parse_selector({"received_at": milliseconds}) == Equals(("received_at",), NEW_YEAR)
    assert parse_selector({"_id": {"$oid": "65a"}}) == Equals(("_id",), "65a")
    assert parse_selector({"event_data.a": {"$in": [{"$numberLong": "5"}]}}) == In(A, (5,))


def test_instants_are_texts_to_operators_that_do_not_compare():
    at = ("archived_at",)
    assert parse_selector({"archived_at": {"$type": "string"}}) == Or((Not(Equals(at, None)),))
    assert parse_selector({"archived_at": {"$type": "null"}}) == Or((Equals(at, None),))
    assert parse_selector({"archived_at": {"$type": "number"}}) == NOTHING
    assert parse_selector({"event_timestamp": {"$mod": [2, 0]}}) == NOTHING
    pattern = parse_selector({"event_timestamp": {"$regex": "^2026"}})
    assert pattern == Matches(("event_timestamp",), Pattern("^2026"), of_instant=True)


def test_values_of_other_fields_are_left_alone():
    assert parse_selector({"event_data.log_level": "error"}).value == "error"
    assert parse_selector({"event_data.event_timestamp": "2026"}).value == "2026"


@pytest.mark.parametrize(
    ("selector", "words"),
    [
        ([], "A selector is a JSON object"),
        (None, "A selector is a JSON object"),
        ("{}", "A selector is a JSON object"),
        ({"$where": "1"}, r"'\$where' .*it runs code in the server"),
        ({"$text": "x"}, r"\$text takes"),
        ({"$text": {"$search": 1}}, r"\$text takes"),
        ({"$text": {"$search": "x", "$score": 1}}, r"does not know '\$score'"),
        ({"$text": {"$search": "x", "$language": "german"}}, r"\$language 'german' is not served"),
        ({"$text": {"$search": "x", "$caseSensitive": 1}}, r"\$caseSensitive takes true or false"),
        ({"$and": [{"$text": {"$search": "x"}}] * 2}, r"\$text stands once"),
        (
            {"event_data": {"$elemMatch": {"$or": [{"$text": {"$search": "x"}}]}}},
            r"not inside \$elemMatch",
        ),
        ({"$expr": {}}, r"'\$expr'"),
        ({"$foo": 1}, r"'\$foo'"),
        ({"$and": []}, r"\$and takes a list of one or more"),
        ({"$or": {}}, r"\$or takes a list"),
        ({"$nor": [1]}, r"\$nor takes a list of selectors; 1"),
        ({"$and": [[]]}, r"\$and takes a list of selectors"),
    ],
)
def test_a_refusal_at_the_top_names_the_operator(selector, words):
    with pytest.raises(InvalidSelectorError, match=words) as caught:
        parse_selector(selector)
    assert caught.value.errors[0]["msg"] == caught.value.message


@pytest.mark.parametrize(
    ("operand", "operator"),
    [
        ({"$regex": "("}, "$regex"),
        ({"$regex": 5}, "$regex"),
        ({"$eq": {"$regularExpression": {"pattern": "x"}}}, "$eq"),
        ({"$gt": {"$regularExpression": {"pattern": "x"}}}, "$gt"),
        ({"$ne": {"$regularExpression": {"pattern": "x"}}}, "$eq"),
        ({"$in": [{"$regularExpression": {"pattern": "("}}]}, "$regex"),
        ({"$in": [{"$regularExpression": "x"}]}, "$regularExpression"),
        ({"$in": [{"$regularExpression": {"pattern": "x", "flags": "i"}}]}, "$regularExpression"),
        ({"$in": [{"$regex": "x"}]}, "$in"),
        ({"$regex": "a" * (MAX_PATTERN + 1)}, "$regex"),
        ({"$regex": "x", "$options": "q"}, "$regex"),
        ({"$regex": "x", "$options": 1}, "$options"),
        ({"$options": "i"}, "$options"),
        ({"$size": -1}, "$size"),
        ({"$size": 1.5}, "$size"),
        ({"$size": "1"}, "$size"),
        ({"$size": True}, "$size"),
        ({"$type": "text"}, "$type"),
        ({"$type": 20}, "$type"),
        ({"$type": True}, "$type"),
        ({"$type": []}, "$type"),
        ({"$type": {}}, "$type"),
        ({"$mod": [4]}, "$mod"),
        ({"$mod": [4, 1, 0]}, "$mod"),
        ({"$mod": [0, 1]}, "$mod"),
        ({"$mod": [0.5, 1]}, "$mod"),
        ({"$mod": ["4", 1]}, "$mod"),
        ({"$mod": [True, 1]}, "$mod"),
        ({"$mod": [1e300, 1]}, "$mod"),
        ({"$mod": 4}, "$mod"),
        ({"$all": 1}, "$all"),
        ({"$all": [{"$gt": 1}]}, "$all"),
        ({"$all": [{"$elemMatch": {"$gt": 1}, "x": 1}]}, "$all"),
        ({"$elemMatch": 1}, "$elemMatch"),
        ({"$elemMatch": {"$gt": 1, "x": 1}}, "$elemMatch"),
        ({"$elemMatch": {"$foo": 1}}, "$foo"),
        ({"$elemMatch": {"x": {"$foo": 1}}}, "event_data.a.b.x"),
        ({"$bitsAllSet": -1}, "$bitsAllSet"),
        ({"$bitsAllSet": 1.5}, "$bitsAllSet"),
        ({"$bitsAllSet": [-1]}, "$bitsAllSet"),
        ({"$bitsAllSet": ["a"]}, "$bitsAllSet"),
        ({"$bitsAllSet": [1] * 2_000}, "$bitsAllSet"),
        ({"$bitsSet": 1}, "$bitsSet"),
        ({"$text": {"$search": "x"}}, "$text"),
        ({"$comment": "x"}, "$comment"),
        ({"$near": [1, 2]}, "$near"),
        ({"$eq": {"$oid": 5}}, "$oid"),
        ({"$where": "1"}, "$where"),
        ({"$function": {}}, "$function"),
        ({"$and": [{}]}, "$and"),
        ({"$": 1}, "'$'"),
        ({"$in": 1}, "$in"),
        ({"$in": {"a": 1}}, "$in"),
        ({"$nin": "abc"}, "$nin"),
        ({"$in": [{"$gt": 1}]}, "$in"),
        ({"$nin": [{"a": 1, "$gt": 1}]}, "$nin"),
        ({"$not": 5}, "$not"),
        ({"$not": {}}, "$not"),
        ({"$not": {"a": 1}}, "$not"),
        ({"$not": {"$not": {"$foo": 1}}}, "$foo"),
        ({"$gt": 1, "a": 2}, "mixes"),
    ],
)
def test_a_refusal_names_the_operator_and_the_path(operand, operator):
    with pytest.raises(InvalidSelectorError) as caught:
        parse_selector({"$or": [{"event_data.a.b": operand}]})
    assert operator in caught.value.message
    assert "event_data.a.b" in caught.value.message
    assert caught.value.errors[0]["loc"][0].startswith("event_data.a.b")


@pytest.mark.parametrize("value", ["soon", True, {"a": 1}, [1], 10**30])
def test_a_time_that_cannot_be_read_is_refused_at_its_path(value):
    with pytest.raises(InvalidSelectorError, match="event_timestamp") as caught:
        parse_selector({"event_timestamp": {"$gte": value}})
    assert caught.value.errors[0]["loc"] == ["event_timestamp"]


def nested(wrap, depth):
    selector = {"event_data.a": 1}
    for _ in range(depth):
        selector = wrap(selector)
    return selector


@pytest.mark.parametrize("operator", ["$and", "$or", "$nor"])
def test_nesting_is_bounded(operator):
    parse_selector(nested(lambda inner: {operator: [inner]}, MAX_DEPTH))
    with pytest.raises(InvalidSelectorError, match=f"more than {MAX_DEPTH} levels"):
        parse_selector(nested(lambda inner: {operator: [inner]}, MAX_DEPTH + 1))


def test_nesting_of_not_is_bounded():
    def negated(depth):
        operand = {"$gt": 1}
        for _ in range(depth):
            operand = {"$not": operand}
        return {"event_data.a": operand}

    parse_selector(negated(MAX_DEPTH))
    with pytest.raises(InvalidSelectorError, match=r"event_data\.a is nested more than"):
        parse_selector(negated(MAX_DEPTH + 1))


@pytest.mark.parametrize(
    "selector_of",
    [
        lambda count: {"event_data.a": {"$in": list(range(count))}},
        lambda count: {"$or": [{"event_data.a": one} for one in range(count)]},
        lambda count: {f"event_data.a{one}": {"$exists": True} for one in range(count)},
        lambda count: {"$and": [{"log_level": {"$in": [1] * (count // 2)}}] * 2},
    ],
)
def test_comparisons_are_bounded_each_listed_value_counting(selector_of):
    parse_selector(selector_of(MAX_TERMS))
    with pytest.raises(InvalidSelectorError, match=f"more than {MAX_TERMS} comparisons"):
        parse_selector(selector_of(MAX_TERMS + 2))


@pytest.mark.parametrize(
    "path",
    ["event_data" + ".a" * 100_000, "a." * 2_000, "source" + ".b" * 2_000],
    ids=["event_data", "unknown", "source"],
)
def test_a_path_deeper_than_any_event_is_refused(path):
    """Nothing can lie there, and every engine would pay for looking."""
    with pytest.raises(InvalidSelectorError):
        parse_selector({path: 1})


@pytest.mark.parametrize(
    "path",
    ['event_data["a', 'event_data["a"', 'event_data["a"]b', '["a"]["\\ud800"]', 'a..["b"]', 'a["\\q"]'],
)
def test_a_name_in_brackets_that_cannot_be_read_is_refused_and_how_to_write_it_is_said(path):
    with pytest.raises(InvalidSelectorError, match="as the columns of exports are named"):
        parse_selector({path: 1})


@pytest.mark.parametrize(
    ("selector", "says"),
    [
        ({"log_level": "EROR"}, "log_level: 'EROR' is no level. Did you mean ERROR?"),
        ({"log_level": {"$nin": ["debgu"]}}, "Did you mean DEBUG?"),
        ({"log_level": {"$gte": "loud"}}, "Levels are NOTSET, DEBUG, INFO"),
        ({"log_level": {"$not": {"$eq": "EROR"}}}, "Did you mean ERROR?"),
        ({"event_type": "node_eror"}, "'node_eror' is no type of events. Did you mean node_error?"),
        ({"event_type": {"$ne": "workflow_strat"}}, "Did you mean workflow_start?"),
        ({"event_type": {"$in": ["node_error", "plate"]}}, "The types are listed at /docs."),
        ({"event_type": {"$regex": "^worklfow"}}, "the pattern '^worklfow' finds no type"),
        ({"event_type": {"$not": {"$regularExpression": {"pattern": "^nod_"}}}}, "finds no type"),
        ({"log_level": {"$regex": "ERR"}}, 'Compare it: {"$gte": "ERROR"}'),
        ({"alert": "true"}, "alert: it is true or false, not 'true'"),
        ({"archived": {"$ne": 1}}, "archived: it is true or false, not 1"),
        ({"plate": "P7"}, "no event has a member 'plate'. Did you mean event_data.plate?"),
        ({"$or": [{"soruce.node_id": 1}]}, "Did you mean source.node_id?"),
        ({"node_id": {"$exists": True}}, "Did you mean source.node_id?"),
        ({"timestamp": {"$gte": "-1h"}}, "Did you mean event_timestamp?"),
        ({'["a.b"]': 1}, 'Did you mean event_data["a.b"]?'),
        ({"": 1}, "a path begins with the name of a member"),
        ({"event_data.n": {"$gtee": 1}}, "Did you mean $gte?"),
        ({"event_data.n": {"$elemmatch": {}}}, "Did you mean $elemMatch?"),
        ({"$adn": []}, "Did you mean $and?"),
        ({"log_level": {"gte": 30}}, "log_level is no object, and has no members. Did you mean $gte?"),
    ],
)
def test_a_word_that_no_event_can_have_is_refused_with_the_nearest_right_one(selector, says):
    """It would find nothing, and its negation everything, which both look like answers."""
    with pytest.raises(InvalidSelectorError) as caught:
        parse_selector(selector)
    assert says in caught.value.message


@pytest.mark.parametrize(
    "selector",
    [
        {"log_level": 35}, {"log_level": None}, {"log_level": {"$exists": False}}, {"alert": None},
        {"event_type": {"$exists": True}}, {"event_type": {"$regex": "_start$"}}, {"extra.plate": 1},
        {"event_type": None}, {"event_data.event_type": "mine"}, {"event_data.gte": {"gte": 1}},
        {"event_data": {"$elemMatch": {"plate": 1, "log_level": "loud"}}}, {"source.room": {"gte": 1}},
    ],
)  # fmt: skip
def test_what_an_event_may_have_is_asked_whatever_it_is(selector):
    parse_selector(selector)


TOKYO = ZoneInfo("Asia/Tokyo")
AT = ("event_timestamp",)
FIRST_OF_DAY = parse_instant("2025-12-31T15:00:00Z")
LAST_OF_DAY = parse_instant("2026-01-01T15:00:00Z") - 1
DAY = And((Compare(AT, "$gte", FIRST_OF_DAY), Compare(AT, "$lte", LAST_OF_DAY)))


@pytest.mark.parametrize(
    ("condition", "tree"),
    [
        ({"$gte": "2026-01-01"}, Compare(AT, "$gte", FIRST_OF_DAY)),
        ({"$lt": "2026-01-01"}, Compare(AT, "$lt", FIRST_OF_DAY)),
        ({"$lte": "2026-01-01"}, Compare(AT, "$lte", LAST_OF_DAY)),
        ({"$gt": "2026-01-01"}, Compare(AT, "$gt", LAST_OF_DAY)),
        ("2026-01-01", DAY),
        ({"$ne": "2026-01-01"}, Not(DAY)),
        ({"$in": [None, "2026-01-01"]}, Or((In(AT, (None,)), DAY))),
    ],
)
def test_a_day_of_the_labs_zone_is_meant_as_a_whole(condition, tree):
    assert parse_selector({"event_timestamp": condition}, TOKYO) == tree


def test_relative_times_of_one_selector_are_relative_to_one_moment():
    earlier = now_us()
    tree = parse_selector({"received_at": {"$gte": "-1h", "$lt": "now"}, "archived_at": {"$gt": "-1h"}})
    (start, end), last = tree.parts[0].parts, tree.parts[1]
    assert end.value - start.value == end.value - last.value == 3_600_000_000
    assert earlier <= end.value <= now_us()


def test_a_selector_that_is_kept_has_no_relative_times():
    for word in ("-30d", "today", "now"):
        with pytest.raises(InvalidSelectorError, match="would be read once, and never move"):
            parse_selector({"event_timestamp": {"$gte": word}}, is_kept=True)
    parse_selector({"event_timestamp": {"$gte": "2026-01-01"}}, is_kept=True)
