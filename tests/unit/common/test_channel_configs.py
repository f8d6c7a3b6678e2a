"""The settings of webhooks and services keep their secrets, alone and in lists of settings."""

from __future__ import annotations

import json
from typing import ClassVar

import pytest
from pydantic import Field, ValidationError

from madsci.common.errors import SettingsError
from madsci.common.settings import REDACTED, MadsciSettings, SettingsSources
from madsci.common.types.alerts import AppriseConfig, WebhookConfig

WEBHOOK = {
    "name": "ops",
    "url": "https://ann:hunter1@hooks.example.org/hunter2?k=hunter3",
    "secret": "hunter4",
    "headers": {"X-Lab": "hunter5"},
    "template": {"routing": "hunter6"},
}
SERVICE = {"name": "chat", "url": "slack://hunter7/x"}
SHOWN = [repr, str, lambda config: json.dumps(config.masked())]


class Lab(MadsciSettings):
    sources: ClassVar[SettingsSources] = SettingsSources(prefix="LAB_", dotenv_names=(), file_stems=())

    webhooks: list[WebhookConfig] = Field(default_factory=list, description="x")
    services: list[AppriseConfig] | None = Field(default=None, description="x")


@pytest.mark.parametrize("show", SHOWN)
def test_only_names_and_switches_are_shown(show):
    shown = show(WebhookConfig(**WEBHOOK)) + show(AppriseConfig(**SERVICE))
    assert "hunter" not in shown
    assert "ann" not in shown
    assert "ops" in shown
    assert "chat" in shown
    assert shown.count(REDACTED) == 5


@pytest.mark.parametrize("show", SHOWN)
def test_secrets_in_a_list_of_settings_are_not_shown_either(show):
    shown = show(Lab(webhooks=[WEBHOOK], services=[SERVICE]))
    assert "hunter" not in shown
    assert "ops" in shown
    assert shown.count(REDACTED) == 5


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": ["hunter2"]},
        {"secrt": "hunter2"},
        {"url": None, "secret": "hunter2"},
        {"headers": {"X-Lab": "hunter2\n"}},
        {"name": "Hunter2"},
        "https://hooks.example.org/hunter2",
        {"template": ["hunter2"]},
    ],
)
def test_a_wrong_value_in_a_list_is_told_without_secrets(wrong, monkeypatch):
    given = {**WEBHOOK, **wrong} if isinstance(wrong, dict) else wrong
    with pytest.raises(SettingsError, match="webhooks") as caught:
        Lab(webhooks=[given])
    assert "hunter" not in str(caught.value)
    monkeypatch.setenv("LAB_WEBHOOKS", json.dumps([given]))
    with pytest.raises(SettingsError, match="LAB_WEBHOOKS") as caught:
        Lab()
    assert "hunter" not in str(caught.value)


def test_a_list_that_cannot_be_read_is_told_without_secrets(monkeypatch):
    monkeypatch.setenv("LAB_WEBHOOKS", '[{"secret": "hunter2"')
    with pytest.raises(SettingsError, match="LAB_WEBHOOKS") as caught:
        Lab()
    assert "hunter" not in str(caught.value)


def test_lists_are_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("LAB_WEBHOOKS", json.dumps([WEBHOOK]))
    assert Lab().webhooks == [WebhookConfig(**WEBHOOK)]


@pytest.mark.parametrize("name", ["", "Ops", "9", "a b", "a" * 41, "ü"])
def test_a_name_is_a_word_of_small_letters(name):
    with pytest.raises(ValidationError):
        WebhookConfig(name=name, url="https://h/")


def test_a_webhook_needs_a_name_and_a_url_and_reaches_no_private_address_by_default():
    assert WebhookConfig(name="ops", url="https://h/").model_dump() == {
        "name": "ops",
        "url": "https://h/",
        "secret": None,
        "headers": {},
        "template": None,
        "allow_private": False,
    }
    with pytest.raises(ValidationError):
        WebhookConfig(url="https://h/")
    with pytest.raises(ValidationError):
        AppriseConfig(name="chat")


def test_a_webhook_has_a_bounded_number_of_headers():
    with pytest.raises(ValidationError, match="50"):
        WebhookConfig(name="ops", url="https://h/", headers={f"X-{n}": "a" for n in range(51)})
