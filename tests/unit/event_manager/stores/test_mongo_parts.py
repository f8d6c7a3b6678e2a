"""Connections, errors, selectors and counts of the store on MongoDB, without a server."""

from __future__ import annotations

import re

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
from madsci.event_manager.stores.mongo.connection import connect, database_of, masked
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
        "url", ["mongodb://u:p@ss@host", "mongodb://", "mongodb:///?w=1", "mongodb://h:port"]
    )
    def test_a_wrong_url_is_a_wrong_setting_and_shows_no_password(self, url):
        with pytest.raises(SettingsError, match="db_url") as caught:
            connect(url)
        assert "p@ss" not in caught.value.message

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ("retrys=5", "option retrys of db_url .* knows no such option"),
            ("ssl_ca=x&tls=true", "option ssl_ca of db_url"),
            ("maxPoolSize=many", "option maxPoolSize .* must be an integer"),
            ("tls=perhaps", "option tls "),
            ("w=-1", "option w "),
            ("readPreference=nearby", "option readPreference .*(nearby|Must be one of: primary)"),
            ("authMechanism=X", "option authMechanism "),
            ("directConnection=true&loadBalanced=true", "An option of db_url .* loadBalanced=true"),
            ("zlibCompressionLevel=99", "option zlibCompressionLevel .* not 99"),
            ("tls=true&tlsCAFile=/none.pem", "tlsCAFile of db_url names .* '/none.pem'"),
            ("tls=true&tlsCAFile=FOLDER", "tlsCAFile of db_url names .* directory"),
            ("tls=true&tlsCAFile=TEXT", r"as tlsCAFile \(.*holds no certificate"),
            ("tls=true&tlsCRLFile=TEXT", r"as tlsCRLFile \(.*holds no certificate"),
            (
                "tls=true&tlsCertificateKeyFile=TEXT",
                r"as tlsCertificateKeyFile \(.*holds no certificate",
            ),
            ("tls=true&tlsCertificateKeyFile=/no&tlsCertificateKeyFilePassword=s3cret", "KeyFile of"),
            ("authMechanismProperties=SERVICE_NAME:s3cret,X&authMechanism=PLAIN", "option"),
        ],
    )
    def test_an_option_or_a_file_that_cannot_be_used_is_named(self, tmp_path, options, said):
        text = tmp_path / "text.pem"
        text.write_text("no certificate")
        options = options.replace("TEXT", str(text)).replace("FOLDER", str(tmp_path))
        with pytest.raises(SettingsError, match=said) as caught:
            connect(f"mongodb://ann:p%40ss@host/?{options}")
        for secret in ("p%40ss", "p@ss", "s3cret"):
            assert secret not in caught.value.message

    def test_what_the_driver_warns_of_is_logged_in_a_line(self, caplog):
        connect("mongodb://host/?compressors=lz4").close()
        (said,) = [record.getMessage() for record in caplog.records]
        assert re.fullmatch("db_url: Unsupported compressor(: lz4)?", said)

    def test_servers_that_the_dns_does_not_tell_may_be_told_later(self):
        with pytest.raises(StoreUnavailableError, match="DNS does not tell the servers of"):
            connect("mongodb+srv://ann:secret@no-such-host.invalid/?tls=true")

    @pytest.mark.parametrize(("name", "collection"), [("a.b", "c"), ("", "c"), ("a", "$c"), ("a", "")])
    def test_names_that_mongodb_does_not_take_are_wrong_settings(self, name, collection):
        with connect("mongodb://host") as client, pytest.raises(SettingsError, match="database_name"):
            database_of(client, name, collection)

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
            BulkWriteError({"writeErrors": [{"code": 11000}, {"code": 10107}]}),
            OperationFailure("not primary", 10107),
            OperationFailure("stopping", 11600),
            OperationFailure("out of cache", 365),
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

    @pytest.mark.parametrize(
        "error",
        [
            OperationFailure("not enough disk space", 14031),
            OperationFailure("[a.go:1 f] [b.go:2 g] database or disk is full (13)", 1),
            OperationFailure("28: No space left on device", 8),
            OperationFailure("disk I/O error (10)", 1),
            OperationFailure("5: Input/output error", 1),
            OperationFailure("attempt to write a readonly database (8)", 1),
            OperationFailure("you are over your space quota, using 513 MB of 512 MB", 8000),
            BulkWriteError({"writeErrors": [{"code": 14031, "errmsg": "disk"}]}),
            BulkWriteError({"writeErrors": [{"code": 1, "errmsg": "No space left on device"}]}),
        ],
    )
    def test_a_disk_of_the_server_that_is_full_or_broken_is_not_damage_of_the_store(self, error):
        caught = pytest.raises(StoreUnavailableError, match="here cannot write to its disk")
        with caught as told, translated("here"):
            raise error
        assert "[b.go" not in told.value.message

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ("h:1: [Errno 111] Connection refused, Timeout: 5s, Topology", "h:1: .* refused. Start it"),
            ("Got response id 1414012997 but expected 1", "what answers there is no MongoDB server"),
            ("No servers found yet, Timeout: 5s", "asks for TLS"),
            ("No replica set members available for replica set name 'r'", "set name 'r'"),
        ],
    )
    def test_why_no_server_answers_is_said_without_a_promise(self, words, said):
        with pytest.raises(StoreUnavailableError, match=said) as caught, translated("h/?tls=true"):
            raise ServerSelectionTimeoutError(words)
        assert "goes on" not in caught.value.message

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
