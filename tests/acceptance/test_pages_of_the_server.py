"""The pages of the server work in a browser, from the server alone, also below a proxy's prefix."""

from __future__ import annotations

import pytest

from support.browser import PrefixProxy
from support.server import ServerProcess, running_server
from support.serving import serving

PREFIX = "/lab/events"


@pytest.fixture(
    scope="module",
    params=[
        "alone",
        pytest.param("behind a proxy", marks=pytest.mark.slow),
        pytest.param("called by its address", marks=pytest.mark.slow),
    ],
)
def url(request, tmp_path_factory):
    """The URL of a server: its own, or one below a prefix, which a proxy takes off.

    Some proxies hand on the name by which they are called, others call the server by its address.
    """
    directory = tmp_path_factory.mktemp("server")
    if request.param == "alone":
        with running_server(directory) as server:
            yield server.url
        return
    server = ServerProcess(directory)
    server.environment["EVENT_SERVER_URL"] = server.url.rstrip("/") + PREFIX
    proxy = PrefixProxy(server.url, PREFIX, keeps_host=request.param == "behind a proxy")
    with serving(proxy):
        server.start()
        yield proxy.url
        server.stop()
    assert [path for path in proxy.missed if path != "/favicon.ico"] == []


@pytest.fixture
def page(browser):
    """A page that remembers what it asked for."""
    context = browser.new_context()
    page = context.new_page()
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    # What the page's own policy forbids never leaves the browser.
    page.on(
        "requestfailed", lambda request: request.failure == "csp" and page.asked.remove(request.url)
    )
    yield page
    context.close()


def foreign(page, url):
    host = url.split("/")[2]
    return [one for one in page.asked if not one.startswith(("data:", "blob:", f"http://{host}/"))]


# Swagger UI's names of operations that change nothing.
TRIED = ["events-query_events", "events-count_query", "events-facets_query", "events-count_events"]


def test_operations_are_shown_and_succeed_when_they_are_tried(page, url):
    page.goto(f"{url}docs")
    for name in TRIED:
        operation = page.locator(f"#operations-{name}")
        operation.locator(".opblock-summary-control").click()
        operation.get_by_role("button", name="Try it out").click()
        operation.get_by_role("button", name="Execute").click()
        status = operation.locator(".live-responses-table .response-col_status").nth(1)
        status.wait_for()
        assert status.inner_text().split()[0] == "200", name
        operation.locator(".opblock-summary-control").click()
    assert foreign(page, url) == []


@pytest.mark.slow
def test_the_reference_page_asks_no_foreign_host(page, url):
    page.goto(f"{url}redoc")
    page.get_by_text("Get one event").first.wait_for(state="attached")
    page.wait_for_load_state("networkidle")
    assert foreign(page, url) == []
