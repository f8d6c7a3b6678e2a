"""Templates put what a message says into texts of JSON, and into nothing else."""

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madsci.common.errors import DeliveryError, SettingsError
from madsci.event_manager.alerts.channel import Message
from madsci.event_manager.alerts.template import Template

DOCUMENT = {
    "alert": {"rule": "too_hot", "count": 3, "open": True, "by": None, "group": {"a b": "x"}},
    "events": [{"message": "first"}, {"message": "second"}],
    "count": 3,
}


def message(**members) -> Message:
    given = {"key": "k1", "title": "Hot", "text": "Too hot.", "html": None, "severity": 40}
    return Message(**{**given, "document": DOCUMENT, **members})


def filled(template, **members):
    return Template("ops", template).filled(message(**members))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$title: $text", "Hot: Too hot."),
        ("$severity/$key/$event_id.", "40/k1/."),
        ("${title}s and ${ text }", "Hots and Too hot."),
        ("$alert.rule.", "too_hot."),
        ("$alert.count $alert.open [$alert.by]", "3 true []"),
        ("$events.1.message", "second"),
        ("${alert.group.a b}", "x"),
        ("$document.count", "3"),
        ("$alert.group", '{"a b": "x"}'),
        ("5 $ or $5, $$title, $$$title", "5 $ or $5, $title, $Hot"),
    ],
)
def test_words_stand_for_what_the_message_says(text, expected):
    assert filled({"x": [text, 7, None, {"y": text}]}) == {"x": [expected, 7, None, {"y": expected}]}


def test_the_whole_document_can_be_named():
    assert json.loads(filled({"x": "$document"})["x"]) == DOCUMENT


def test_names_of_members_stay_as_they_are():
    assert filled('{"$title": 1}') == {"$title": 1}


def test_a_template_may_be_text_of_any_json():
    assert filled('["$title"]') == ["Hot"]
    assert filled('"$title"') == "Hot"


@given(st.text(st.characters()))
def test_no_text_becomes_more_than_one_string(text):
    body = json.dumps(filled('{"a": "<$title>", "b": 1}', title=text))
    assert json.loads(body) == {"a": f"<{text}>", "b": 1}


def test_what_is_put_in_is_not_read_as_a_template_again():
    assert filled({"x": "$title"}, title="$text ${key} $$") == {"x": "$text ${key} $$"}


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("no json", r"is no JSON \(Expecting value"),
        ("{'a': 1}", "is no JSON"),
        ("[" * 60_000, "is no JSON"),
        ('{"a": NaN}', "is no JSON"),
        ('{"a": 1e999}', "is no JSON"),
        ({"a": date(2026, 1, 1)}, "is no JSON"),
        (
            {"a": "$titel"},
            r"names \$titel, which there is not. Did you mean title\?.*\$document\.titel",
        ),
        ({"a": ["${rule}"]}, r"names \$rule, which there is not\. There are \$title"),
        ({"a": "${}"}, "which there is not"),
        ({"a": "${alert..rule}"}, "empty name"),
        ({"a": "x" * 70_000}, "70,009 characters"),
        ("[" * 100_000, "100,000 characters"),
        ("[" * 60 + "]" * 60, "more than 50 levels"),
    ],
)
def test_a_template_that_can_never_be_filled_is_refused_when_it_is_made(template, reason):
    with pytest.raises(SettingsError, match=f"The template of the webhook 'ops' .*{reason}"):
        Template("ops", template)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (
            "alert.rul",
            r"asks for \$alert.rul, and this message has no 'rul' there. Did you mean rule\?",
        ),
        ("event.message", r"no 'event' there. Did you mean events\?"),
        ("alert.rule.x", "no 'x' there"),
        ("events.2.message", "no '2' there"),
        ("events.99999999999999999999", "no '9+' there"),
        ("events.-1", "no '-1' there"),
    ],
)
def test_a_path_that_a_message_does_not_have_fails_for_good(path, reason):
    with pytest.raises(DeliveryError, match=reason) as refused:
        filled({"a": f"${{{path}}}"})
    assert refused.value.is_final


def test_a_long_text_is_cut_and_many_of_them_are_refused():
    cut = filled({"a": "$text"}, text="x" * 30_000)["a"]
    assert (len(cut), cut[-1]) == (20_000, "…")
    with pytest.raises(DeliveryError, match="more than 1,000,000 characters") as refused:
        filled({"a": "$text" * 51}, text="x" * 30_000)
    assert refused.value.is_final
