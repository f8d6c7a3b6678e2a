"""Watching events in a terminal: ``python -m madsci.event_manager.tail --level warning``.

The path is where the programs of the Event Manager are; the view itself is ``madsci.client.terminal``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the view with the arguments of the command line; return the exit code."""
    from madsci.client.terminal import main as run  # noqa: PLC0415 - see above

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
