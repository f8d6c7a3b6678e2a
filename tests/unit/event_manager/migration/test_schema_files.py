"""Where the schema of a database is found."""

from __future__ import annotations

import json

import pytest

from madsci.common.errors import SettingsError
from madsci.event_manager.migration.schema_files import find_schema_file, own_schema_file
from madsci.event_manager.stores.mongo.schema import Index, Schema


def test_that_of_the_installed_event_manager_is_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_schema_file("madsci_events") == own_schema_file()
    assert Schema.read(own_schema_file()) == Schema.own()


@pytest.mark.parametrize(
    "folder", ["madsci/event_manager", "src/madsci_event_manager/madsci/event_manager"]
)
def test_one_in_the_present_directory_goes_first(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / folder / "schema.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    assert find_schema_file("madsci_events").resolve() == path


def test_the_schema_of_another_manager_has_to_be_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match="data manager, which is not installed"):
        find_schema_file("madsci_data")


def test_an_unknown_database_is_told_the_known_ones():
    with pytest.raises(SettingsError, match=r"'evnts'; known are madsci_events, madsci_data"):
        find_schema_file("evnts")


def test_the_schema_names_every_collection_that_servers_make():
    others = {"lanes", "unused_numbers", "documents", "turns", "schema_versions"}
    assert set(Schema.own().named("mine")) == {"mine", *others}


def test_keys_may_be_pairs_or_objects():
    pairs = Index(keys=[["a", 1], ["b", -1]], name="i")
    objects = Index(keys=[{"field": "a", "direction": 1}, {"field": "b", "direction": -1}], name="i")
    assert pairs == objects
    assert pairs.model().document["key"] == {"a": 1, "b": -1}


@pytest.mark.parametrize(
    "content", ["", "[]", '{"schema_version": "1"}', '{"schema_version": "1.0.0", "collections": 5}']
)
def test_a_file_that_is_no_schema_is_said(tmp_path, content):
    path = tmp_path / "schema.json"
    path.write_text(content)
    with pytest.raises(SettingsError, match="schema file"):
        Schema.read(path)
    with pytest.raises(SettingsError, match="schema file"):
        Schema.read(tmp_path / "missing.json")


def test_the_schema_of_the_reference_is_read(tmp_path):
    path = tmp_path / "schema.json"
    versions = [{"keys": [["version", 1]], "name": "version_unique", "unique": True}]
    path.write_text(json.dumps({
        "database": "madsci_events", "schema_version": "1.0.0",
        "collections": {"events": {"indexes": []}, "schema_versions": {"indexes": versions}},
    }))  # fmt: skip
    assert Schema.read(path).collections["schema_versions"].indexes[0].unique
