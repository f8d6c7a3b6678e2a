"""Zstandard under one name: Python has it from 3.14 on, and a backport of the same before."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["zstd"]
