"""The lab's addresses: read once, set for the process, or for parts of a run."""

from __future__ import annotations

import pytest

from madsci.common.context import (
    GlobalMadsciContext,
    MadsciContext,
    get_current_madsci_context,
    has_madsci_context,
    madsci_context,
    madsci_context_class,
    set_current_madsci_context,
    with_madsci_context,
)
from madsci.common.errors import SettingsError


@pytest.fixture(autouse=True)
def lab(tmp_path, monkeypatch):
    """A lab directory to work in, and a process that has not asked for its context yet."""
    for name in MadsciContext.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("MADSCI_SETTINGS_DIR", raising=False)
    (tmp_path / ".madsci").mkdir()
    monkeypatch.chdir(tmp_path)
    GlobalMadsciContext.set_context(None)
    yield tmp_path
    GlobalMadsciContext.set_context(None)
    set_current_madsci_context(None)


def test_addresses_come_from_the_environment_and_from_files(lab, monkeypatch):
    monkeypatch.setenv("EVENT_SERVER_URL", "http://events:1")
    (lab / "context.env").write_text("DATA_SERVER_URL=http://data:2\n")
    (lab / "settings.yaml").write_text("lab_server_url: http://lab:3\nother: 1\n")
    (lab / "context.settings.json").write_text('{"resource_server_url": "http://resources:4"}')
    context = get_current_madsci_context()
    assert context.model_dump(exclude_none=True) == {
        "event_server_url": "http://events:1/",
        "data_server_url": "http://data:2/",
        "lab_server_url": "http://lab:3/",
        "resource_server_url": "http://resources:4/",
    }
    assert get_current_madsci_context() is context


def test_there_is_a_context_when_somebody_set_one_not_when_one_was_read():
    assert not has_madsci_context()
    get_current_madsci_context()
    assert not has_madsci_context()
    with madsci_context():
        assert has_madsci_context()
    assert not has_madsci_context()
    GlobalMadsciContext.set_context(MadsciContext())
    assert has_madsci_context()


def test_overrides_hold_inside_the_block():
    before = get_current_madsci_context()
    with madsci_context(event_server_url="http://a:1") as outer:
        with madsci_context(data_server_url="http://b:2") as inner:
            assert get_current_madsci_context() is inner
            assert (inner.event_server_url, inner.data_server_url) == ("http://a:1/", "http://b:2/")
        assert get_current_madsci_context() is outer
    assert get_current_madsci_context() is before
    assert before.event_server_url is None


def test_overrides_end_with_an_exception():
    with pytest.raises(KeyError), madsci_context(event_server_url="http://a:1"):
        raise KeyError
    assert get_current_madsci_context().event_server_url is None


@pytest.mark.parametrize("overrides", [{"event_server": "http://a:1"}, {"event_server_url": "nowhere"}])
def test_what_is_no_server_or_no_address_is_refused(overrides):
    with pytest.raises(SettingsError), madsci_context(**overrides):
        pass


def test_a_context_that_is_set_holds_from_then_on():
    set_current_madsci_context(MadsciContext(lab_server_url="http://lab"))
    assert get_current_madsci_context().lab_server_url == "http://lab/"


def test_functions_and_methods_run_with_their_addresses():
    @with_madsci_context(event_server_url="http://a")
    def ask(madsci_ctx=None):
        return madsci_ctx.event_server_url

    @madsci_context_class(event_server_url="http://b")
    class Client:
        def get_context_overrides(self):
            return {"data_server_url": "http://c"}

        def ask(self):
            return self.madsci_context.event_server_url, self.madsci_context.data_server_url

    assert ask() == "http://a/"
    assert Client().ask() == ("http://b/", "http://c/")
    assert Client().madsci_context.event_server_url is None
