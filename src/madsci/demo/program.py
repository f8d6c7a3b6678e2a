"""The demo as a program: a lab is simulated, and its events are played into a server."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Final

from madsci.client.event_client import EventClient
from madsci.common.errors import EventServerError, SettingsError
from madsci.common.stderr import visible, write_line
from madsci.demo.command_line import HINT, USAGE, Wanted, read_command_line
from madsci.demo.disturbances import Disturbed, disturb, undisturbed
from madsci.demo.life import Life, simulate
from madsci.demo.playing import Played, at_once, paced, play, playing_client

DONE, FAILED, WRONG, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: also where events were not delivered; the command is wrong; Ctrl-C."""
_NEXT: Final = ("utilization/sessions", "utilization/periods?analysis_type=daily", "metrics/lab")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo with the arguments of the command line; return the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    if {"-h", "--help"} & set(words):
        sys.stdout.write(USAGE)
        return DONE
    try:
        wanted = read_command_line(words)
        with playing_client(wanted.url) as client:
            client.get_events(1)  # before anything is made for a server that is not there
            return _run(wanted, client)
    except SettingsError as error:
        write_line(f"{visible(error.message, has_lines=True)}\n{HINT}")
        return WRONG
    except EventServerError as error:
        write_line(visible(error.message))
        return FAILED
    except OSError as error:
        write_line(f"{error.filename or 'The output'} cannot be written: {error.strerror}")
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(wanted: Wanted, client: EventClient) -> int:
    life = simulate(wanted.plan)
    if wanted.truth is not None:
        wanted.truth.write_text(life.truth.to_json(), encoding="utf-8")
    on_the_way = _on_the_way(wanted, life)
    begun = time.monotonic()
    pace = at_once if wanted.speed is None else paced(*life.truth.window, wanted.speed)
    played = play(on_the_way.deliveries, client, pace)
    if not played.is_delivered or played.rejected:
        write_line(_trouble(played))
        return FAILED
    seconds = time.monotonic() - begun
    sys.stdout.write(_summary(wanted, life, on_the_way, seconds))
    sys.stdout.write(_what_next(client.event_server or f"{wanted.url}/"))
    return DONE


def _on_the_way(wanted: Wanted, life: Life) -> Disturbed:
    if not wanted.is_disturbed:
        return undisturbed(life)
    return disturb(life, wanted.plan.seed, late=0.01, duplicates=0.01, missing_ends=0.02)


def _trouble(played: Played) -> str:
    if played.rejected:
        return f"The server refused {played.rejected:,} of {played.events:,} events."
    return visible(f"The server does not take events any more ({played.trouble or 'no answer'}).")


def _summary(wanted: Wanted, life: Life, on_the_way: Disturbed, seconds: float) -> str:
    truth, deliveries = life.truth, on_the_way.deliveries
    days = "a day" if wanted.plan.days == 1 else f"{wanted.plan.days} days"
    said = (
        f"Sent {len(deliveries):,} events of {days} in {seconds:.0f} s:"
        f" {wanted.plan.workcells} workcells, {len(truth.nodes)} nodes,"
        f" {len(truth.experiments):,} experiments, {len(truth.workflows):,} workflows,"
        f" {len(truth.actions):,} actions.\n"
    )
    if not wanted.is_disturbed:
        return said
    late = sum(one.arrives > one.happening.at and not one.is_repeat for one in deliveries)
    twice = sum(one.is_repeat for one in deliveries)
    lost = len(on_the_way.without_end)
    return f"{said}{late:,} of them came late and {twice:,} twice; {lost:,} ends never came.\n"


def _what_next(server: str) -> str:
    return "Look at what comes of them:\n" + "".join(f"  curl '{server}{path}'\n" for path in _NEXT)
