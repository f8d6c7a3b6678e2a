"""Through proxies and gateways that ask who is there, and with certificates of a lab's own."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest
import trustme

from madsci.common.errors import ServerUnreachableError, SettingsError
from support.scripted_peer import Peer, PeerServer, make_handler
from support.serving import serving


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(authority, tmp_path) -> dict[str, str]:
    """The settings of a client that this authority knows."""
    certificate = authority.issue_cert("robot@lab.example")
    names = {name: tmp_path / f"{name}.pem" for name in ("ca", "cert", "key")}
    authority.cert_pem.write_to_path(str(names["ca"]))
    certificate.cert_chain_pems[0].write_to_path(str(names["cert"]))
    certificate.private_key_pem.write_to_path(str(names["key"]))
    return {
        "event_server_ca_file": str(names["ca"]),
        "event_server_client_cert_file": str(names["cert"]),
        "event_server_client_key_file": str(names["key"]),
    }


@pytest.fixture
def secure_peer(authority) -> Iterator[Peer]:
    """A server that speaks TLS, and only with those whom the authority knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    peer = Peer()
    server = PeerServer(("127.0.0.1", 0), make_handler(peer))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    peer.url = f"https://127.0.0.1:{server.server_port}"
    with serving(server):
        yield peer


def test_events_go_out_and_come_back_with_certificates_of_the_lab(make_client, secure_peer, files):
    client = make_client(event_server=secure_peer.url, **files)
    client.info("through TLS")
    assert client.flush(10)
    assert [event.event_data["message"] for event in client.get_events().values()] == ["through TLS"]


def test_a_server_of_an_unknown_authority_gets_nothing(make_client, secure_peer, files, tmp_path):
    stranger = tmp_path / "stranger.pem"
    trustme.CA().cert_pem.write_to_path(str(stranger))
    client = make_client(
        event_server=secure_peer.url,
        **{**files, "event_server_ca_file": str(stranger)},
        retry_enabled=False,
    )
    client.info("secret")
    assert not client.flush(0.5)
    with pytest.raises(ServerUnreachableError, match="certificate"):
        client.get_events(timeout=2)
    assert secure_peer.requests == []


def test_a_key_of_another_certificate_is_told_at_once(make_client, secure_peer, files, tmp_path):
    other = tmp_path / "other.pem"
    trustme.CA().issue_cert("x@lab.example").private_key_pem.write_to_path(str(other))
    with pytest.raises(SettingsError, match="event_server_client_key_file"):
        make_client(
            event_server=secure_peer.url, **{**files, "event_server_client_key_file": str(other)}
        )


def test_a_gateway_sees_who_sends_and_who_asks(make_client, peer):
    client = make_client(
        event_server=peer.url.replace("http://", "http://robot:pass%20word@"),
        event_server_headers={"X-Gateway-Key": "k1"},
    )
    client.info("x")
    assert client.flush(10)
    client.get_events()
    assert len(peer.requests) == 2
    for request in peer.requests:
        assert request.headers["Authorization"] == "Basic cm9ib3Q6cGFzcyB3b3Jk"
        assert request.headers["X-Gateway-Key"] == "k1"
