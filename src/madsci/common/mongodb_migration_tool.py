"""The migration tool: ``python -m madsci.common.mongodb_migration_tool --database madsci_events``.

The path is that of earlier releases; the tool itself is ``madsci.event_manager.migration``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool with the arguments of the command line; return the exit code."""
    from madsci.event_manager.migration.command_line import main as run  # noqa: PLC0415 - see above

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
