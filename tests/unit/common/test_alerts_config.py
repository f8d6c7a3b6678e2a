"""The settings of alert mails keep their secrets and read what people write."""

import pytest
from pydantic import ValidationError

from madsci.common.settings import REDACTED
from madsci.common.types.event_types import EmailAlertsConfig


def test_the_defaults_mail_nobody():
    assert EmailAlertsConfig().model_dump() == {
        "smtp_server": "smtp.example.com",
        "smtp_port": 587,
        "smtp_username": None,
        "smtp_password": None,
        "use_tls": True,
        "sender": "no-reply@example.com",
        "default_importance": "Normal",
        "email_addresses": [],
    }


@pytest.mark.parametrize("show", [repr, str, lambda config: str(config.masked())])
def test_user_and_password_are_never_shown(show):
    shown = show(EmailAlertsConfig(smtp_username="robot", smtp_password="hunter2"))
    assert "robot" not in shown
    assert "hunter2" not in shown
    assert shown.count(REDACTED) == 2
    assert "no-reply@example.com" in shown


def test_programs_read_the_password_as_text():
    assert EmailAlertsConfig(smtp_password=1234).smtp_password == "1234"


def test_a_wrong_value_is_refused_without_showing_it():
    with pytest.raises(ValidationError) as caught:
        EmailAlertsConfig(smtp_port=0, smtp_password=["hunter2"])
    assert "hunter2" not in str(caught.value)
    assert caught.value.error_count() == 2
