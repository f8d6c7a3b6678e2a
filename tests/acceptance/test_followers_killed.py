"""`kill -9` of servers and databases under load: followers conclude from each entry once.

`--kills` says how often, `--servers` how many share a database; `--kills 100` is the whole drill.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import apsw
import pytest

from madsci.event_manager.model.tables import FOLLOWERS, position_of
from madsci.event_manager.stores.mongo import tables, turns
from madsci.event_manager.stores.mongo.connection import Database, connect
from madsci.event_manager.stores.mongo.lanes import LANES, RAISED_NUMBER, head_of, states
from madsci.event_manager.stores.mongo.presence import SERVERS
from madsci.event_manager.stores.sqlite.store import SqliteStore
from support.following_server import NAMES, read_lines
from support.load import Load
from support.mongo_servers import FerretDB
from support.server import ServerProcess, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7_200)]

CATCHING_UP = 900.0
"""Seconds until a slow database has shown the followers all that killed servers wrote, at most."""
SLOWER = 4
"""A quarter of the kills where a database is killed, too: its recoveries take half a minute each."""
ROUND = 9
"""Kills of one database; then comes another. The MongoDB server of the tests goes through all events
for each lane, and each server that was killed has left one, so that it is ever slower."""
PROGRAM = Path(__file__).parent.parent / "support" / "following_server.py"


@pytest.fixture
def kills(request):
    return request.config.getoption("kills")


def following_server(folder: Path, **environment: str) -> ServerProcess:
    """A server with three followers."""
    folder.mkdir()
    tests = str(PROGRAM.parent.parent)
    server = ServerProcess(folder, **environment)
    server.program = [str(PROGRAM)]
    known = server.environment.get("PYTHONPATH")
    server.environment["PYTHONPATH"] = f"{tests}:{known}" if known else tests
    return server


def check_seen(seen: list[tuple[str, int, str]], stored: set[str], loads: list[Load]) -> None:
    """Each stored event and each raised alert once, each lane in order, and nothing else."""
    counts = Counter(entry for _, _, entry in seen)
    assert [entry for entry, times in counts.items() if times > 1] == []
    assert {entry for entry in counts if entry[-1] != "!"} == stored
    assert {one for load in loads for one in load.acknowledged} <= stored
    raised = {f"{one}!" for load in loads for one in load.raised}
    assert raised - set(counts) == set(), "alerts that were raised were not seen"
    may_be = {f"{one}!" for load in loads for one in load.sent if one.endswith("7")}
    assert {entry for entry in counts if entry[-1] == "!"} <= may_be
    heads: dict[str, int] = {}
    for lane, number, entry in seen:
        assert number > heads.get(lane, 0), f"{entry} was seen too late"
        heads[lane] = number


def test_a_server_that_is_killed_again_and_again_repeats_nothing_for_followers(tmp_path, kills):
    server = following_server(tmp_path / "server").start()
    chance = random.Random(kills)
    with Load(server, 3, pause=0.02, repeats=True) as load:
        for _ in range(kills):
            before = len(load.acknowledged)
            wait_until(lambda before=before: len(load.acknowledged) > before + 50, "new events")
            threading.Event().wait(chance.uniform(0.0, 0.6))  # the moment of the blow is the test
            server.kill()
            server.start()
    wait_until(
        lambda: all(one["lag"] == 0 for one in server.get("followers")["followers"]),
        "the end of the feed",
        seconds=CATCHING_UP,
    )
    assert server.stop() in (0, -15)
    with closing(apsw.Connection(str(server.database))) as file:
        stored = {event_id for (event_id,) in file.execute("SELECT event_id FROM events")}
    with closing(SqliteStore(server.database)) as store:
        for name in NAMES:
            check_seen(read_lines(store.scan, name), stored, [load])
    assert len(load.raised) > 5 * kills


class Lab:
    """Servers that share a database, and what of them can be killed."""

    def __init__(self, folder: Path, database: FerretDB, name: str, count: int) -> None:
        self.database = database
        settings = {"EVENT_DB_URL": database.url, "EVENT_DATABASE_NAME": name}
        folder.mkdir()
        self.servers = [
            following_server(folder / f"server-{number}", **settings) for number in range(count)
        ]

    def kill_a_server(self, chance: random.Random) -> None:
        self._kill(chance.choice(self.servers))

    def kill_who_has_the_followers_go_on(self, _chance: random.Random) -> None:
        self._kill(wait_until(self.holder, "a server that has the followers go on"))

    def kill_the_database(self, chance: random.Random) -> None:
        self.database.kill()
        threading.Event().wait(chance.uniform(0.0, 1.0))
        self.database.start()
        for server in self.servers:
            wait_until(lambda server=server: is_well(server), "a server that has its database back")

    def _kill(self, server: ServerProcess) -> None:
        server.kill()
        server.start()

    def holder(self) -> ServerProcess | None:
        """The server whose followers know how far they are."""
        for server in self.servers:
            if server.get("followers")["followers"][0]["lag"] is not None:
                return server
        return None


def is_well(server: ServerProcess) -> bool:
    return server.request("GET", "health").status == 200


def entries_of(database: Database) -> set[str]:
    """What the feed has to show in the end: the events, and those on which an alert was raised."""
    events = database["events"]
    ids = {str(one["_id"]) for one in events.find({}, {"_id": 1})}
    raised = events.find({RAISED_NUMBER: {"$gt": 0}}, {"_id": 1})
    return ids | {f"{one['_id']}!" for one in raised}


def test_servers_and_a_database_that_are_killed_repeat_nothing_for_followers(
    tmp_path, mongo_server, kills, request
):
    count, chance = request.config.getoption("servers"), random.Random(kills)
    end = max(3, kills // SLOWER)
    for first in range(0, end, ROUND):
        name = f"followed-{first}"
        lab = Lab(tmp_path / name, mongo_server, name, count)
        blows = range(first, min(first + ROUND, end))
        with ExitStack() as running, closing(connect(mongo_server.url)) as client:
            for server in lab.servers:
                running.callback(server.stop)
                server.start()
            loads = kill_again_and_again(lab, blows, chance)
            check_followers(client[name], loads)


def kill_again_and_again(lab: Lab, numbers: range, chance: random.Random) -> list[Load]:
    """Kill one thing after another under load; return what was sent."""
    blows = [lab.kill_a_server, lab.kill_who_has_the_followers_go_on, lab.kill_the_database]
    with ExitStack() as sending:
        loads = [
            sending.enter_context(Load(server, 2, f"{number}-", 1.5, repeats=True, size=5))
            for number, server in enumerate(lab.servers)
        ]
        for number in numbers:
            await_more(loads)
            threading.Event().wait(chance.uniform(0.0, 1.0))  # the moment of the blow is the test
            blows[number % len(blows)](chance)
        await_more(loads)
    return loads


def check_followers(database: Database, loads: list[Load]) -> None:
    """Wait until all followers are at the feed's end, and check what they have seen."""
    for name in NAMES:
        wait_until(
            lambda name=name: is_at_the_end(database, name), "the feed's end", seconds=CATCHING_UP
        )
    entries = entries_of(database)
    for name in NAMES:
        seen = read_lines(partial(tables.scan, database), name)
        check_seen(seen, {one for one in entries if one[-1] != "!"}, loads)
        assert {entry for _, _, entry in seen} == entries


def await_more(loads: list[Load]) -> None:
    """Wait until the servers take events, all of them."""
    before = [len(load.acknowledged) for load in loads]
    for load, known in zip(loads, before, strict=True):
        wait_until(lambda load=load, known=known: len(load.acknowledged) > known + 10, "new events")


def is_at_the_end(database: Database, name: str) -> bool:
    """Tell whether a follower is behind all lanes, and none is still to be ended."""
    threading.Event().wait(1.0)  # asking is work for a database that others wait for
    living = turns.holders(database, SERVERS)
    is_left = {"$or": [{"left_at": {"$ne": None}}, {"server": {"$nin": living}}]}
    if database[LANES].count_documents({"ended": None, **is_left}):
        return False
    place = tables.read(database, FOLLOWERS, name)
    return place is not None and head_of(states(database)).beyond(position_of(place)) == 0
