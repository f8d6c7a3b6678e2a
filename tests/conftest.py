from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import settings

from support import mongo_servers

# How long an example takes is the machine's affair. What decides whether a change lands has the same
# examples for the same tree; elsewhere each run has new ones.
settings.register_profile("tests", deadline=None, derandomize=bool(os.environ.get("CI")))
# With --hypothesis-profile=thorough: some hours.
settings.register_profile("thorough", deadline=None, max_examples=2000)
settings.load_profile("tests")

# Else each of the thousands of processes that tests start would compile anew what it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

OWN = ("EVENT_", "MADSCI_", "MONGO_DB_URL", "DB_URL")
"""Beginnings of the variables by which whoever runs the tests has set up a server or clients."""


@pytest.fixture(scope="session", autouse=True)
def own_lab(tmp_path_factory):
    """Tests know no server, settings or files of whoever runs them, nor his home."""
    lab = tmp_path_factory.getbasetemp()
    # Searches for a lab go upwards from where a test works, and end here.
    (lab / ".madsci").mkdir(exist_ok=True)
    before = {name: value for name, value in os.environ.items() if name.startswith(OWN)}
    for name in before:
        del os.environ[name]
    os.environ["EVENT_CLIENT_SPOOL_DIR"] = str(tmp_path_factory.mktemp("spool"))
    directory = Path.cwd()
    os.chdir(lab)
    yield
    os.chdir(directory)
    del os.environ["EVENT_CLIENT_SPOOL_DIR"]
    os.environ.update(before)


@pytest.fixture(autouse=True)
def threads_of_others():
    """The threads that are there before a test: those of tests before it may still have work.

    The threads themselves, since the number of one that has ended is soon that of another one.
    """
    return set(threading.enumerate()) - {threading.current_thread()}


@pytest.fixture
def caplog(threads_of_others, caplog):
    """What is logged, but for the words of threads that other tests left behind.

    A client that was dropped goes on looking for a server that is gone, and says so.
    """

    def is_ours(_record):
        return threading.current_thread() not in threads_of_others

    caplog.handler.addFilter(is_ours)
    yield caplog
    caplog.handler.removeFilter(is_ours)


def pytest_addoption(parser):
    for name, number, what in (
        ("--examples", 60, "of each operation, in the drill of OpenAPI"),
        ("--kills", 8, "of each drill of those who follow; 100 take half an hour"),
        ("--servers", 3, "on one database, in the drill of those who follow"),
        ("--stored", 50_000, "events of the file whose upgrade is killed"),
    ):
        parser.addoption(name, type=int, default=number, help=what)


HANGS = 900
"""Seconds after which a slow drill hangs, unless it says more: machines differ, and two run at once."""


def pytest_collection_modifyitems(items):
    for item in items:
        said = item.get_closest_marker("timeout")
        if item.get_closest_marker("slow") and (said is None or said.args[0] < HANGS):
            how = {} if said is None else said.kwargs
            item.add_marker(pytest.mark.timeout(HANGS, **how), append=False)


def pytest_collection_finish(session):
    """Build the MongoDB test server before the clock of a test runs: the first build takes long.

    What is in memory by then stays until the end: no collection of garbage is to go through it.
    """
    gc.freeze()
    wanted = any("mongo" in item.nodeid or "mongo_url" in item.fixturenames for item in session.items)
    if wanted and not session.config.option.collectonly and not os.environ.get("TEST_MONGODB_URL"):
        with contextlib.suppress(mongo_servers.NoServerError):  # said by each test that needs it
            mongo_servers.ferretdb_program()


def without_mongodb(reason: str):
    """Skip the test; fail it where everything has to be tested."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def mongo_url(tmp_path_factory):
    """The URL of a MongoDB server: that of TEST_MONGODB_URL, else of a test server of this session."""
    if given := os.environ.get("TEST_MONGODB_URL"):
        mongo_servers.await_answer(given)
        yield given
        return
    try:
        server = mongo_servers.FerretDB(tmp_path_factory.mktemp("ferretdb")).start()
    except mongo_servers.NoServerError as error:
        without_mongodb(str(error))
    yield server.url
    server.stop()


@pytest.fixture
def mongo_server(tmp_path):
    """A MongoDB test server of the test's own, to be killed and started again."""
    directory = tmp_path / "ferretdb"
    directory.mkdir()
    try:
        server = mongo_servers.FerretDB(directory).start()
    except mongo_servers.NoServerError as error:
        without_mongodb(str(error))
    yield server
    server.stop()


@pytest.fixture
def mongo_database(mongo_url):
    """A name that no database on the server has; what gets it is dropped after the test."""
    with mongo_servers.new_database(mongo_url) as name:
        yield name
