"""Every engine keeps the contract of stores, sentence by sentence."""

from __future__ import annotations

import pytest

from conformance.conftest import ENGINES, WITH_TRANSACTIONS
from madsci.event_manager.testing import StoreContract


class TestEngines(StoreContract):
    """The suite that ships with the package, for each store of ``conftest``."""

    @pytest.fixture
    def has_transactions(self, engine):
        return engine in WITH_TRANSACTIONS

    @pytest.fixture
    def reopen(self, request, engine):
        if engine == "memory":
            pytest.skip("nothing of it outlives a server")
        return lambda: ENGINES[engine](request)
