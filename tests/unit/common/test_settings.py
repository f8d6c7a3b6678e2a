"""Settings come from where people put them, say what is wrong with them and keep secrets."""

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from madsci.common.errors import SettingsError
from madsci.common.settings import (
    REDACTED,
    HttpUrl,
    LevelSetting,
    MadsciPath,
    MadsciSettings,
    SecretsMasked,
    SettingsSources,
    SettingTraits,
    environment_names,
    mask_url,
    masked_json,
    settings_help,
    settings_of_flags,
    unknown_settings,
)
from madsci.common.settings.files import (
    FileSearch,
    Layer,
    read_mapping,
    resolve_madsci_path,
    start_directory,
)
from madsci.common.types.client_config import EventClientConfig
from madsci.common.types.log_level import EventLogLevel
from madsci.common.types.manager_settings import EventManagerSettings

ROOT = Path(__file__).parents[3]


class Mail(SecretsMasked):
    server: str = "mail.example.com"
    port: int = Field(25, ge=1)
    password: Annotated[str | None, SettingTraits(secret=True)] = None
    to: list[str] = Field(default_factory=list)


class Anything(BaseModel, extra="allow"):
    pass


class Oven(MadsciSettings):
    sources: ClassVar[SettingsSources] = SettingsSources(
        prefix="OVEN_",
        dotenv_names=(".env", "oven.env"),
        file_stems=("settings", "oven"),
        shared_stems=("settings",),
        foreign_prefixes=("OVEN_DOOR_",),
        unimplemented=frozenset({"grill"}),
    )
    name: str = "default"
    degrees: int = Field(180, ge=1)
    url: Annotated[
        str | None,
        SettingTraits(environment=("OVEN_URL", "URL"), synonyms=("address",), credentials=True),
    ] = None
    pin: Annotated[str | None, SettingTraits(secret=True)] = None
    trays: list[str] = Field(default_factory=list)
    mail: Mail | None = None
    owner: Anything | None = None
    level: LevelSetting = EventLogLevel.ERROR
    log_dir: MadsciPath = Path(".madsci/logs")
    server: HttpUrl = "http://localhost/"


@pytest.fixture(autouse=True)
def lab(tmp_path, monkeypatch):
    """A lab directory to work in, outside of which nothing is found."""
    for variable in ("MADSCI_SETTINGS_DIR", "URL", "DB_URL"):
        monkeypatch.delenv(variable, raising=False)
    directory = tmp_path / "lab"
    (directory / ".madsci").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(directory)
    return directory


def message(build: Any, *arguments: Any, **values: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        build(*arguments, **values)
    return caught.value.message


SOURCES = {  # from the highest precedence to the lowest: the file, and what stands in it
    "environment": (None, ""),
    "own dotenv": ("oven.env", "OVEN_NAME='own dotenv'"),
    "shared dotenv": (".env", 'OVEN_NAME="shared dotenv"'),
    "own json": ("oven.json", '{"name": "own json"}'),
    "shared json": ("settings.json", '{"name": "shared json"}'),
    "own toml": ("oven.toml", 'name = "own toml"'),
    "shared toml": ("settings.toml", 'name = "shared toml"'),
    "own yaml": ("oven.yaml", "name: own yaml"),
    "own yml": ("oven.yml", "name: own yml"),
    "shared yaml": ("settings.yaml", "name: shared yaml"),
}


def write_source(source, lab, monkeypatch):
    name, content = SOURCES[source]
    if name is None:
        monkeypatch.setenv("OVEN_NAME", source)
    else:
        (lab / name).write_text(content)


class TestPrecedence:
    @pytest.mark.parametrize(("higher", "lower"), list(itertools.combinations(SOURCES, 2)))
    def test_of_two_sources_the_higher_one_wins(self, lab, monkeypatch, higher, lower):
        write_source(lower, lab, monkeypatch)
        assert Oven().name == lower
        write_source(higher, lab, monkeypatch)
        assert Oven().name == higher

    @pytest.mark.parametrize("source", SOURCES)
    def test_an_argument_wins_over_every_source(self, lab, monkeypatch, source):
        write_source(source, lab, monkeypatch)
        assert Oven(name="argument").name == "argument"

    def test_without_any_source_the_default_holds(self):
        assert Oven().name == "default"

    def test_an_object_is_merged_member_by_member(self, lab, monkeypatch):
        (lab / "oven.yaml").write_text("mail: {server: mail.lab, port: 26, to: [a@lab]}")
        monkeypatch.setenv("OVEN_MAIL__PASSWORD", "hunter2")
        mail = Oven(mail={"port": 27}).mail
        assert mail == Mail(server="mail.lab", port=27, to=["a@lab"], password="hunter2")

    def test_an_object_given_whole_is_taken_whole(self, monkeypatch):
        monkeypatch.setenv("OVEN_MAIL__SERVER", "mail.lab")
        assert Oven(mail=Mail(port=1)).mail == Mail(port=1)

    def test_an_unprefixed_key_of_a_file_wins_over_a_prefixed_one(self, lab):
        (lab / "settings.yaml").write_text("oven_name: prefixed\noven_degrees: 90\nname: plain")
        assert (Oven().name, Oven().degrees) == ("plain", 90)

    def test_the_variables_of_a_setting_win_in_their_order(self, monkeypatch):
        monkeypatch.setenv("URL", "http://general")
        assert Oven().url == "http://general"
        monkeypatch.setenv("OVEN_URL", "http://special")
        assert Oven().url == "http://special"

    def test_a_null_above_a_value_clears_it_and_members_above_a_null_build_the_object(
        self, lab, monkeypatch
    ):
        (lab / "oven.yaml").write_text("mail: {server: mail.lab}")
        monkeypatch.setenv("OVEN_MAIL", "null")
        assert Oven().mail is None
        assert Oven(mail={"port": 3}).mail == Mail(port=3)


class TestEnvironment:
    def test_letter_case_does_not_matter_and_capitals_win(self, monkeypatch):
        monkeypatch.setenv("oven_Name", "small")
        assert Oven().name == "small"
        if sys.platform != "win32":
            monkeypatch.setenv("OVEN_NAME", "CAPITAL")
            assert Oven().name == "CAPITAL"

    def test_an_empty_value_counts_as_not_set(self, lab, monkeypatch):
        monkeypatch.setenv("OVEN_NAME", "")
        (lab / ".env").write_text("OVEN_DEGREES=\nOVEN_PIN")
        oven = Oven()
        assert (oven.name, oven.degrees, oven.pin) == ("default", 180, None)

    def test_only_the_word_null_means_none(self, monkeypatch):
        monkeypatch.setenv("OVEN_URL", "null")
        monkeypatch.setenv("OVEN_PIN", "None")
        assert (Oven().url, Oven().pin) == (None, "None")

    def test_lists_and_objects_are_json_also_inside_objects(self, monkeypatch):
        monkeypatch.setenv("OVEN_TRAYS", '["a", "b"]')
        monkeypatch.setenv("OVEN_MAIL__TO", '["x@lab"]')
        monkeypatch.setenv("OVEN_MAIL__PORT", "2")
        monkeypatch.setenv("OVEN_MAIL", '{"server": "mail.lab", "port": 1}')
        monkeypatch.setenv("OVEN_OWNER__DEEP__DOWN", "[1]")
        oven = Oven()
        assert oven.trays == ["a", "b"]
        assert oven.mail == Mail(server="mail.lab", port=2, to=["x@lab"])
        assert oven.owner.model_extra == {"deep": {"down": "[1]"}}

    def test_what_is_not_json_is_named_and_does_not_hide_other_mistakes(self, monkeypatch):
        monkeypatch.setenv("OVEN_TRAYS", "a,b")
        monkeypatch.setenv("OVEN_DEGREES", "hot")
        text = message(Oven)
        assert "trays = 'a,b' (environment variable OVEN_TRAYS): it should be JSON" in text
        assert "degrees = 'hot' (environment variable OVEN_DEGREES)" in text
        assert len(text.splitlines()) == 2

    def test_broken_json_alone_is_refused_and_may_hold_a_secret(self, monkeypatch):
        monkeypatch.setenv("OVEN_MAIL", '{"password": "hunter2",}')
        text = message(Oven)
        assert "OVEN_MAIL" in text
        assert "hunter2" not in text

    def test_the_command_line_of_the_program_is_not_read(self, monkeypatch):
        monkeypatch.setattr(sys, "argv", ["robot.py", "--name", "taken"])
        assert Oven().name == "default"


class TestFiles:
    def test_a_file_is_sought_upwards_to_the_directory_of_the_lab(self, lab, monkeypatch):
        below = lab / "a" / "b"
        below.mkdir(parents=True)
        (lab / "oven.yaml").write_text("name: lab\ndegrees: 7")
        (lab.parent / "settings.yaml").write_text("name: outside\ndegrees: 8\ntrays: [t]")
        monkeypatch.chdir(below)
        assert (Oven().name, Oven().trays) == ("lab", [])
        (below / "oven.yaml").write_text("name: near")
        assert (Oven().name, Oven().degrees) == ("near", 180)

    def test_the_search_ends_at_a_repository(self, lab, monkeypatch):
        inner = lab / "repository" / "src"
        inner.mkdir(parents=True)
        (lab / "repository" / ".git").write_text("gitdir: elsewhere")
        (lab / "oven.yaml").write_text("name: outside")
        monkeypatch.chdir(inner)
        assert Oven().name == "default"

    def test_the_search_ends_at_home(self, tmp_path, monkeypatch):
        home = tmp_path / "home"
        home.mkdir()
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setenv("USERPROFILE", str(home))
        monkeypatch.chdir(home)
        (tmp_path / "oven.yaml").write_text("name: outside")
        assert Oven().name == "default"

    def test_at_most_ten_parents_are_searched(self, tmp_path):
        far = tmp_path.joinpath(*"abcdefghijkl")
        far.mkdir(parents=True)
        searched = FileSearch.upwards(far).directories
        assert searched[:11] == (far, *far.parents[:10])
        assert searched[11:] == (far / "managers", far / "config")

    def test_managers_and_config_below_are_the_last_places(self, lab):
        for name in ("managers", "config"):
            (lab / name).mkdir()
        (lab / "config" / "oven.yaml").write_text("name: config")
        assert Oven().name == "config"
        (lab / "managers" / "oven.yaml").write_text("name: managers")
        assert Oven().name == "managers"

    def test_a_directory_can_be_named(self, tmp_path, monkeypatch):
        other = tmp_path / "other"
        other.mkdir()
        (other / "oven.yaml").write_text("name: other")
        monkeypatch.setenv("MADSCI_SETTINGS_DIR", str(other))
        assert Oven().name == "other"
        monkeypatch.setenv("MADSCI_SETTINGS_DIR", str(other / "missing"))
        assert "MADSCI_SETTINGS_DIR is" in message(Oven)

    def test_files_from_windows_begin_with_a_mark_and_may_be_empty(self, lab):
        (lab / "oven.yaml").write_bytes(b"\xef\xbb\xbfname: marked\r\n")
        (lab / "settings.yaml").write_text("# nothing yet")
        (lab / "oven.json").write_text(" ")
        assert Oven().name == "marked"

    @pytest.mark.parametrize(
        ("name", "content", "place"),
        [
            ("oven.json", '{\n"name": }', "line 2, column 9"),
            ("oven.json", '{"degrees": ' + "9" * 5000 + "}", "not JSON"),
            ("oven.toml", "name = \n", "line 1"),
            ("oven.yaml", "name: x\n  y: z", "line 2"),
            ("oven.yaml", "name: 2024-99-99", "not YAML"),
            ("oven.yaml", "- a\n- b", "holds a list"),
            ("oven.env", "OVEN_NAME=a\n=b\n", "line 2"),
            (".env", b"OVEN_NAME=\xff", "not UTF-8"),
        ],
    )
    def test_a_file_that_cannot_be_parsed_is_named_with_the_place(self, lab, name, content, place):
        path = lab / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        text = message(Oven)
        assert str(path) in text
        assert place in text

    def test_a_parse_error_does_not_quote_a_password(self, lab):
        (lab / "oven.yaml").write_text("pin: *hunter2")
        assert "hunter2" not in message(Oven)

    def test_what_is_no_file_is_passed_over(self, lab):
        (lab / "oven.yaml").mkdir()
        assert Oven().name == "default"
        assert FileSearch((lab,)).find("x" * 5000) is None  # the system refuses to look

    def test_a_file_that_cannot_be_read_is_named(self, lab):
        assert str(lab / "gone.yaml") in message(read_mapping, lab / "gone.yaml")

    def test_a_user_without_a_home_can_have_settings(self, lab, monkeypatch):
        def no_home():
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr(Path, "home", no_home)
        (lab / "oven.yaml").write_text("name: lab")
        assert Oven().name == "lab"

    def test_nothing_is_remembered_between_constructions(self, lab):
        (lab / "oven.yaml").write_text("name: first")
        assert Oven().name == "first"
        (lab / "oven.yaml").write_text("name: second")
        assert Oven().name == "second"


class TestArguments:
    def test_an_unknown_argument_is_refused_with_the_name_that_was_meant(self):
        text = message(Oven, degres=7, zzz=1)
        assert text.splitlines() == [
            "The argument degres is not a setting of Oven and has no effect. Did you mean degrees?",
            "The argument zzz is not a setting of Oven and has no effect. Remove it.",
        ]

    def test_an_argument_of_another_release_is_warned_of_and_has_no_effect(self):
        sentence = "The argument grill is not implemented in this version and has no effect. Remove it."
        with pytest.warns(UserWarning, match=sentence):
            assert Oven(grill=True, degrees=7).degrees == 7
        with pytest.warns(UserWarning, match="oven_grill"):
            assert Oven().replaced(oven_grill=True, degrees=7).degrees == 7

    def test_synonyms_and_prefixed_names_are_taken(self, lab):
        assert Oven(address="http://a").url == "http://a"
        assert Oven(oven_address="http://a").url == "http://a"
        (lab / "oven.yaml").write_text("Address: http://file")
        assert Oven().url == "http://file"

    def test_two_names_of_one_setting_must_agree(self):
        assert "address" in message(Oven, address="http://a", url="http://b")
        assert Oven(address="http://a", url="http://a").url == "http://a"

    def test_validating_a_mapping_constructs_too(self, monkeypatch):
        monkeypatch.setenv("OVEN_DEGREES", "7")
        oven = Oven.model_validate({"address": "http://a"})
        assert (oven.url, oven.degrees) == ("http://a", 7)


class TestWrongValues:
    def test_each_wrong_setting_has_one_line_with_its_place_and_remedy(self, lab, monkeypatch):
        (lab / "oven.yaml").write_text("level: LOUD\nmail: {port: 0}")
        monkeypatch.setenv("OVEN_DEGREES", "hot")
        lines = message(Oven, trays="x").splitlines()
        assert lines == [
            (
                "degrees = 'hot' (environment variable OVEN_DEGREES): it should be a valid integer,"
                " unable to parse string as an integer. Correct it, or remove degrees for the default"
                " 180."
            ),
            (
                "trays = 'x' (argument trays): it should be a valid list. Correct it, or remove trays"
                " for the default []."
            ),
            (
                f"mail.port = 0 (mail in {lab / 'oven.yaml'}): it should be greater than or equal to 1."
                " Correct it, or remove mail for the default (none)."
            ),
            (
                f"level = 'LOUD' (level in {lab / 'oven.yaml'}): it should be a log level: DEBUG, INFO,"
                " WARNING, ERROR, CRITICAL or a number up to 50. Correct it, or remove level for the"
                " default 'ERROR'."
            ),
        ]

    def test_secrets_do_not_appear(self, monkeypatch):
        monkeypatch.setenv("OVEN_MAIL", '"hunter2"')
        monkeypatch.setenv("OVEN_NAME", "x")
        text = message(Oven, pin=["hunter2"], owner="http://u:hunter2@h")
        assert text.count(REDACTED) == 3
        assert "hunter2" not in text

    def test_a_wrong_member_of_an_object_that_holds_secrets(self, monkeypatch):
        monkeypatch.setenv("OVEN_MAIL__PASSWORD", "hunter2")
        text = message(Oven, mail={"password": ["hunter2"], "to": {"a": 1}})
        assert "mail.password = ***REDACTED***" in text
        assert "mail.to = a dict (argument mail)" in text
        assert "hunter2" not in text

    def test_assigning_checks_too(self):
        oven = Oven()
        oven.degrees = "200"
        assert oven.degrees == 200
        assert "degrees = 'hot' (argument degrees)" in message(setattr, oven, "degrees", "hot")

    def test_a_copy_with_changes_is_checked_and_reads_nothing(self, monkeypatch):
        oven = Oven(mail=Mail(port=5))
        monkeypatch.setenv("OVEN_NAME", "later")
        copy = oven.replaced(address="http://a", mail={"port": 6})
        assert (copy.name, copy.url, copy.mail) == ("default", "http://a", Mail(port=6))
        assert oven.url is None
        assert "degrees = 0 (argument degrees)" in message(oven.replaced, degrees=0)
        assert "Did you mean degrees?" in message(oven.replaced, degree=1)


class TestMasking:
    @given(st.text(st.characters(codec="utf-8", exclude_categories=("Z", "C")), min_size=1))
    def test_no_password_survives_in_a_text(self, password):
        text = f"cannot reach mongodb://user:{password}@host:27017/db now"
        assert mask_url(text) == f"cannot reach mongodb://{REDACTED}@host:27017/db now"

    @pytest.mark.parametrize(
        "text",
        ["sqlite:///x/y.db", "http://[::1]:8001/", "a@b.c", "see http://h/ or mail a@b", "", "://"],
    )
    def test_a_text_without_credentials_stays(self, text):
        assert mask_url(text) == text

    def test_passwords_in_the_query_of_a_url_are_masked(self):
        url = "mongodb://h/?tlsCertificateKeyFilePassword=hunter2&x=1"
        assert mask_url(url) == f"mongodb://h/?tlsCertificateKeyFilePassword={REDACTED}&x=1"

    def test_a_long_text_takes_no_long_time(self):
        assert len(mask_url("http://a:" * 20_000)) == 180_000

    @given(st.text(min_size=1))
    def test_repr_and_masked_settings_show_no_credentials(self, secret):
        password = f"<{secret}>"
        oven = Oven.model_construct(
            url=f"mongodb://u:{password}@h/db", pin=password, mail=Mail(password=password)
        )
        for shown in (repr(oven), str(oven), json.dumps(oven.masked(), ensure_ascii=False)):
            assert password not in shown
            assert f"mongodb://{REDACTED}@h/db" in shown

    def test_a_value_that_is_no_url_but_holds_an_at_sign_is_masked_before_it(self):
        assert Oven(url="u:p@h").masked()["url"] == f"{REDACTED}@h"

    def test_masked_settings_are_json_by_plain_name(self):
        shown = Oven(pin="1234", mail=Mail(password="p")).masked()
        assert list(shown) == list(Oven.model_fields)
        assert shown["pin"] == REDACTED
        assert shown["mail"]["password"] == REDACTED
        assert (shown["level"], shown["trays"], shown["url"]) == (40, [], None)

    def test_defaults_are_told_by_the_value_and_not_by_the_mask(self):
        assert Oven().masked(include_defaults=False) == {}
        shown = Oven(url="http://u:p@h", name="default").masked(include_defaults=False)
        assert shown == {"url": f"http://{REDACTED}@h"}

    def test_a_document_is_masked_at_any_depth(self):
        document = {
            "a": [{"api_key": "k", "note": "http://u:p@h", 3: (1, 2.5, float("nan"))}],
            "password": None,
            "use_token": True,
            "nested": {"smtp_password": "x"},
        }
        assert masked_json(document) == {
            "a": [{"api_key": REDACTED, "note": f"http://{REDACTED}@h", "3": [1, 2.5, "nan"]}],
            "password": None,
            "use_token": True,
            "nested": {"smtp_password": REDACTED},
        }


class TestUnknownSettings:
    def test_variables_and_keys_without_a_setting_are_named(self, lab, monkeypatch):
        monkeypatch.setenv("OVEN_DEGRES", "1")
        monkeypatch.setenv("OVEN_MAIL__SERVR", "x")
        monkeypatch.setenv("OVEN_GRILL", "1")
        (lab / "oven.env").write_text("OVEN_NAM=x\nOTHER=1")
        (lab / "settings.yaml").write_text("other: 1\noven_degreees: 7\nmail: {sevrer: x}")
        (lab / "oven.yaml").write_text("trys: []")
        oven = "is not a setting of Oven and has no effect."
        assert unknown_settings(Oven) == [
            f"The environment variable OVEN_DEGRES {oven} Did you mean OVEN_DEGREES?",
            (
                "The environment variable OVEN_GRILL is not implemented in this version and has no"
                " effect. Remove it."
            ),
            f"The environment variable OVEN_MAIL__SERVR {oven} Did you mean OVEN_MAIL__SERVER?",
            f"The environment variable OVEN_NAM in {lab / 'oven.env'} {oven} Did you mean OVEN_NAME?",
            f"oven_degreees in {lab / 'settings.yaml'} {oven} Did you mean oven_degrees?",
            f"mail.sevrer in {lab / 'settings.yaml'} {oven} Did you mean server?",
            f"trys in {lab / 'oven.yaml'} {oven} Did you mean trays?",
        ]

    def test_what_is_a_setting_or_belongs_to_others_is_not_named(self, lab, monkeypatch):
        monkeypatch.setenv("OVEN_NAME", "x")
        monkeypatch.setenv("OVEN_DOOR_OPEN", "1")
        monkeypatch.setenv("OVEN_MAIL__TO", "[]")
        monkeypatch.setenv("OVEN_OWNER__ANYBODY", "x")
        (lab / "settings.yaml").write_text("fridge: 1\nname: x\nmail: {to: []}\noven_door_open: 1")
        assert unknown_settings(Oven) == []


class TestCommandLine:
    def test_flags_have_dashes_or_underscores_and_become_arguments(self):
        oven = settings_of_flags(
            Oven,
            ["--degrees", "200", "--log_dir=/tmp/x", "--trays", '["a"]', "--address", "null"],
        )
        assert (oven.degrees, oven.log_dir, oven.trays, oven.url) == (200, Path("/tmp/x"), ["a"], None)

    @pytest.mark.parametrize(
        ("words", "part"),
        [
            (["--degres", "1"], "Unknown flag --degres; did you mean --degrees?"),
            (["--log_dri=x"], "Unknown flag --log-dri; did you mean --log-dir?"),
            (["--zzz"], "Unknown flag --zzz. --help lists those that there are."),
            (["--grill=1"], "not implemented"),
            (["degrees"], "not a flag"),
            (["--degrees"], "has no value"),
            (["--degrees", "--name"], "has no value"),
            (["--trays", "a"], "flag --trays"),
            (["--degrees", "hot"], "degrees = 'hot' (flag --degrees)"),
        ],
    )
    def test_what_cannot_be_meant_is_refused(self, words, part):
        assert part in message(settings_of_flags, Oven, words)

    def test_help_lists_every_setting_with_its_variables(self, capsys):
        with pytest.raises(SystemExit) as caught:
            settings_of_flags(Oven, ["--help"])
        assert caught.value.code == 0
        printed = capsys.readouterr().out
        assert printed == settings_help(Oven)
        for name in Oven.model_fields:
            assert f"--{name.replace('_', '-')}  " in printed
        assert "OVEN_URL, URL" in printed


class TestPaths:
    def test_a_lab_path_leads_to_the_nearest_lab(self, lab, monkeypatch):
        below = lab / "a"
        below.mkdir()
        (below / ".git").mkdir()
        monkeypatch.chdir(below)
        assert resolve_madsci_path(".madsci/logs") == lab / ".madsci/logs"
        assert Oven().log_dir == lab / ".madsci/logs"
        assert Oven(log_dir=".madsci/x").log_dir == lab / ".madsci/x"

    def test_without_a_lab_it_leads_to_the_repository_and_then_to_home(self, lab):
        (lab / ".madsci").rmdir()
        assert resolve_madsci_path(".madsci") == lab.parent / ".madsci"
        (lab / ".git").mkdir()
        assert resolve_madsci_path(".madsci/x") == lab / ".madsci/x"

    def test_other_paths_stay_and_a_tilde_is_home(self, tmp_path):
        assert resolve_madsci_path("logs/.madsci") == Path("logs/.madsci")
        assert resolve_madsci_path(tmp_path) == tmp_path
        assert resolve_madsci_path("~/.madsci/logs") == tmp_path / ".madsci/logs"

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a directory in use")
    def test_a_working_directory_that_was_removed_is_survived(self, lab, tmp_path):
        (lab / ".madsci").rmdir()
        lab.rmdir()
        assert start_directory() == tmp_path


class TestTypesOfValues:
    @pytest.mark.parametrize(
        ("value", "url"),
        [
            ("http://localhost:8001", "http://localhost:8001/"),
            ("https://lab/events/", "https://lab/events/"),
            (" http://[::1]:1 ", "http://[::1]:1/"),
        ],
    )
    def test_a_url_ends_with_a_slash(self, value, url):
        assert Oven(server=value).server == url

    @pytest.mark.parametrize(
        "value", ["localhost:8001", "ftp://h", "http://", "http://h:x", "http://h/?a=1", "http://[", ""]
    )
    def test_what_is_no_url_is_refused(self, value):
        assert message(Oven, server=value).startswith("server = ")

    @given(st.integers(-10, 50))
    def test_a_threshold_between_two_levels_is_the_higher_one(self, number):
        level = Oven(level=number).level
        assert level >= number
        assert all(other < number or other >= level for other in EventLogLevel)

    @pytest.mark.parametrize(
        ("value", "level"), [("warning", 30), ("20", 20), (EventLogLevel.DEBUG, 10)]
    )
    def test_a_level_is_a_name_or_a_number(self, value, level):
        assert Oven(level=value).level == level

    @pytest.mark.parametrize("value", [51, "LOUD", None, True])
    def test_what_is_no_level_is_refused(self, value):
        assert "it should be a log level" in message(Oven, level=value)


class TestLayer:
    def test_the_nearest_known_place_is_the_origin(self):
        layer = Layer()
        layer.put(("a",), {"b": {"c": 1}}, "file")
        layer.put(("a", "b", "c"), 2, "variable")
        assert layer.values == {"a": {"b": {"c": 2}}}
        assert layer.origin(("a", "b", "c", "d")) == "variable"
        assert layer.origin(("a", "b", "x")) == "file"
        assert layer.origin(("z",)) is None


@pytest.mark.parametrize("model", [EventClientConfig, EventManagerSettings])
def test_every_setting_has_its_line_in_the_reference(model):
    text = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
    heading = f"## {model.__name__}\n"
    rows = text.partition(heading)[2].partition("\n## ")[0].splitlines()
    for name, info in model.model_fields.items():
        (row,) = [row for row in rows if row.startswith(f"| `{name}` |")]
        assert info.description in row
        for variable in environment_names(model, name):
            assert f"`{variable}`" in row


def test_the_client_configuration_loads_no_parser_and_no_event_loop():
    program = (
        "import sys, madsci.common.types.client_config as module; module.EventClientConfig();"
        "print([name for name in ('asyncio', 'pydantic_settings', 'yaml', 'dotenv', 'tomllib',"
        " 'tomli', 'difflib', 'fastapi') if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout.strip() == "[]"
