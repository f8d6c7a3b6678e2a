"""Processes whose clock can be set while they run, by libfaketime."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_LIBRARY = "libfaketime.so.1"
_PLACES = ("/usr/lib", "/usr/local/lib")
HOUR = 3600
DAY = 24 * HOUR
TEN_YEARS = 3653 * DAY
STEPS = (HOUR, DAY, TEN_YEARS, -HOUR, -DAY, -TEN_YEARS)
"""Seconds by which clocks are set."""


def _library() -> str:
    for place in _PLACES:
        for found in sorted(Path(place).glob(f"**/faketime/{_LIBRARY}")):
            return str(found)
    reason = f"This test needs {_LIBRARY}: install the package libfaketime of Debian or Ubuntu."
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


class SetClock:
    """The clock of some processes: off by some seconds, which takes effect within a second.

    What is measured by the time that passes is not touched.
    """

    def __init__(self, directory: Path) -> None:
        self._file = directory / "clock"
        faked = str(Path(__file__).parent / "faked_clock")
        self.environment = {
            "LD_PRELOAD": _library(),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "PYTHONPATH": os.pathsep.join([faked, *filter(None, [os.environ.get("PYTHONPATH")])]),
        }
        self.set(0)

    def set(self, seconds: int) -> None:
        """Set it so many seconds before or after the true time."""
        beside = self._file.with_suffix(".new")
        beside.write_text(f"{seconds:+d}")
        beside.replace(self._file)
