"""What a page in a lab's browser can do to the recorder: nothing, unless its origin is configured."""

from __future__ import annotations

import json
import uuid

import pytest

from support.browser import FOREIGN_NAME, REBOUND_NAME, page_of_others, settled_page
from support.server import running_server

SECRET = "what only the lab may know"

# Each changes something where it is let: the event with the id, an archived one, or what there is.
WRITES = {
    "archive, as text, without asking": """async ({url, id}) => {
        await fetch(url + 'events/archive', {method: 'POST', mode: 'no-cors',
            headers: {'Content-Type': 'text/plain'}, body: JSON.stringify({event_ids: [id]})})
    }""",
    "archive, as JSON": """async ({url, id}) => {
        await fetch(url + 'events/archive', {method: 'POST',
            headers: {'Content-Type': 'application/json'}, body: JSON.stringify({event_ids: [id]})})
    }""",
    "archive, by a form": """async ({url, id}) => new Promise(done => {
        document.body.innerHTML = `<iframe name=hole></iframe>
            <form method=post enctype=text/plain target=hole action="${url}events/archive">
            <input></form>`
        const [frame, form] = [document.querySelector('iframe'), document.forms[0]]
        form.elements[0].name = `{"event_ids": ["${id}", "`  // what is sent is: name=value
        form.elements[0].value = '"]}'
        frame.onload = () => done()
        form.submit()
    })""",
    "delete": """async ({url}) => {
        await fetch(url + 'events/archived?older_than_days=0', {method: 'DELETE'})
    }""",
    "send, as text, without asking": """async ({url}) => {
        await fetch(url + 'event', {method: 'POST', mode: 'no-cors', body: '{"event_data": "forged"}'})
    }""",
    "send, as JSON": """async ({url}) => {
        await fetch(url + 'event', {method: 'POST',
            headers: {'Content-Type': 'application/json'}, body: '{"event_data": "forged"}'})
    }""",
    "send many": """async ({url}) => {
        await fetch(url + 'events', {method: 'POST', mode: 'no-cors', body: '{"event_data": "forged"}'})
    }""",
    "import": """async ({url}) => {
        await fetch(url + 'events/import',
            {method: 'POST', mode: 'no-cors', body: '{"event_data": "forged"}'})
    }""",
    "send, by a beacon that outlives the page": """({url}) => {
        navigator.sendBeacon(url + 'event', '{"event_data": "forged"}')
    }""",
    "send, by a form": """async ({url}) => new Promise(done => {
        document.body.innerHTML = `<iframe name=hole></iframe>
            <form method=post enctype=text/plain target=hole action="${url}event"><input></form>`
        const [frame, form] = [document.querySelector('iframe'), document.forms[0]]
        form.elements[0].name = '{"event_data": "forged'
        form.elements[0].value = '"}'
        frame.onload = () => done()
        form.submit()
    })""",
    "make a backup": """async ({url}) => {
        await fetch(url + 'backup', {method: 'POST', mode: 'no-cors'})
    }""",
}
# These hide where the page comes from, so they are let nowhere.
HIDDEN_WRITES = {
    "without saying from where": """async ({url, id}) => {
        await fetch(url + 'events/archive', {method: 'POST', mode: 'no-cors',
            referrerPolicy: 'no-referrer', body: JSON.stringify({event_ids: [id]})})
    }""",
    "from a frame without an origin": """async ({url, id}) => new Promise(done => {
        const frame = document.createElement('iframe')
        frame.sandbox = 'allow-scripts'
        frame.srcdoc = `<script>
            fetch('${url}events/archive', {method: 'POST', mode: 'no-cors',
                body: '{"event_ids": ["${id}"]}'})
                .catch(() => 0).then(() => parent.postMessage('done', '*'))
            </` + `script>`
        window.addEventListener('message', () => done())
        document.body.append(frame)
    })""",
}
# Each returns what the page could read.
READS = {
    "the latest": "async ({url}) => (await fetch(url + 'events')).text()",
    "one": "async ({url, id}) => (await fetch(url + 'event/' + id)).text()",
    "by a selector": """async ({url, id}) => (await fetch(url + 'events/query',
        {method: 'POST', headers: {'Content-Type': 'application/json'},
         body: JSON.stringify({event_id: id})})).text()""",
    "an export": "async ({url}) => (await fetch(url + 'events/export')).text()",
}
# Ways around the rule that a page reads only what it is let. They learn nothing anywhere.
DETOURS = {
    "without asking": "async ({url}) => (await fetch(url + 'events', {mode: 'no-cors'})).text()",
    "by a selector, as text": """async ({url, id}) => (await fetch(url + 'events/query',
        {method: 'POST', mode: 'no-cors', body: JSON.stringify({event_id: id})})).text()""",
    "as a script": """async ({url}) => new Promise(done => {
        const script = document.createElement('script')
        script.src = url + 'events'
        script.onload = () => done('loaded'); script.onerror = () => done('')
        document.body.append(script)
    })""",
    "as an image": """async ({url}) => new Promise(done => {
        const image = new Image()
        image.onload = () => done('loaded'); image.onerror = () => done('')
        image.src = url + 'events'
    })""",
    "as a stream of events": """async ({url}) => new Promise(done => {
        const source = new EventSource(url + 'events')
        source.onmessage = source.onopen = () => done('opened')
        source.onerror = () => { source.close(); done('') }
    })""",
    "as a frame": """async ({url}) => new Promise(done => {
        const frame = document.createElement('iframe')
        frame.src = url + 'events'
        frame.onload = () => { try { done(frame.contentDocument.body.innerText) } catch { done('') } }
        document.body.append(frame)
    })""",
    "by a socket": """async ({url}) => new Promise(done => {
        const socket = new WebSocket(url.replace('http', 'ws') + 'events')
        socket.onopen = () => done('opened'); socket.onerror = () => done('')
    })""",
}


@pytest.fixture(scope="module")
def port():
    """The port of pages of others."""
    with page_of_others() as port:
        yield port


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    """A server with default settings."""
    with running_server(tmp_path_factory.mktemp("closed")) as server:
        yield server


@pytest.fixture(scope="module")
def opened(tmp_path_factory, port):
    """A server that lets in the pages of one other origin, and answers to one more name."""
    settings = {
        "EVENT_CORS_ORIGINS": json.dumps([f"http://{FOREIGN_NAME}:{port}"]),
        "EVENT_ALLOWED_HOSTS": json.dumps([REBOUND_NAME]),
    }
    with running_server(tmp_path_factory.mktemp("opened"), **settings) as server:
        yield server


@pytest.fixture
def page(browser):
    with settled_page(browser) as page:
        yield page


class Lab:
    """A server with an event that is not archived and one that is, which pages are after."""

    def __init__(self, server):
        self.server = server
        self.id = uuid.uuid4().hex
        for one in (self.id, f"archived-{self.id}"):
            server.post("event", {"event_id": one, "event_data": SECRET})
        server.post("events/archive", {"event_ids": [f"archived-{self.id}"]})
        self.before = self.contents()

    def contents(self):
        """What can be changed: the events that were sent, with their flags, and the backups."""
        found = self.server.query({"event_data": {"$in": [SECRET, "forged", "forged="]}})
        events = {one["event_id"]: one["archived"] for one in found}
        return events, len(self.server.get("backup/status")["available_backups"])

    def visit(self, page, url, script):
        """Run a script in the page at a URL, against the server; return what the page learns."""
        page.goto(url)
        return page.attempt(script, {"url": self.server.url, "id": self.id})

    def visit_rebound(self, page, script):
        """Run it in a page whose name led to somebody else when it was loaded."""
        origin = f"http://{REBOUND_NAME}:{self.server.port}/"
        page.intercept(f"{origin}page")
        page.goto(f"{origin}page")
        return page.attempt(script, {"url": origin, "id": self.id})


ANOTHER_PORT, ANOTHER_NAME = "127.0.0.1", FOREIGN_NAME


@pytest.mark.parametrize("host", [ANOTHER_PORT, ANOTHER_NAME])
@pytest.mark.parametrize("name", [*WRITES, *HIDDEN_WRITES])
def test_a_page_of_another_origin_changes_nothing(closed, page, port, host, name):
    lab = Lab(closed)
    lab.visit(page, f"http://{host}:{port}/", (WRITES | HIDDEN_WRITES)[name])
    assert lab.contents() == lab.before


@pytest.mark.parametrize("host", [ANOTHER_PORT, ANOTHER_NAME])
@pytest.mark.parametrize("name", READS)
def test_a_page_of_another_origin_reads_nothing(closed, page, port, host, name):
    assert Lab(closed).visit(page, f"http://{host}:{port}/", READS[name]) == ""


@pytest.mark.parametrize("name", DETOURS)
def test_there_is_no_way_around(closed, page, port, name):
    assert Lab(closed).visit(page, f"http://{FOREIGN_NAME}:{port}/", DETOURS[name]) == ""


@pytest.mark.parametrize("name", [*WRITES, *HIDDEN_WRITES])
def test_a_page_whose_name_was_led_to_the_server_changes_nothing(closed, page, name):
    """DNS rebinding: for the browser, page and server are of one origin."""
    lab = Lab(closed)
    lab.visit_rebound(page, (WRITES | HIDDEN_WRITES)[name])
    assert lab.contents() == lab.before


@pytest.mark.parametrize("name", READS)
def test_a_page_whose_name_was_led_to_the_server_reads_nothing(closed, page, name):
    learned = Lab(closed).visit_rebound(page, READS[name])
    assert SECRET not in learned
    assert REBOUND_NAME in learned  # the reply says what is not known


@pytest.mark.parametrize("name", WRITES)
def test_a_page_of_a_configured_origin_may_do_everything(opened, page, port, name):
    lab = Lab(opened)
    lab.visit(page, f"http://{FOREIGN_NAME}:{port}/", WRITES[name])
    assert lab.contents() != lab.before


@pytest.mark.parametrize("name", [*WRITES, *HIDDEN_WRITES])
def test_a_configured_origin_opens_the_door_to_no_other(opened, page, port, name):
    lab = Lab(opened)
    lab.visit(page, f"http://127.0.0.1:{port}/", (WRITES | HIDDEN_WRITES)[name])
    assert lab.contents() == lab.before


@pytest.mark.parametrize("name", READS)
def test_a_page_of_a_configured_origin_reads(opened, page, port, name):
    lab = Lab(opened)
    assert SECRET in lab.visit(page, f"http://{FOREIGN_NAME}:{port}/", READS[name])


def test_a_page_of_a_configured_origin_reads_the_cursor_of_the_next_page(opened, page, port):
    for number in range(2):  # so that one follows
        opened.post("event", {"event_data": number})
    script = "async ({url}) => (await fetch(url + 'events?number=1')).headers.get('X-Next-Cursor')"
    assert Lab(opened).visit(page, f"http://{FOREIGN_NAME}:{port}/", script)


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITES)
def test_a_page_of_the_server_itself_may_do_everything(closed, page, name):
    lab = Lab(closed)
    lab.visit(page, f"{closed.url}health", WRITES[name])
    assert lab.contents() != lab.before


@pytest.mark.parametrize("name", READS)
def test_a_name_that_is_configured_is_a_name_of_the_server(opened, page, name):
    assert SECRET in Lab(opened).visit_rebound(page, READS[name])
