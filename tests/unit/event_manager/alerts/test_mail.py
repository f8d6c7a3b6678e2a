"""Mails are what RFC 5322 has, whatever the texts hold that they are made of."""

from __future__ import annotations

from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madsci.common.errors import DeliveryError, SettingsError
from madsci.event_manager.alerts.mail import Importance, Mail, address, header_text

SENDER = "lab@example.org"


def read_back(mail: Mail, recipient: str = "anna@example.org", **named):
    return message_from_bytes(mail.to(recipient, SENDER, **named).as_bytes(), policy=policy.default)


def test_a_mail_says_the_same_as_text_and_as_html():
    read = read_back(Mail("Step failed", "It is ü.\n", "<p>It is ü.</p>"))
    assert read["Subject"] == "Step failed"
    assert (read["From"], read["To"]) == (SENDER, "anna@example.org")
    assert read.get_body(["plain"]).get_content().splitlines() == ["It is ü."]
    assert read.get_body(["html"]).get_content().splitlines() == ["<p>It is ü.</p>"]
    assert read["Auto-Submitted"] == "auto-generated"
    assert read["Date"].datetime is not None


@pytest.mark.parametrize(("name", "number"), [("High", "1"), ("normal", "3"), (" LOW ", "5")])
def test_the_importance_is_said_in_both_usual_ways(name, number):
    read = read_back(Mail("s", "t", importance=Importance.named(name)))
    assert read["X-Priority"] == number
    assert read["Importance"].lower() == name.strip().lower()


def test_an_unknown_importance_is_refused_with_those_there_are():
    with pytest.raises(SettingsError, match=r"'urgent' is no importance.*High, Normal or Low"):
        Importance.named("urgent")


def test_a_mail_that_is_sent_again_has_the_same_id_and_another_one_another():
    mail = Mail("s", "t")
    ids = [read_back(mail, key=key)["Message-ID"] for key in ("k1", "k1", "k2", None, None)]
    assert ids[:3] == ["<k1@example.org>", "<k1@example.org>", "<k2@example.org>"]
    assert len(set(ids)) == 4


@given(
    st.text(st.characters()),
    st.dictionaries(st.sampled_from(["X-MADSci-Event-ID", "X-Rule"]), st.text(st.characters())),
)
def test_no_text_makes_another_header_or_another_recipient(text, headers):
    text = f"a\r\nBcc: c@example.org\r\n\r\n{text}\n"
    read = read_back(Mail(text, text, text, headers=headers))
    known = {"Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "Importance"}
    known |= {"X-Priority", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"}
    assert set(read.keys()) <= known | set(headers)
    assert read["To"] == "anna@example.org"
    assert len(read["Subject"]) <= 200
    assert not read.defects


def test_a_header_is_header_text_of_a_length_that_is_read():
    assert header_text(" a\r\n b\t\x00c\u2028d\u202ee ") == "a b c d e"
    assert header_text("x" * 500) == "x" * 199 + "…"


@pytest.mark.parametrize(
    "text", ["anna@example.org", " anna@example.org ", "Anna <anna@example.org>", "jö@exämple.org"]
)
def test_an_address_may_have_a_name_and_letters_of_any_language(text):
    assert address(text).domain in {"example.org", "exämple.org"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "anna",
        "anna@",
        "@example.org",
        "a b@example.org",
        "a@x.org, b@x.org",
        "a@x.org;",
        "a@x\nTo: b",
        "a@x..org",
    ],
)
def test_what_is_no_address_is_refused_for_good(text):
    with pytest.raises(DeliveryError, match="is no address of a mail") as refused:
        address(text)
    assert refused.value.is_final
