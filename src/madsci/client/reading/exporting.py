"""Export: events as a file, streamed from the server; a file under its final name is whole."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from errno import EISDIR, ENOENT
from gzip import GzipFile
from io import TextIOBase
from os import PathLike
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from madsci.client.delivery import StreamedReply
from madsci.client.reading.asking import Asker
from madsci.client.reading.progress import progress_bar

_FORMATS: Final = {".ndjson": "ndjson", ".jsonl": "ndjson", ".csv": "csv", ".parquet": "parquet"}
_PACKED: Final = ".gz"
_ROUTE: Final = "events/export"


class ByteSink(Protocol):
    """A file open for writing bytes, or what behaves like one."""

    def write(self, data: bytes, /) -> object:
        """Take some bytes."""
        ...


@dataclass(frozen=True)
class FileForm:
    """What an exported file holds: the route's name of its format, and whether gzip is around it."""

    format: str
    is_packed: bool = False


def form_of_file(target: str | PathLike[str] | ByteSink, name: str | None) -> FileForm:
    """Return the form of a file: its suffix tells, and a format's ``name`` counts for more.

    Raises:
        TypeError: it is neither a path nor open for writing bytes.
        ValueError: the suffix tells no format, or there is no such form.
        OSError: the path is that of a folder, or its folder is not there.
    """
    if isinstance(target, (str, PathLike)):
        return _form_of_path(Path(target), name)
    if not hasattr(target, "write") or isinstance(target, TextIOBase):
        raise TypeError(
            f"{target!r:.80} is neither a path nor a file that takes bytes. Open a file with mode 'wb'."
        )
    return FileForm(known_format("ndjson" if name is None else name))


def _form_of_path(path: Path, name: str | None) -> FileForm:
    if path.is_dir():
        raise IsADirectoryError(EISDIR, "This is a folder. Give the path of a file in it", str(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(ENOENT, "There is no such folder. Make it first", str(path.parent))
    suffixes = [suffix.lower() for suffix in path.suffixes]
    is_packed = suffixes[-1:] == [_PACKED]
    last = "".join(suffixes[: -1 if is_packed else None][-1:])
    format_name = _FORMATS.get(last) if name is None else known_format(name)
    if format_name is None:
        raise ValueError(
            f"The name {path.name!r} does not tell the format. End it in one of {', '.join(_FORMATS)},"
            f" the first three also with {_PACKED}, or give format=."
        )
    if is_packed and format_name == "parquet":
        raise ValueError(
            f"{path.name!r}: Parquet files are compressed inside. Leave {_PACKED} out of the name."
        )
    return FileForm(format_name, is_packed)


def known_format(name: str) -> str:
    """Return a format's name as the server's route has it.

    Raises:
        ValueError: there is no such format.
    """
    if name in _FORMATS.values():
        return name
    known = ", ".join(dict.fromkeys(_FORMATS.values()))
    raise ValueError(f"There is no export format {name!r}. Give one of {known}.")


def export_events(  # noqa: PLR0913 - what an export can choose
    asker: Asker,
    body: bytes,
    target: str | PathLike[str] | ByteSink,
    form: FileForm,
    *,
    progress: bool | None,
    timeout: float | None,
) -> int:
    """Write the selected events to a file and return the bytes written.

    A path appears when the file is whole, in place of one that was there; an open file keeps what came
    before a failure. The timeout (in seconds) bounds each wait for more.

    Raises:
        ServerUnreachableError: the server does not answer, or the export broke off.
        ServerRefusedError: the server answers with an error.
        OSError: the file cannot be written.
    """
    with asker.stream(_ROUTE, timeout, params={"format": form.format}, body=body) as reply:
        if not isinstance(target, (str, PathLike)):
            return _copy(reply, target, form, progress=progress)
        with _file_when_whole(Path(target)) as file:
            with GzipFile("", "wb", 6, file) if form.is_packed else nullcontext(file) as sink:
                _copy(reply, sink, form, progress=progress)
            return file.tell()


def _copy(reply: StreamedReply, sink: ByteSink, form: FileForm, *, progress: bool | None) -> int:
    # Of lines it is known how many there will be; of the other formats only what has come.
    by_line = form.format == "ndjson"
    matched = reply.headers.get("X-Total-Count", "")
    total = int(matched) if by_line and matched.isdecimal() else None
    size = 0
    with progress_bar("Export", " events" if by_line else "B", total, shown=progress) as bar:
        for chunk in reply.chunks():
            sink.write(chunk)
            size += len(chunk)
            bar.update(chunk.count(b"\n") if by_line else len(chunk))
    return size


@contextmanager
def _file_when_whole(path: Path) -> Iterator[BinaryIO]:
    """Open a file beside ``path`` that takes its name when the block ends well, and else vanishes."""
    unfinished = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        with unfinished.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
