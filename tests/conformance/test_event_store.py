"""Every engine keeps the contract of stores, sentence by sentence."""

from __future__ import annotations

import pytest

from conformance.conftest import WITH_TRANSACTIONS
from madsci.event_manager.testing import StoreContract


class TestEngines(StoreContract):
    """The suite that ships with the package, for each store of ``conftest``."""

    @pytest.fixture
    def has_transactions(self, engine):
        return engine in WITH_TRANSACTIONS
