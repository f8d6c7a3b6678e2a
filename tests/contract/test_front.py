"""What stands before every operation: manners, names, pages of others, whatever the operation is."""

from __future__ import annotations

import gzip
import json
import re

import pytest

from madsci.common.zstandard import zstd

PAGE = "http://evil.example"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def operations(client) -> list[tuple[str, str, dict]]:
    document = client.get("/openapi.json").json()
    return [
        (method.upper(), path.replace("{event_id}", "some"), operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_operation_refuses_parameters_that_it_does_not_have(client):
    for method, path, _ in operations(client):
        reply = client.request(method, f"{path}?numbr=5")
        assert reply.status_code == 422, (method, path)
        assert "numbr" in reply.json()["detail"]
        assert reply.json()["errors"][0]["loc"] == ["query", "numbr"]


def test_an_empty_parameter_is_taken_where_the_document_says_so_and_nowhere_else(client):
    """A form sends what nobody filled in as an empty text."""
    tried = 0
    for method, path, operation in operations(client):
        if method != "GET" or path.endswith("/stream"):
            continue
        for parameter in operation.get("parameters", []):
            if parameter["in"] != "query" or "schema" not in parameter:
                continue
            reply = client.get(f"{path}?{parameter['name']}=")
            may_be = may_be_empty(parameter["schema"])
            assert (reply.status_code == 422) != may_be, (path, parameter["name"], reply.text)
            tried += 1
    assert tried > 30


def may_be_empty(schema: dict) -> bool:
    forms = schema.get("anyOf", [schema])
    return any(
        one.get("type") == "string"
        and "" in one.get("enum", [""])
        and re.search(one.get("pattern", ""), "") is not None
        and not one.get("minLength")
        for one in forms
    )


def test_a_misspelt_dry_run_deletes_nothing_and_names_the_right_word(client):
    client.post("/event", json={"_id": "a"})
    client.post("/events/archive", json={"event_ids": ["a"]})
    reply = client.delete("/events/archived?older_than_days=0&dryrun=true")
    assert reply.status_code == 422
    assert "did you mean dry_run?" in reply.json()["detail"]
    assert client.get("/event/a").status_code == 200


def test_a_parameter_that_is_given_twice_is_refused(client):
    reply = client.delete("/events/archived?dry_run=true&older_than_days=0&dry_run=false")
    assert reply.status_code == 422
    assert "more than once" in reply.json()["detail"]


@pytest.mark.parametrize("dry_run", [{}, [], 0, 1, "", "true", None])
def test_a_dry_run_that_is_neither_true_nor_false_archives_nothing(client, dry_run):
    client.post("/event", json={"_id": "a"})
    reply = client.post("/events/archive", json={"event_ids": ["a"], "dry_run": dry_run})
    assert reply.status_code == 422
    assert "dry_run" in reply.json()["detail"]
    assert client.get("/event/a").json()["archived"] is False


def test_a_slash_at_the_end_changes_nothing(client):
    assert client.post("/event/", json={"_id": "a"}, follow_redirects=False).status_code == 200
    assert (
        client.post("/events/", content=b'{"_id": "b"}', follow_redirects=False).json()["stored"] == 1
    )
    assert list(client.get("/events/", follow_redirects=False).json()) == ["b", "a"]
    assert client.get("/health/", follow_redirects=False).status_code == 200
    assert client.delete("/events/archived/", follow_redirects=False).status_code == 200


def test_an_id_may_end_in_a_slash(client):
    client.post("/event", json={"_id": "a/"})
    assert client.get("/event/a/").json()["_id"] == "a/"


def test_every_path_tells_its_methods_and_no_others(client):
    methods: dict[str, set[str]] = {}
    for method, path, _ in operations(client):
        methods.setdefault(path, set()).add(method)
    for path, known in methods.items():
        allowed = known | {"OPTIONS"} | ({"HEAD"} if "GET" in known else set())
        told = client.options(path)
        assert told.status_code == 204, path
        assert set(told.headers["Allow"].split(", ")) == allowed
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - known:
            reply = client.request(method, path)
            assert reply.status_code == 405, (method, path)
            assert set(reply.headers["Allow"].split(", ")) == allowed
            assert reply.json()["code"] == "method-not-allowed"


WITHOUT_ALERTS = {
    "/alerts/acknowledge": 404, "/alerts/snooze": 404, "/alerts/resolve": 404, "/alerts/test": 409,
}  # fmt: skip
"""What those say that are about an alert, or about people, where there is none."""


def test_post_takes_json_as_curl_sends_it_on_every_route(client):
    for method, path, operation in operations(client):
        if method != "POST":
            continue
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        example = body.get("example") or next(iter(body.get("examples", {}).values()), {}).get("value")
        text = b"{}" if example is None else json.dumps(example).encode()
        end = {"follow": "false"} if path == "/events/stream" else {}
        reply = client.post(path, content=text, headers=FORM, params=end)
        assert reply.status_code == WITHOUT_ALERTS.get(path, 200), (path, reply.text)


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"5", b"true"])
@pytest.mark.parametrize(
    "path", ["/events/query", "/events/count", "/events/export", "/events/archive", "/backup"]
)
def test_a_body_that_is_no_object_is_refused(client, path, body):
    reply = client.post(path, content=body)
    assert reply.status_code in (400, 422), reply.text
    assert "object" in reply.json()["detail"] or "selector" in reply.json()["detail"]


def test_what_is_added_as_a_middleware_sees_every_request(serve):
    seen: list[tuple[str, str]] = []

    class Watching:
        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            if scope["type"] == "http":
                seen.append((scope["method"], scope["path"]))
            await self.app(scope, receive, send)

    client = serve(middleware=Watching)
    client.post("/event", json={})
    client.get("/health")
    client.get("/nowhere")
    assert seen == [("POST", "/event"), ("GET", "/health"), ("GET", "/nowhere")]


@pytest.mark.parametrize("kind", ["text/plain", "application/json", FORM["Content-Type"]])
def test_a_page_of_another_origin_changes_nothing(client, kind):
    client.post("/event", json={"_id": "a"})
    client.post("/events/archive", json={"event_ids": ["a"]})
    page = {"Origin": PAGE, "Content-Type": kind}
    for method, path, _ in operations(client):
        if method == "GET":
            continue
        reply = client.request(method, path, content=b'{"event_ids": ["a"]}', headers=page)
        assert reply.status_code == 403, (method, path)
        assert "EVENT_CORS_ORIGINS" in reply.json()["detail"]
    assert client.delete("/events/archived?older_than_days=0", headers=page).status_code == 403
    assert client.get("/events?include_archived=true").json().keys() == {"a"}


def test_a_page_of_another_origin_reads_nothing(client):
    for headers in ({"Origin": PAGE}, {"Sec-Fetch-Site": "cross-site"}):
        reply = client.get("/events", headers=headers)
        assert "Access-Control-Allow-Origin" not in reply.headers
        assert reply.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert reply.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://localhost:3000"},
    ],
)
def test_whoever_is_not_known_as_a_page_of_the_server_may_not_send(client, headers):
    assert client.post("/event", json={}, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://localhost:8001"},
        {"Origin": "https://lab.example", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_programs_and_the_servers_own_pages_may(client, headers):
    assert client.post("/event", json={}, headers=headers).status_code == 200


def test_a_page_whose_origin_is_configured_may_do_everything(serve):
    client = serve(cors_origins=["http://dashboard.lab"])
    page = {"Origin": "http://dashboard.lab"}
    reply = client.post("/event", json={}, headers=page)
    assert reply.headers["Access-Control-Allow-Origin"] == "http://dashboard.lab"
    assert "X-Next-Cursor" in reply.headers["Access-Control-Expose-Headers"]
    asked = {
        **page,
        "Access-Control-Request-Method": "DELETE",
        "Access-Control-Request-Headers": "content-type",
        "Access-Control-Request-Private-Network": "true",
    }
    preflight = client.options("/events/archived", headers=asked)
    assert preflight.status_code == 200
    assert "DELETE" in preflight.headers["Access-Control-Allow-Methods"]
    assert preflight.headers["Access-Control-Allow-Private-Network"] == "true"
    assert client.post("/event", json={}, headers={"Origin": PAGE}).status_code == 403
    refused = client.options("/events/archived", headers={**asked, "Origin": PAGE})
    assert "Access-Control-Allow-Origin" not in refused.headers


def test_a_star_lets_every_page_in(serve):
    client = serve(cors_origins=["*"])
    reply = client.post("/event", json={}, headers={"Origin": PAGE})
    assert (reply.status_code, reply.headers["Access-Control-Allow-Origin"]) == (200, "*")


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1:8001", "[::1]:8001", "10.1.2.3", "event_manager:8001", "robot.local", ""],
)
def test_the_server_is_called_by_its_names(client, host):
    assert client.get("/health", headers={"Host": host}).status_code == 200
    assert client.post("/event", json={}, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8001", "127.0.0.1.evil.example"])
def test_a_name_that_the_server_does_not_have_is_refused_also_for_reading(client, host):
    for method, path, _ in operations(client):
        reply = client.request(method, path, headers={"Host": host})
        assert reply.status_code == 421, (method, path)
        assert "EVENT_ALLOWED_HOSTS" in reply.json()["detail"]


def test_further_names_can_be_given(serve):
    client = serve(allowed_hosts=["events.lab.example", "*.north.example"])
    for host, status in (
        ("Events.Lab.Example:8001", 200),
        ("a.north.example", 200),
        ("north.example", 421),
        ("lab.example", 421),
    ):
        assert client.get("/health", headers={"Host": host}).status_code == status, host


@pytest.mark.parametrize("is_cut", [True, False], ids=["prefix cut off", "prefix left"])
def test_behind_a_proxy_with_a_prefix_everything_is_found(serve, is_cut):
    client = serve(server_url="http://localhost:8001/lab/events/")
    prefix = "" if is_cut else "/lab/events"
    assert client.post(f"http://localhost{prefix}/event", json={"_id": "a"}).status_code == 200
    assert client.get(f"http://localhost{prefix}/event/a").json()["_id"] == "a"
    for page in ("docs", "redoc"):
        html = client.get(f"http://localhost{prefix}/{page}").text
        assert "/lab/events/openapi.json" in html
    assets = "static-offline-docs/swagger-ui.css"
    assert client.get(f"http://localhost{prefix}/{assets}").status_code == 200
    document = client.get(f"http://localhost{prefix}/openapi.json").json()
    assert document["servers"] == [{"url": "/lab/events"}]


@pytest.mark.parametrize(
    ("accepted", "name", "unpack"),
    [
        ("gzip", "gzip", gzip.decompress),
        ("zstd", "zstd", zstd.decompress),
        ("gzip, zstd, br", "zstd", zstd.decompress),
        ("gzip;q=1.0, zstd;q=0", "gzip", gzip.decompress),
        ("*", "zstd", zstd.decompress),
    ],
)
@pytest.mark.parametrize("path", ["/events?number=0", "/events/export", "/openapi.json"])
def test_answers_are_compressed_when_that_is_asked_for(client, path, accepted, name, unpack):
    client.post("/events", content=b'{"event_data": {"x": "a long text"}}\n' * 2_000)
    plain = client.get(path, headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    with client.stream("GET", path, headers={"Accept-Encoding": accepted}) as reply:
        packed = b"".join(reply.iter_raw())
    assert reply.headers["Content-Encoding"] == name
    assert reply.headers["Vary"] == "Accept-Encoding"
    assert unpack(packed) == plain.content
    assert len(packed) < len(plain.content) / 3


@pytest.mark.parametrize("accepted", ["", "br", "gzip;q=0", "gzip;q=no", "identity"])
def test_answers_are_plain_where_nothing_that_is_known_is_accepted(client, accepted):
    client.post("/events", content=b'{"event_data": {"x": "a long text"}}\n' * 200)
    reply = client.get("/events", headers={"Accept-Encoding": accepted})
    assert "Content-Encoding" not in reply.headers
    assert len(reply.json()) == 100


def test_the_pages_may_load_nothing_from_other_hosts(client):
    for page in ("/docs", "/redoc"):
        policy = client.get(page).headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'self'")
        assert "http" not in policy
