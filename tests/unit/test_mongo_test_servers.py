"""The MongoDB test server does what the tests rely on, and its absence is said."""

from __future__ import annotations

import subprocess
import sys
import sysconfig

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from support import mongo_servers
from support.server import wait_until

OWNER = """
import sys, time
from pathlib import Path
from support.mongo_servers import FerretDB
print(FerretDB(Path(sys.argv[1])).start().url, flush=True)
time.sleep(60)
"""


def answers(url: str) -> bool:
    try:
        mongo_servers.await_answer(url, 0.2)
    except PyMongoError:  # amid its end it is found, and then gone
        return False
    return True


def test_what_was_written_is_there_after_a_kill_and_a_new_start(mongo_server):
    url = mongo_server.url
    with MongoClient(url) as client:
        client.lab.plates.insert_one({"_id": "P7"})
    mongo_server.kill()
    assert not answers(url)
    mongo_server.start()
    assert mongo_server.url == url
    with MongoClient(url) as client:
        assert list(client.lab.plates.find()) == [{"_id": "P7"}]


def test_the_server_ends_with_the_tests_that_started_it(mongo_server, tmp_path):
    folder = tmp_path / "orphan"
    folder.mkdir()
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder)],
        cwd=mongo_servers.SOURCES.parents[1],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url = owner.stdout.readline().strip()
        assert answers(url)
    finally:
        owner.kill()
        owner.wait()
        owner.stdout.close()
    wait_until(lambda: not answers(url), "the end of the server")


def test_two_tests_get_different_databases(mongo_url, mongo_database, request):
    with MongoClient(mongo_url) as client:
        assert mongo_database not in client.list_database_names()
        client[mongo_database].events.insert_one({"_id": 1})
        assert mongo_database in client.list_database_names()


def test_without_a_compiler_it_is_said_how_to_get_a_server(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    with pytest.raises(mongo_servers.NoServerError, match=r"Install Go 1\.24 .* TEST_MONGODB_URL"):
        mongo_servers.ferretdb_program()


def test_what_cannot_be_built_is_said_with_the_words_of_the_compiler(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    broken = tmp_path / "go"
    broken.write_text("#!/bin/sh\necho 'go.mod requires go >= 1.24' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    with pytest.raises(mongo_servers.NoServerError, match=r"requires go >= 1\.24"):
        mongo_servers.ferretdb_program()
