"""The terminal view as a program: events in lines, until somebody has seen enough."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from madsci.client.event_client import EventClient
from madsci.client.terminal.command_line import HINT, USAGE, Wanted, read_command_line
from madsci.client.terminal.event_lines import EventLines, json_line
from madsci.client.terminal.output import Output
from madsci.client.writing import has_colors
from madsci.common.errors import EventServerError, ServerRefusedError, SettingsError
from madsci.common.stderr import visible, write_line
from madsci.common.types.client_config import EventClientConfig

DONE, FAILED, WRONG, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: also where the reader has gone; the server cannot be asked; the command; Ctrl-C."""
_WRONG_QUESTION: Final = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the view with the arguments of the command line; return the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    if {"-h", "--help"} & set(words):
        sys.stdout.write(USAGE)
        return DONE
    try:
        wanted = read_command_line(words)
        with EventClient(_settings(wanted)) as client:
            return _view(client, wanted)
    except (SettingsError, TypeError, ValueError) as error:
        write_line(f"{visible(str(error), has_lines=True)}\n{HINT}")
        return WRONG
    except EventServerError as error:
        write_line(visible(error.message))
        refused = isinstance(error, ServerRefusedError) and error.status in _WRONG_QUESTION
        return WRONG if refused else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _settings(wanted: Wanted) -> EventClientConfig:
    """Return the client's settings, for one that logs nothing itself."""
    config = EventClientConfig(
        name="tail", log_file_enabled=False, log_console_enabled=False, spool_enabled=False
    )
    return config if wanted.url is None else config.replaced(event_server_url=wanted.url)


def _view(client: EventClient, wanted: Wanted) -> int:
    if client.event_server is None:
        raise SettingsError("Which Event Manager? Give --url URL, or set EVENT_SERVER_URL.")
    lines = EventLines(has_colors=has_colors(sys.stdout))
    tail = client.tail(wanted.selector, since=wanted.since, level=wanted.level, tell=_say)
    missed = 0
    try:
        with tail, Output(tail.close) as output:
            for event in tail if wanted.follows else tail.history():
                if tail.missed > missed:
                    _say(f"{tail.missed - missed:,} entries were deleted before they could be shown.")
                    missed = tail.missed
                output.write(json_line(event) if wanted.as_json else lines.line(event))
    except BrokenPipeError:
        return DONE
    except OSError as error:
        write_line(
            f"The output cannot be written: {error.strerror}. The last position: {tail.position}"
        )
        return FAILED
    except KeyboardInterrupt:
        write_line(f"\nGo on from here with: --since {tail.position}")
        return INTERRUPTED
    return DONE


def _say(sentence: str) -> None:
    write_line(f"tail: {visible(sentence)}")
