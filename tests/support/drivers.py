"""What differs between releases of the MongoDB driver."""

from __future__ import annotations

from typing import Any

import bson


def driver_has(value: Any) -> bool:
    """Tell whether the driver writes a value and reads it.

    Its last release for Python 3.10 has no binaries of the subtype 255, and UUIDs of 16 bytes only.
    """
    try:
        bson.decode(bson.encode({"value": value}), bson.CodecOptions(tz_aware=True))
    except (SystemError, bson.errors.InvalidBSON):
        return False
    return True
