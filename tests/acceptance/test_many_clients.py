"""Programs that make clients and contexts by the thousand end with what they began with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.peers import BadPeer, running_peer

PROGRAM = """
import gc, json, os, sys, threading, time
from madsci.client.event_client import EventClient
from madsci.common.context import event_client_context
url, way, count = sys.argv[1], sys.argv[2], int(sys.argv[3])

def contexts(n):
    with event_client_context(name=f"context{n % 50}") as log:
        log.info("x", n=n)

def closed(n):
    with EventClient(name=f"client{n % 50}") as log:
        log.info("x", n=n)

def dropped(n):
    EventClient(name=f"client{n % 50}").info("x", n=n)

def held():
    spool = os.environ["EVENT_CLIENT_SPOOL_DIR"]
    files = [name for _, _, names in os.walk(spool) for name in names]
    return [len(os.listdir("/proc/self/fd")), threading.active_count(), len(files)]

def settled():
    gc.collect()
    until = time.monotonic() + 20
    while held()[1:] != [1, 0] and time.monotonic() < until:
        time.sleep(0.05)
    return held()

globals()[way](0)
before = settled()
peak = before
for n in range(1, count):
    globals()[way](n)
    if n % 20 == 0:
        peak = list(map(max, peak, held()))
print(json.dumps([before, peak, settled()]))
"""


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files in /proc")
@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("way", ["contexts", "closed", "dropped"])
def test_they_leave_no_open_file_no_thread_and_no_waiting_file_behind(tmp_path, way, count):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("EVENT_", "MADSCI_"))}
    environment |= {
        "EVENT_CLIENT_SPOOL_DIR": str(tmp_path / "spool"),
        "EVENT_CLIENT_LOG_DIR": str(tmp_path / "logs"),
    }
    with running_peer(BadPeer()) as peer:
        environment["EVENT_SERVER_URL"] = peer.url
        ended = subprocess.run(
            [sys.executable, "-c", PROGRAM, peer.url, way, str(count)],
            check=True, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=100,
        )  # fmt: skip
        before, peak, after = json.loads(ended.stdout)
        assert after <= before
        assert peak[1] <= before[1] + 3  # threads
        assert peak[0] <= before[0] + 12  # open files: log, lock, segment, connections
        assert sorted(data["n"] for data in peer.data()) == list(range(count))
