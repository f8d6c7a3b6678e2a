"""The floors of docs/explanation/architecture.md: who may import whom."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src"
MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(SOURCE.rglob("*.py"))
}
DRIVERS = {"apsw", "pymongo", "bson", "sqlite3", "motor"}
SERVER_LIBRARIES = {"fastapi", "starlette", "uvicorn", "fastapi_offline", "uvloop"} | DRIVERS


@functools.cache
def nodes_of(path: Path) -> list[ast.AST]:
    """What the code in a file consists of."""
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


@functools.cache
def imports_of(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it, with the names taken from it."""
    found: set[str] = set()
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            module = node.module or ""
            found.add(module)
            found.update(f"{module}.{alias.name}" for alias in node.names)
    return found


def modules_under(*prefixes: str) -> list[str]:
    found = [
        name
        for name in MODULES
        if any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)
    ]
    assert found, f"no modules under {prefixes}"
    return found


def offences(modules: list[str], *forbidden: str, but: tuple[str, ...] = ()) -> list[str]:
    """Imports of forbidden modules, as sentences."""
    return [
        f"{name} imports {imported}"
        for name in modules
        if name not in but
        for imported in sorted(imports_of(MODULES[name]))
        if any(imported == one or imported.startswith(one + ".") for one in forbidden)
    ]


MANAGER = "madsci.event_manager"


@pytest.mark.parametrize(
    ("modules", "forbidden", "exceptions"),
    [
        # The words that everyone shares know nobody.
        (
            ["madsci.common"],
            ["madsci.client", MANAGER, "madsci.cli", "msgspec"],
            # The mission gives their import paths.
            ["madsci.common.context.client", "madsci.common.mongodb_migration_tool"],
        ),
        (["madsci.common"], sorted(SERVER_LIBRARIES), []),
        # A robot's program pays only for the SDK.
        (["madsci.client"], [MANAGER, *sorted(SERVER_LIBRARIES | DRIVERS)], []),
        # The rooms of the client: what waits knows nobody, and logging never needs the reading side.
        (
            ["madsci.client.spool"],
            [f"madsci.client.{room}" for room in ("delivery", "writing", "reading", "event_client")],
            [],
        ),
        (
            ["madsci.client.delivery"],
            [f"madsci.client.{room}" for room in ("writing", "reading", "event_client")],
            [],
        ),
        (["madsci.client.writing"], ["madsci.client.reading", "madsci.client.event_client"], []),
        (["madsci.client.reading"], ["madsci.client.event_client", "madsci.client.spool"], []),
        # Programs stand above what programs of others are made of.
        (
            [f"madsci.client.{room}" for room in ("spool", "delivery", "writing", "reading")],
            ["madsci.client.terminal"],
            [],
        ),
        # The server can never log to itself over HTTP. The terminal view is a program of the client's
        # side, under a name where people look for it.
        ([MANAGER], ["madsci.client"], [f"{MANAGER}.tail"]),
        # The model and the stores know no service, no framework, no loop.
        (
            [f"{MANAGER}.model", f"{MANAGER}.stores"],
            [
                "fastapi",
                "starlette",
                "asyncio",
                f"{MANAGER}.api",
                f"{MANAGER}.feed",
                f"{MANAGER}.ingest",
                f"{MANAGER}.search",
                f"{MANAGER}.export",
                f"{MANAGER}.app",
            ],
            [],
        ),
        ([f"{MANAGER}.model"], [f"{MANAGER}.stores", *sorted(DRIVERS)], []),
        # An engine knows its own driver.
        ([f"{MANAGER}.stores.sqlite"], ["pymongo", "bson", f"{MANAGER}.stores.memory"], []),
        ([f"{MANAGER}.stores.mongo"], ["apsw", "sqlite3", f"{MANAGER}.stores.memory"], []),
        # Services know the contract of stores, not the stores.
        (
            [
                f"{MANAGER}.alerts",
                f"{MANAGER}.analytics",
                f"{MANAGER}.feed",
                f"{MANAGER}.ingest",
                f"{MANAGER}.search",
                f"{MANAGER}.export",
                f"{MANAGER}.retention",
                f"{MANAGER}.tasks",
                f"{MANAGER}.backup",
                f"{MANAGER}.migration",
                f"{MANAGER}.health",
            ],
            [
                "fastapi",
                "starlette",
                *sorted(DRIVERS),
                f"{MANAGER}.api",
                f"{MANAGER}.app",
                f"{MANAGER}.stores.sqlite",
                f"{MANAGER}.stores.mongo",
            ],
            [],
        ),
        # What is concluded of the life of a lab knows events, small tables, and following the feed.
        (
            [f"{MANAGER}.analytics"],
            [f"{MANAGER}.alerts", f"{MANAGER}.ingest", f"{MANAGER}.search", f"{MANAGER}.wire"],
            [],
        ),
        ([f"{MANAGER}.analytics"], ["asyncio"], [f"{MANAGER}.analytics.service"]),
        # The demo is a program like those of users.
        (["madsci.demo"], [MANAGER, *sorted(SERVER_LIBRARIES)], []),
        (
            ["madsci.demo"],
            ["madsci.client"],
            ["madsci.demo.playing", "madsci.demo.program"],
        ),
        # Exports are made of events, wherever these come from.
        ([f"{MANAGER}.export"], [f"{MANAGER}.stores", f"{MANAGER}.search", "asyncio"], []),
        # HTTP knows services, and no engine.
        (
            [f"{MANAGER}.api"],
            [
                *sorted(DRIVERS),
                f"{MANAGER}.app",
                f"{MANAGER}.stores.sqlite",
                f"{MANAGER}.stores.mongo",
                f"{MANAGER}.stores.memory",
            ],
            [],
        ),
        # What stands before the application knows how errors are told, and nothing else of it.
        (
            [f"{MANAGER}.wire"],
            [
                "fastapi",
                *sorted(DRIVERS),
                *[
                    m
                    for m in MODULES
                    if m.startswith(f"{MANAGER}.")
                    and not m.startswith((f"{MANAGER}.wire", f"{MANAGER}.api"))
                ],
                *[
                    m
                    for m in MODULES
                    if m.startswith(f"{MANAGER}.api.") and m != f"{MANAGER}.api.problems"
                ],
            ],
            [],
        ),
        # Only the factory names engines.
        (
            [MANAGER],
            [f"{MANAGER}.stores.{engine}" for engine in ("memory", "sqlite", "mongo")],
            [
                f"{MANAGER}.stores.factory",
                *[m for m in MODULES if m.startswith(f"{MANAGER}.stores.sqlite")],
                *[m for m in MODULES if m.startswith(f"{MANAGER}.stores.mongo")],
            ],
        ),
        # What stores promise is said in the words of the contract, for engines of anybody.
        (
            [f"{MANAGER}.testing"],
            [
                *sorted(DRIVERS | SERVER_LIBRARIES),
                *[
                    m
                    for m in MODULES
                    if m.startswith(f"{MANAGER}.")
                    and not m.startswith((f"{MANAGER}.testing", f"{MANAGER}.model"))
                    and m not in (f"{MANAGER}.stores.base", f"{MANAGER}.stores")
                ],
            ],
            [],
        ),
        (
            ["madsci"],
            ["pytest", f"{MANAGER}.testing"],
            [m for m in MODULES if m.startswith(f"{MANAGER}.testing")],
        ),
        # Only entry points use the composition root.
        ([MANAGER], [f"{MANAGER}.app"], [f"{MANAGER}.event_server"]),
    ],
)
def test_lower_floors_do_not_know_higher_ones(modules, forbidden, exceptions):
    assert offences(modules_under(*modules), *forbidden, but=tuple(exceptions)) == []


BROAD = {
    "madsci.event_manager.alerts.line": 1,
    "madsci.event_manager.api.front": 1,
    "madsci.event_manager.feed.course": 1,
    "madsci.event_manager.feed.live": 1,
    "madsci.event_manager.ingest.writer": 1,
    "madsci.client.delivery.sender": 1,
    "madsci.client.spool.tending": 1,
    "madsci.client.logging_handler": 1,
    "madsci.common.jsonable": 1,
    "madsci.event_manager.migration.migrator": 1,
}
"""The borders that may catch everything, because they log and count it. In the two before the last the
code of others runs, which may raise anything and must not reach a robot's program. The last undoes a
migration, whatever ended it."""


def test_only_the_named_borders_catch_every_exception():
    found: dict[str, int] = {}
    for name, path in MODULES.items():
        for node in nodes_of(path):
            if not isinstance(node, ast.ExceptHandler):
                continue
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            names = {one.id for one in caught if isinstance(one, ast.Name)}
            if node.type is None or names & {"Exception", "BaseException"}:
                found[name] = found.get(name, 0) + 1
    assert found == BROAD


def test_modules_hold_one_concept_each():
    """A module beyond 400 lines holds more than one concept."""
    long = {
        name: n for name, path in MODULES.items() if (n := len(path.read_text().splitlines())) > 400
    }
    assert long == {}


def test_madsci_is_a_namespace_package_that_others_may_extend():
    assert not (SOURCE / "madsci" / "__init__.py").exists()


def test_no_module_is_a_drawer_for_leftovers():
    drawers = {"utils", "util", "helpers", "misc", "common_utils"}
    found = [name for name in MODULES if name.rsplit(".", 1)[-1] in drawers]
    assert found == ["madsci.common.utils"]  # a path that old programs import, with one name in it
    assert imports_of(MODULES["madsci.common.utils"]) == {
        "madsci.common.ids",
        "madsci.common.ids.new_ulid",
    }


def test_only_settings_and_entry_points_read_the_environment():
    readers = [
        name
        for name, path in MODULES.items()
        if "os.environ" in path.read_text(encoding="utf-8")
        or "os.getenv" in path.read_text(encoding="utf-8")
    ]
    assert [name for name in readers if not name.startswith("madsci.common.settings")] in (
        [],
        ["madsci.client.writing.console"],
    )


@pytest.mark.parametrize("room", ["spool", "delivery", "writing", "reading"])
def test_the_rooms_of_the_client_are_entered_by_their_doors(room):
    door = f"madsci.client.{room}"
    outside = [name for name in MODULES if name != door and not name.startswith(f"{door}.")]
    inner = [name for name in MODULES if name.startswith(f"{door}.")]
    inner = [name for name in inner if name != "madsci.client.delivery.http"]  # loaded late
    assert len(inner) > 6
    assert offences(outside, *inner) == []
