"""What the page about alerts shows can be used as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from madsci.common.types.manager_settings import EventManagerSettings
from madsci.event_manager.alerts.configured import Alerting
from madsci.event_manager.stores.memory import MemoryStore

PAGE = Path(__file__).parents[4] / "docs" / "how-to" / "alerts.md"


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # of Apprise
def test_the_settings_of_the_page_are_read_and_show_no_secret(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    text = "".join(blocks).replace("whsec_…", "whsec_bGFi").replace("hooks/…", "hooks/token")
    (tmp_path / "event.settings.yaml").write_text(text, encoding="utf-8")
    settings = EventManagerSettings()
    alerting = Alerting.from_settings(settings)
    assert [one.name for one in alerting.channels] == ["email", "chat", "phone"]
    rules = alerting.shelf.rulebook(MemoryStore()).rules
    assert {"alerts", "many-warnings", "silent", "slow-workflows", "jams"} <= set(rules)
    shown = str(settings.masked())
    assert "anna@example.org" in shown
    assert not any(secret in shown for secret in ("bGFi", "hooks/token", "lab-alerts"))
