"""A real browser, and pages of others for it to open."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from support.serving import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""Browsers that are driven in the same way, the smallest first."""

FOREIGN_NAME = "foreign.example"
"""A name that leads the browser, and nobody else, to this machine: that of a page of others."""
REBOUND_NAME = "rebound.example"
"""The name of a page of others that leads to the server under test after the page was loaded."""


def browser_program() -> str:
    """Return the path of a browser; skip the test where there is none, fail it under CI."""
    given = os.environ.get("TEST_BROWSER")
    found = [given] if given else [path for path in map(shutil.which, PROGRAMS) if path]
    if not found:
        reason = f"needs a browser: one of {', '.join(PROGRAMS)}, or its path in TEST_BROWSER"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return found[0]


@contextlib.contextmanager
def running_browser() -> Iterator[Browser]:
    """A browser without a window. No other browser of this thread may run, and no event loop."""
    program = browser_program()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=program,
            # The sandbox needs rights that containers do not give, and refuses root.
            args=[
                "--no-sandbox",
                "--disable-dev-shm-usage",
                # What the server refuses is judged, not what this browser does on top of it.
                "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests",
                f"--host-resolver-rules=MAP {FOREIGN_NAME} 127.0.0.1, MAP {REBOUND_NAME} 127.0.0.1",
            ],
        )
        with contextlib.closing(browser):
            yield browser


class SettledPage:
    """A page that waits for everything it has sent, what it does not wait for itself included."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._under_way: set[Request] = set()
        page.on("request", self._begun)
        page.on("requestfinished", self._ended)
        page.on("requestfailed", self._ended)

    def _begun(self, request: Request) -> None:
        self._under_way.add(request)

    def _ended(self, request: Request) -> None:
        self._under_way.discard(request)

    def goto(self, url: str) -> None:
        self._page.goto(url)

    def intercept(self, url: str) -> None:
        """Let a URL be a page of somebody else."""
        self._page.route(url, lambda route: route.fulfill(body=_PAGE, content_type="text/html"))

    def attempt(self, script: str, argument: object) -> str:
        """Run a script, return what it learned: nothing where browser or server refused it."""
        from playwright.sync_api import Error

        try:
            learned = self._page.evaluate(script, argument)
        except Error as error:
            if "Failed to fetch" not in str(error):  # a mistake in the script
                raise
            learned = None
        deadline = time.monotonic() + 15
        while self._under_way:
            assert time.monotonic() < deadline, [one.url for one in self._under_way]
            self._page.wait_for_timeout(5)  # lets the browser tell what has ended
        return learned or ""


@contextlib.contextmanager
def settled_page(browser: Browser) -> Iterator[SettledPage]:
    context = browser.new_context()
    try:
        yield SettledPage(context.new_page())
    finally:
        context.close()


_PAGE = "<!doctype html><title>A page of others</title><body>"


class _EmptyPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = _PAGE.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def page_of_others() -> Iterator[int]:
    """Serve an empty page at a port of its own; return the port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _EmptyPage)
    with serving(server):
        yield server.server_address[1]


class PrefixProxy(ThreadingHTTPServer):
    """A reverse proxy that shows a server below ``prefix`` and takes the prefix off its requests.

    With ``keeps_host`` it hands the name on by which it was called, otherwise it calls the server by
    its address, as proxies do by default.
    """

    daemon_threads = True

    def __init__(self, target: str, prefix: str, *, keeps_host: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Proxied)
        self.target = urlsplit(target)
        self.prefix = prefix
        self.keeps_host = keeps_host
        self.missed: list[str] = []
        """Requests that were not below the prefix."""
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{self.prefix}/"


class _Proxied(BaseHTTPRequestHandler):
    server: PrefixProxy

    def do_GET(self) -> None:
        if not self.path.startswith(self.server.prefix + "/"):
            with self.server.lock:
                self.server.missed.append(self.path)
            self.send_error(404)
            return
        target = self.server.target
        headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
        if not self.server.keeps_host:
            headers["Host"] = target.netloc
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(
                self.command, self.path[len(self.server.prefix) :], body or None, headers
            )
            reply = connection.getresponse()
            content = reply.read()
        self.send_response(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass
