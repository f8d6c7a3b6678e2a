"""Reports as CSV: in the reply, or in files of the server, and there only where it lets reports be."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from support.lab_story import experiment, session, workflow
from support.reports import rows_of, send

FORMULA = "=cmd|' /C calc'!A0"
DAY = {"start_time": "2025-01-06T00:00:00Z", "end_time": "2025-01-07T00:00:00Z"}
SAVED = {**DAY, "csv_format": True, "save_to_file": True}
SESSIONS, USERS, PERIODS = "/utilization/sessions", "/utilization/user", "/utilization/periods"


def a_day() -> list:
    return [
        *session("06:00", "10:00", name=FORMULA),
        *experiment("07:00", "08:00"),
        *workflow("07:00", "07:30", "f", FORMULA, status="completed"),
    ]


@pytest.fixture
def saving(serve, lab):
    """A server that writes reports into a folder."""
    client = serve(report_dir=lab / "reports")
    send(client, a_day())
    return client


def today() -> set[str]:
    """The day of now, in UTC; two where it is about to be another one."""
    now = datetime.now(timezone.utc)
    return {f"{now + timedelta(minutes=late):%Y%m%d}" for late in (-5, 0)}


def all_files(folder: Path) -> list[str]:
    return sorted(str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file())


class TestInTheReply:
    @pytest.mark.parametrize(
        ("path", "name", "headings"),
        [
            (
                SESSIONS,
                "session_utilization_report.csv",
                ["UTILIZATION REPORT", "SESSION DETAILS"],
            ),
            (
                USERS,
                "user_utilization_report.csv",
                ["DETAILED USER UTILIZATION REPORT", "USER DETAILS"],
            ),
            (
                f"{USERS}s",
                "user_utilization_report.csv",
                ["DETAILED USER UTILIZATION REPORT", "USER DETAILS"],
            ),
            (
                PERIODS,
                "utilization_periods_report.csv",
                [
                    "UTILIZATION PERIODS REPORT", "TIME SERIES DATA", "NODE SUMMARY",
                    "WORKCELL SUMMARY", "USER UTILIZATION", "EXPERIMENT DETAILS",
                ],
            ),
        ],
    )  # fmt: skip
    def test_a_report_is_a_file_of_sections(self, client, path, name, headings):
        send(client, a_day())
        reply = client.get(path, params={**DAY, "csv_format": True})
        assert reply.status_code == 200
        assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert reply.headers["Content-Disposition"] == f"attachment; filename={name}"
        assert reply.text.endswith("\r\n")
        assert reply.text.count("\n") == reply.text.count("\r\n")
        found = [row[0].strip("= ") for row in rows_of(reply.text) if row and row[0].startswith("===")]
        assert found == [*headings, "COMPLETENESS"]
        assert ["Events Not Read Yet", "0"] in rows_of(reply.text)

    @pytest.mark.parametrize("path", [SESSIONS, USERS, PERIODS])
    def test_names_that_look_like_formulas_are_texts(self, client, path):
        send(client, a_day())
        reply = client.get(path, params={**DAY, "csv_format": True})
        cells = [cell for row in rows_of(reply.text) for cell in row]
        assert f"'{FORMULA}" in cells
        assert FORMULA not in cells

    def test_nothing_is_a_file_of_sections_too(self, client):
        for path in (SESSIONS, USERS, PERIODS):
            assert client.get(path, params={"csv_format": True}).text.startswith("===")

    def test_head_tells_the_name_of_the_file(self, client):
        reply = client.head(SESSIONS, params={"csv_format": True})
        assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert "session_utilization_report.csv" in reply.headers["Content-Disposition"]


class TestInFilesOfTheServer:
    @pytest.mark.parametrize(
        ("path", "name", "kind"),
        [
            (SESSIONS, "madsci_utilization_report_basic_{day}.csv", "session_utilization"),
            (USERS, "madsci_user_utilization_detailed_{day}.csv", "user_utilization"),
            (PERIODS, "madsci_utilization_periods_daily_{day}.csv", "utilization_periods"),
            (
                f"{PERIODS}?analysis_type=weekly",
                "madsci_utilization_periods_weekly_{day}.csv",
                "utilization_periods",
            ),
        ],
    )
    def test_the_reply_tells_where_it_is(self, saving, path, name, kind):
        address, _, more = path.partition("?")
        asked = {**SAVED, "output_path": "of/today", **dict(parse_qsl(more))}
        reply = saving.get(address, params=asked)
        assert reply.status_code == 200
        body = reply.json()
        file = Path(body.pop("file_path"))
        assert body == {
            "success": True,
            "message": "CSV file saved successfully",
            "csv_format": True,
            "saved_to_server": True,
            "report_type": kind,
        }
        assert file.parent.parts[-3:] == ("reports", "of", "today")
        assert file.name in {name.format(day=day) for day in today()}
        assert "Content-Disposition" not in reply.headers

    def test_the_file_is_what_the_reply_would_be(self, saving):
        sent = saving.get(SESSIONS, params={**DAY, "csv_format": True})
        saved = saving.get(SESSIONS, params={**SAVED, "output_path": "x"})
        assert Path(saved.json()["file_path"]).read_bytes() == sent.content

    def test_a_second_one_of_a_day_does_not_replace_the_first(self, saving, lab):
        paths = []
        for _ in range(3):
            reply = saving.get(USERS, params={**SAVED, "output_path": "x"})
            paths.append(Path(reply.json()["file_path"]))
        assert len(set(paths)) == 3
        assert len(all_files(lab / "reports")) == 3
        assert all(path.read_bytes() == paths[0].read_bytes() for path in paths)

    def test_a_file_that_is_there_stays_as_it_is(self, saving, lab):
        folder = lab / "reports" / "x"
        folder.mkdir(parents=True)
        names = [f"madsci_user_utilization_detailed_{day}.csv" for day in today()]
        for name in names:
            (folder / name).write_text("mine")
        reply = saving.get(USERS, params={**SAVED, "output_path": "x"})
        assert Path(reply.json()["file_path"]).name not in names
        assert all((folder / name).read_text() == "mine" for name in names)

    @pytest.mark.parametrize("path", [SESSIONS, USERS, PERIODS])
    def test_without_csv_it_is_not_saved(self, saving, lab, path):
        parameters = {**DAY, "save_to_file": True, "output_path": "x"}
        reply = saving.get(path, params=parameters)
        assert reply.headers["Content-Type"] == "application/json"
        assert "success" not in reply.json()
        assert not (lab / "reports").exists()

    def test_head_writes_no_file(self, saving, lab):
        reply = saving.head(SESSIONS, params={**SAVED, "output_path": "x"})
        assert reply.content == b""
        assert not (lab / "reports").exists()

    @pytest.mark.parametrize("more", [{}, pytest.param({"output_path": ""})])
    def test_without_a_folder_it_is_refused(self, saving, lab, more):
        reply = saving.get(SESSIONS, params={**SAVED, **more})
        assert reply.status_code == 422
        assert reply.json()["detail"] == "output_path is required when save_to_file=True."
        assert not (lab / "reports").exists()

    @pytest.mark.parametrize(
        "folder",
        ["/tmp/elsewhere", "/", "..", "../elsewhere", "x/../../elsewhere", "../reports2", "x/../.."],
    )
    def test_a_folder_that_is_not_within_that_of_reports_is_refused(self, saving, lab, folder):
        before = all_files(lab)
        reply = saving.get(SESSIONS, params={**SAVED, "output_path": folder})
        assert reply.status_code == 422
        said = reply.json()["detail"]
        assert said.startswith(f"output_path: {folder!r} is not within {lab / 'reports'}")
        assert [one for one in all_files(lab) if one.endswith(".csv")] == []
        assert not (lab / "elsewhere").exists()
        assert before

    def test_a_link_that_leads_out_of_it_is_refused(self, saving, lab):
        (lab / "reports").mkdir()
        (lab / "elsewhere").mkdir()
        (lab / "reports" / "way").symlink_to(lab / "elsewhere")
        for folder in ("way", "way/deep", "way/../way"):
            reply = saving.get(SESSIONS, params={**SAVED, "output_path": folder})
            assert reply.status_code == 422, folder
        assert all_files(lab / "elsewhere") == []

    def test_a_file_that_is_a_link_out_of_it_is_not_written_through(self, saving, lab):
        folder = lab / "reports" / "x"
        folder.mkdir(parents=True)
        for day in today():
            name = f"madsci_utilization_report_basic_{day}.csv"
            (folder / name).symlink_to(lab / f"stolen-{day}")
        reply = saving.get(SESSIONS, params={**SAVED, "output_path": "x"})
        assert reply.status_code == 200
        assert list(lab.glob("stolen-*")) == []

    def test_the_folder_itself_and_an_absolute_path_below_it_will_do(self, saving, lab):
        for folder in (".", str(lab / "reports" / "y"), "x/../z"):
            reply = saving.get(SESSIONS, params={**SAVED, "output_path": folder})
            assert reply.status_code == 200, reply.text
            assert Path(reply.json()["file_path"]).is_relative_to(lab / "reports")

    @pytest.mark.parametrize("folder", [pytest.param("a\0b"), "x" * 300, "x" * 1_001])
    def test_a_folder_that_cannot_be_is_refused_in_a_sentence(self, saving, folder):
        reply = saving.get(SESSIONS, params={**SAVED, "output_path": folder})
        assert 400 <= reply.status_code < 500, reply.text
        assert reply.json()["detail"]

    def test_a_folder_that_is_a_file_is_refused_in_a_sentence(self, saving, lab):
        (lab / "reports").mkdir()
        (lab / "reports" / "x").write_text("")
        reply = saving.get(SESSIONS, params={**SAVED, "output_path": "x"})
        assert reply.status_code == 409
        assert "could not be written" in reply.json()["detail"]

    @pytest.mark.parametrize("more", [{}, {"output_path": "x"}, {"output_path": "/tmp"}])
    def test_a_server_without_a_folder_for_reports_saves_none(self, client, more):
        reply = client.get(SESSIONS, params={**SAVED, **more})
        assert reply.status_code == 409
        assert "report_dir is not set" in reply.json()["detail"]
