"""Transactions that survive SQLite's own rollback, and when they reach the disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import apsw


@contextmanager
def transaction(connection: apsw.Connection) -> Iterator[None]:
    """Commit what the block does, or undo it.

    After some errors, a full disk among them, SQLite has undone the transaction already; undoing it
    again would raise another error that hides the first (https://www.sqlite.org/lang_transaction.html).
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@contextmanager
def snapshot(connection: apsw.Connection) -> Iterator[None]:
    """Let all that the block reads be of one moment."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@contextmanager
def unsynced(connection: apsw.Connection) -> Iterator[None]:
    """Let what the block commits reach the disk with the next commit outside of one.

    Before that a power cut may take it, whole: the log is read up to where it is as it was written, and
    whoever syncs it later syncs all of it. The end of this process, or of the program, takes nothing.
    """
    connection.pragma("synchronous", "NORMAL")
    try:
        yield
    finally:
        connection.pragma("synchronous", "FULL")
