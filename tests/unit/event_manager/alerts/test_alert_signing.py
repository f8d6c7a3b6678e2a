"""Webhooks are signed as Standard Webhooks says, and keys are words that any header can have."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madsci.common.errors import SettingsError
from madsci.event_manager.alerts.keys import header_key
from madsci.event_manager.alerts.signing import signature_headers, signing_key


def test_the_example_of_the_libraries_of_standard_webhooks_has_their_signature():
    """Their common test vector: secret, id, time and body, and what each of them makes of these."""
    key = signing_key("ops", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signature_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', 1614265330, key
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_without_a_secret_repetitions_can_still_be_known():
    assert signature_headers("k", b"", 7, None) == {"webhook-id": "k", "webhook-timestamp": "7"}


@pytest.mark.parametrize(
    ("secret", "key"),
    [
        ("whsec_" + base64.b64encode(b"x" * 25).decode(), b"x" * 25),
        ("whsec_" + base64.b64encode(b"x" * 25).decode().rstrip("="), b"x" * 25),
        ("plain text ü", "plain text ü".encode()),
    ],
)
def test_a_secret_is_base64_after_its_prefix_or_any_text(secret, key):
    assert signing_key("ops", secret) == key


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_hunter2!", "whsec_hunter2ü", "hunter2\ud800"])
def test_a_secret_that_cannot_be_used_is_refused_without_being_quoted(secret):
    with pytest.raises(SettingsError, match="secret of the webhook 'ops'") as refused:
        signing_key("ops", secret)
    assert "hunter2" not in str(refused.value)


@given(st.text(st.characters(), max_size=300))
def test_any_key_becomes_a_word_of_ascii_without_a_full_stop(key):
    assert re.fullmatch(r"[A-Za-z0-9_~%-]{1,120}", header_key(key))


@given(st.text(st.characters(), max_size=200), st.text(st.characters(), max_size=200))
def test_other_keys_become_other_words(one, other):
    assert (header_key(one) == header_key(other)) == (one == other)


def test_a_key_of_plain_letters_stays_as_it_is():
    assert header_key("01JD_opened-2") == "01JD_opened-2"
    assert header_key("a:b.c") == "a%3Ab%2Ec"
