"""What every event store promises, as tests: for whoever writes another one.

They run under pytest, which only this package needs. ``docs/how-to/write-a-store.md`` shows how.
"""

from __future__ import annotations

import pytest

_MODULES = (
    "appending", "content", "counting", "feed", "feed_parts", "finding", "keeping", "lasting",
    "samples", "tables",
)  # fmt: skip
pytest.register_assert_rewrite(*(f"{__name__}.{name}" for name in _MODULES))  # before they are imported

from madsci.event_manager.testing.appending import AppendContract  # noqa: E402
from madsci.event_manager.testing.content import ContentContract  # noqa: E402
from madsci.event_manager.testing.counting import TallyContract  # noqa: E402
from madsci.event_manager.testing.feed import FeedContract  # noqa: E402
from madsci.event_manager.testing.feed_parts import FeedPartsContract  # noqa: E402
from madsci.event_manager.testing.finding import FindContract  # noqa: E402
from madsci.event_manager.testing.keeping import (  # noqa: E402
    ArchiveContract,
    FenceContract,
    WholeContract,
)
from madsci.event_manager.testing.lasting import LastingContract  # noqa: E402
from madsci.event_manager.testing.tables import LeasesContract, TablesContract  # noqa: E402

__all__ = [
    "AppendContract",
    "ArchiveContract",
    "ContentContract",
    "FeedContract",
    "FeedPartsContract",
    "FenceContract",
    "FindContract",
    "LastingContract",
    "LeasesContract",
    "StoreContract",
    "TablesContract",
    "TallyContract",
    "WholeContract",
]


class StoreContract(
    AppendContract,
    FindContract,
    TallyContract,
    ContentContract,
    ArchiveContract,
    FenceContract,
    FeedContract,
    FeedPartsContract,
    TablesContract,
    LeasesContract,
    LastingContract,
    WholeContract,
):
    """All of it. Inherit from it, and say with a fixture ``store`` what is tested: an empty store each.

    A fixture ``reopen`` returns what opens that store once more, for what outlives a server. A fixture
    ``has_transactions`` that returns ``False`` says that appends are not kept whole.
    """
