"""``madsci``: the programs of the Event Manager under one name, a word for each.

Each is imported when it is called, so that none waits for what another one needs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final, NamedTuple

from madsci.common.nearest import right_one

_WRONG: Final = 2
"""The exit code of a command line that cannot be meant."""


class _Program(NamedTuple):
    module: str
    meaning: str


_PROGRAMS: Final = {
    "demo": _Program("madsci.demo.program", "fill a server with the life of a simulated lab"),
    "tail": _Program("madsci.event_manager.tail", "watch events as they come"),
}
_USAGE: Final = "\n".join(
    [
        "madsci COMMAND [ARGUMENTS]",
        "",
        *(f"  {word:8}{program.meaning}" for word, program in _PROGRAMS.items()),
        "",
        "madsci COMMAND --help tells the arguments of each.",
        "",
    ]
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program that the first word names with the rest; return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in {"-h", "--help"}:
        sys.stdout.write(_USAGE)
        return 0 if words else _WRONG
    program = _PROGRAMS.get(words[0])
    if program is None:
        hint = right_one(words[0], _PROGRAMS)
        sys.stderr.write(f"madsci has no command {words[0]!r:.80}. {hint}\n")
        return _WRONG
    code: int = import_module(program.module).main(words[1:])
    return code


if __name__ == "__main__":
    sys.exit(main())
