"""Connections to a MongoDB server, or to one that speaks its protocol."""

from __future__ import annotations

from typing import Any, Final

from pymongo import MongoClient, WriteConcern, collection, cursor, database
from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

from madsci.common.errors import SettingsError
from madsci.common.settings.masking import mask_url

Document = dict[str, Any]
Client = MongoClient[Document]
Database = database.Database[Document]
Collection = collection.Collection[Document]
Cursor = cursor.Cursor[Document]

_SELECTION: Final = 5_000
_CONNECT: Final = 5_000
_SILENCE: Final = 60_000
"""Milliseconds until it is said that no server answers, that one cannot be connected to, and that one
has fallen silent. The first is what people wait in front of a robot; a question takes half a minute."""
_POOL: Final = 32
"""Connections at once: the writer, the questions, a backup, and some to spare."""
DURABLE: Final = WriteConcern("majority", j=True, wtimeout=10_000)
"""Acknowledged means in the journals of most members. After 10 s without that, clients come again."""


def connect(url: str) -> Client:
    """Return a client; it connects when it is used first. What the URL says goes before our defaults.

    Raises:
        SettingsError: the URL is not one of MongoDB's.
    """
    try:
        given = {name.lower() for name in parse_uri(url)["options"]}
        defaults = {
            "appName": "madsci-event-manager",
            "serverSelectionTimeoutMS": _SELECTION,
            "connectTimeoutMS": _CONNECT,
            "socketTimeoutMS": _SILENCE,
            "maxPoolSize": _POOL,
        }
        chosen: dict[str, Any] = {
            name: value for name, value in defaults.items() if name.lower() not in given
        }
        return MongoClient(
            url,
            tz_aware=True,
            datetime_conversion="DATETIME_AUTO",
            unicode_decode_error_handler="replace",
            **chosen,
        )
    except (PyMongoError, ValueError) as error:
        # The driver's own words may hold the password.
        raise SettingsError(
            f"db_url {masked(url)} is not an address of a MongoDB server ({type(error).__name__})."
            " Write mongodb://user:password@host:27017, with special characters of the password as %XX."
        ) from None


def masked(url: str) -> str:
    """Return the URL as it may be shown: without user and password."""
    scheme, separator, rest = url.partition("://")
    # Whatever stands before the last @ may belong to a password that was not escaped.
    return mask_url(f"{scheme}{separator}{'***@' if '@' in rest else ''}{rest.rpartition('@')[2]}")


def is_mongodb(client: Client) -> bool:
    """Tell whether the server is MongoDB itself, whose answers to selectors define what is right."""
    build = client.admin.command("buildInfo")
    imitations = ("ferretdb", "documentdb", "cosmos", "oracle")
    return "modules" in build and not any(
        name in str(key).lower() for key in (*build, build.get("gitVersion", "")) for name in imitations
    )
