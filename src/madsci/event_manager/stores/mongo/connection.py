"""Connections to a MongoDB server, or to one that speaks its protocol."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from pymongo import MongoClient, WriteConcern, collection, cursor, database
from pymongo.errors import InvalidName, PyMongoError
from pymongo.uri_parser import parse_uri

from madsci.common.errors import SettingsError, StoreUnavailableError
from madsci.common.secret_names import is_secret_name
from madsci.common.settings.masking import REDACTED, mask_url

Document = dict[str, Any]
Client = MongoClient[Document]
Database = database.Database[Document]
Collection = collection.Collection[Document]
Cursor = cursor.Cursor[Document]

_logger = logging.getLogger(__name__)

_SELECTION: Final = 5_000
_CONNECT: Final = 5_000
_SILENCE: Final = 60_000
"""Milliseconds until it is said that no server answers, that one cannot be connected to, and that one
has fallen silent. The first is what people wait in front of a robot; a question takes half a minute."""
_SRV: Final = "mongodb+srv://"
_MANUAL: Final = "https://www.mongodb.com/docs/manual/reference/connection-string-options/"
_POOL: Final = 32
"""Connections at once: the writer, the questions, a backup, and some to spare."""
DURABLE: Final = WriteConcern("majority", j=True, wtimeout=10_000)
"""Acknowledged means in the journals of most members. After 10 s without that, clients come again."""


def connect(url: str) -> Client:
    """Return a client; it connects when it is used first. What the URL says goes before our defaults.

    Raises:
        SettingsError: the URL is not one of MongoDB's, or has an option, a value or a file that cannot
            be used.
        StoreUnavailableError: its servers are looked up in the DNS, which does not tell them.
    """
    with _told_warnings():
        given = {name.lower() for name in _options(url)}
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
        with _wrong_options(url):
            return MongoClient(
                url,
                tz_aware=True,
                datetime_conversion="DATETIME_AUTO",
                unicode_decode_error_handler="replace",
                **chosen,
            )


def _options(url: str) -> dict[str, Any]:
    """Return the options of a URL. Where it names no servers, they are looked up in the DNS."""
    address, question, _ = url.partition("?")
    try:
        parse_uri(address)
    except (PyMongoError, ValueError) as error:
        if url.startswith(_SRV) and not str(error).startswith("Invalid URI"):
            raise StoreUnavailableError(
                f"The DNS does not tell the servers of {masked(url)}: {error} Correct the name in"
                " db_url, or try again later."
            ) from None
        # The driver's own words may hold the password.
        raise SettingsError(
            f"db_url {masked(url)} is not an address of a MongoDB server ({type(error).__name__})."
            " Write mongodb://user:password@host:27017, with special characters of the password as %XX."
        ) from None
    with _wrong_options(url):
        return dict(parse_uri(url)["options"]) if question else {}


@contextmanager
def _wrong_options(url: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:  # also what ssl raises
        raise SettingsError(_about_files(url, error)) from None
    except (PyMongoError, ValueError) as error:
        is_about_key = str(error).startswith("Private key")
        raise SettingsError((_about_files if is_about_key else _about_options)(url, error)) from None


@contextmanager
def _told_warnings() -> Iterator[None]:
    """Log what the driver warns of, such as a compression that is not installed, each once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for sentence in dict.fromkeys(str(one.message) for one in caught):
        _logger.warning("db_url: %s", sentence)


def _about_options(url: str, error: Exception) -> str:
    given = parse_qsl(url.partition("?")[2])
    said = str(error)
    if said.startswith("Unknown option"):
        said = "MongoDB knows no such option"
    for name, value in given:
        if is_secret_name(name) or "properties" in name.lower():
            said = said.replace(value, REDACTED)
    wrong = next((f"The option {name}" for name, value in given if _is_wrong(name, value)), "An option")
    return (
        f"{wrong} of db_url {masked(url)} cannot be used: {said.rstrip('.')}. Correct it, or"
        f" leave it out; {_MANUAL} lists them."
    )


def _is_wrong(name: str, value: str) -> bool:
    try:
        parse_uri(f"mongodb://user:password@host/?{urlencode({name: value})}")
    except (PyMongoError, ValueError, OSError):
        return True
    return False


def _about_files(url: str, error: Exception) -> str:
    """Return which file of the URL cannot be read, or which ones hold something else."""
    named = [
        (name, value)
        for name, value in parse_qsl(url.partition("?")[2])
        if name.lower().endswith("file")
    ]
    for name, value in named:
        try:
            Path(value).read_bytes()
        except OSError as reason:
            return f"The file that {name} of db_url names cannot be read: {reason}. Correct the path."
    files = " or ".join(f"{name} ({value})" for name, value in named)
    return (
        f"What db_url names as {files} holds no certificate or key that can be used: {error}. It should"
        " be a PEM file."
    )


def database_of(client: Client, name: str, collection: str) -> Database:
    """Return a database, all of whose writes are durable.

    Raises:
        SettingsError: it or the collection has a name that MongoDB does not take.
    """
    try:
        database = client.get_database(name, write_concern=DURABLE)
        database.get_collection(collection)
    except InvalidName as error:
        raise SettingsError(
            f"MongoDB has no room for the database {name!r} and its collection {collection!r}: {error}."
            " Correct database_name and collection_name (--database and --collection-name of the tool)."
        ) from None
    return database


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
