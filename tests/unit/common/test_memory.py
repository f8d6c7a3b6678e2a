"""A process gives memory back that it does not use any more."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import re, threading
from pathlib import Path
from madsci.common.memory import give_back_memory, return_large_blocks

def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1_000

def hold_and_free():
    for size in (2, 8, 30):
        blocks = [bytes(size * 1_000_000) for _ in range(90 // size)]
        small = [bytes(5_000) for _ in range(50)]
        del blocks

return_large_blocks()
before = resident()
for _ in range(6):
    thread = threading.Thread(target=hold_and_free)
    thread.start()
    thread.join()
assert resident() - before < 20, f"{resident()} MB of {before} before"
some = [bytes(5_000) for _ in range(20_000)]
last = some[-1]
del some
give_back_memory()
assert resident() - before < 30, f"{resident()} MB of {before} before"
"""


@pytest.mark.skipif(sys.platform != "linux", reason="is about the C library of most Linux systems")
def test_what_was_freed_does_not_stay_with_the_process():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
