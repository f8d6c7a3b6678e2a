"""Connections, errors, selectors and counts of the store on MongoDB, without a server."""

from __future__ import annotations

import pytest
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    ExecutionTimeout,
    InvalidOperation,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WTimeoutError,
)

from madsci.common.errors import (
    QueryTimeoutError,
    SettingsError,
    StoreError,
    StoreUnavailableError,
)
from madsci.event_manager.model.selector import And
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.sorting import NEWEST_FIRST, general_place, parse_sort
from madsci.event_manager.model.tally import GROUPINGS, Buckets, Count, Tally
from madsci.event_manager.stores.mongo.connection import connect, masked
from madsci.event_manager.stores.mongo.counting import counts, pipeline
from madsci.event_manager.stores.mongo.faults import translated
from madsci.event_manager.stores.mongo.finding import behind
from madsci.event_manager.stores.mongo.selecting import split


class TestConnections:
    def test_what_the_url_says_goes_before_our_defaults(self):
        with connect("mongodb://host/?serverSelectionTimeoutMS=77&appName=mine") as client:
            options = client.options
            assert options.server_selection_timeout == 0.077
            assert options.pool_options.appname == "mine"
            assert options.pool_options.connect_timeout == 5.0

    @pytest.mark.parametrize(
        "url", ["mongodb://u:p@ss@host", "mongodb://", "mongodb://host/?w=-1", "mongodb://h:port"]
    )
    def test_a_wrong_url_is_a_wrong_setting_and_shows_no_password(self, url):
        with pytest.raises(SettingsError, match="db_url") as caught:
            connect(url)
        assert "p@ss" not in caught.value.message

    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("mongodb://localhost:27017", "mongodb://localhost:27017"),
            ("mongodb://user:pa%40ss@one,two/db?tls=true", "mongodb://***@one,two/db?tls=true"),
            ("mongodb://user:p@ss@host", "mongodb://***@host"),
            ("mongodb+srv://user@host/", "mongodb+srv://***@host/"),
        ],
    )
    def test_users_and_passwords_are_not_shown(self, url, shown):
        assert masked(url).replace("***REDACTED***@", "***@") == shown


class TestErrors:
    @pytest.mark.parametrize(
        "error",
        [
            AutoReconnect("gone"),
            ServerSelectionTimeoutError("nobody"),
            WTimeoutError("slow"),
            OperationFailure("stepped down", 189),
            OperationFailure("disk", 14031),
            OperationFailure("who are you", 18),
            OperationFailure("any", 1, {"errorLabels": ["RetryableWriteError"]}),
            BulkWriteError({"writeConcernErrors": [{"code": 64}], "writeErrors": []}),
        ],
    )
    def test_what_may_go_well_later_is_unavailable(self, error):
        with pytest.raises(StoreUnavailableError, match="here"), translated("here"):
            raise error

    @pytest.mark.parametrize(
        "error",
        [
            OperationFailure("bad value", 2),
            BulkWriteError({"writeConcernErrors": [], "writeErrors": [{"code": 2}]}),
            ConfigurationError("no"),
            PyMongoError("odd"),
        ],
    )
    def test_what_cannot_go_well_is_final(self, error):
        with pytest.raises(StoreError, match="here") as caught, translated("here"):
            raise error
        assert type(caught.value) is StoreError

    def test_a_question_that_takes_too_long_is_a_timeout(self):
        with pytest.raises(QueryTimeoutError), translated("here"):
            raise ExecutionTimeout("50", 50)

    def test_a_client_that_was_closed_is_a_closed_store(self):
        with pytest.raises(StoreError, match="closed"), translated("here"):
            raise InvalidOperation("closed")


class TestWhatTheServerIsAsked:
    @pytest.mark.parametrize(
        "selector",
        [
            {"_id": {"$in": ["a", "b"]}},
            {"event_type": "log", "log_level": {"$gte": 20}},
            {"event_timestamp": {"$gt": "2026-01-01T00:00:00Z"}},
            {"source.node_id": "n"},
            {"$or": [{"archived": False}, {"archived_at": {"$lt": "2026-01-01T00:00:00Z"}}]},
        ],
    )
    def test_every_server_is_asked_about_members_of_one_form(self, selector):
        assert split(parse_selector(selector), all_of_it=False)[1] is None

    @pytest.mark.parametrize(
        "selector",
        [
            {"event_data.a": 1},
            {"event_type": {"$regex": "log"}},
            {"source.node_id": None},
            {"source": {}},
            {"event_type": {"$ne": "log"}},
            {"$or": [{"_id": "a"}, {"event_data.a": 1}]},
            {"$text": {"$search": "x"}},
            {"archived_at": None},
        ],
    )
    def test_other_servers_are_not_asked_what_they_answer_differently(self, selector):
        tree = parse_selector({"$and": [selector, {"log_level": 20}]})
        condition, left = split(tree, all_of_it=False)
        assert condition == {"log_level": {"$eq": 20}}
        assert left == And((parse_selector(selector),))

    @pytest.mark.parametrize(
        "selector",
        [
            {"event_data.a": {"$elemMatch": {"b": 1}}},
            {"event_data.a": {"$regex": "x"}},
            {"$text": {"$search": "x"}},
            {"$nor": [{"source": {}}]},
        ],
    )
    def test_mongodb_is_asked_everything_that_documents_show(self, selector):
        assert split(parse_selector(selector), all_of_it=True)[1] is None

    @pytest.mark.parametrize(
        "selector",
        [
            {"event_data.a": 2**70},
            {"event_data.a": {"$in": [1, [2**70]]}},
            {"event_data.a": {"b\0": 1}},
            {"event_data.a": {"$type": "decimal"}},
            {"event_data.$x": 1},
            {"event_data.a..b": 1},
            {"$nor": [{"$text": {"$search": "x"}}]},
        ],
    )
    def test_mongodb_is_not_asked_what_documents_hold_in_another_form(self, selector):
        tree = parse_selector(selector)
        assert split(tree, all_of_it=True) == ({}, And((tree,)))

    def test_mongodb_takes_one_text_search(self):
        searches = (parse_selector({"$text": {"$search": word}}) for word in "xy")
        tree = And(tuple(searches))
        condition, left = split(tree, all_of_it=True)
        assert condition["$text"]["$search"] == "x"
        assert left is not None

    def test_a_page_begins_behind_a_place(self):
        at = "1970-01-01T00:00:00.000005Z"
        assert behind((5, "b"), NEWEST_FIRST) == {
            "$or": [{"event_timestamp": {"$lt": at}}, {"event_timestamp": at, "_id": {"$lt": "b"}}]
        }
        assert behind((1, "b"), parse_sort(["alert"])) == {
            "$or": [{"alert": {"$gt": True}}, {"alert": True, "_id": {"$gt": "b"}}]
        }

    def test_a_page_begins_behind_a_place_that_may_be_null(self):
        rising, falling = parse_sort(["archived_at"]), parse_sort(["-archived_at"])
        null, time = general_place(None), general_place(5)
        at = "1970-01-01T00:00:00.000005Z"
        assert behind((*null, "b"), rising) == {
            "$or": [{"archived_at": {"$ne": None}}, {"archived_at": None, "_id": {"$gt": "b"}}]
        }
        assert behind((*time, "b"), rising) == {
            "$or": [{"archived_at": {"$gt": at}}, {"archived_at": at, "_id": {"$gt": "b"}}]
        }
        assert behind((*time, "b"), falling) == {
            "$or": [
                {"archived_at": {"$lt": at}},
                {"archived_at": None},
                {"archived_at": at, "_id": {"$lt": "b"}},
            ]
        }
        assert behind((*null, "b"), falling) == {"archived_at": None, "_id": {"$lt": "b"}}
        text = general_place("x")
        assert behind((*text, "b"), parse_sort(["trace_id"])) == {
            "$or": [{"trace_id": {"$gt": "x"}}, {"trace_id": "x", "_id": {"$gt": "b"}}]
        }


class TestCounting:
    def test_values_and_buckets_are_counted_by_the_server(self):
        stages = pipeline({"a": 1}, Tally(grouping=GROUPINGS["type"], buckets=Buckets(0, 10, 5)))
        match, group, limit = stages
        assert match["$match"]["$and"][0] == {"a": 1}
        assert match["$match"]["$and"][1]["event_timestamp"] == {
            "$gte": "1970-01-01T00:00:00.000000Z", "$lte": "1970-01-01T00:00:00.000014Z",
        }  # fmt: skip
        assert group["$group"]["_id"]["value"] == {"$ifNull": ["$event_type", None]}
        assert limit == {"$limit": 100_001}
        assert pipeline({}, Tally())[1]["$group"]["_id"] == {"value": None, "bucket": None}

    def test_the_groups_of_the_answer_are_counts(self):
        level = Tally(grouping=GROUPINGS["level"])
        answer = [
            {"_id": {"value": 20, "bucket": None}, "count": 3},
            {"_id": {"value": 40, "bucket": None}, "count": 5},
        ]
        assert counts(answer, level) == [Count(5, 40), Count(3, 20)]
        user = Tally(grouping=GROUPINGS["user"])
        answer = [
            {"_id": {"value": {"a": 1}}, "count": 1},
            {"_id": {"value": None}, "count": 9},
            {"_id": {"value": "ann"}, "count": 2},
        ]
        assert counts(answer, user) == [Count(2, "ann"), Count(1, '{"a":1}'), Count(9)]

    def test_buckets_are_told_by_their_beginning(self):
        tally = Tally(buckets=Buckets(0, 10, 5))
        assert counts([{"_id": {"bucket": 5.0}, "count": 2}], tally) == [Count(2, None, 5)]
