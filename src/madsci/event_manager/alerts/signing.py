"""Signatures of webhooks by Standard Webhooks 1.0.0 (https://www.standardwebhooks.com)."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Final

from madsci.common.errors import SettingsError
from madsci.event_manager.alerts.keys import header_key

KEY_PREFIX: Final = "whsec_"


def signing_key(name: str, secret: str) -> bytes:
    """Return the key that a secret is: of ``whsec_…`` the Base64 after it, else the text as UTF-8.

    Raises:
        SettingsError: it is empty, or no Base64 where it should be. Does not quote it; ``name`` is the
            webhook's.
    """
    try:
        key = (
            _decoded(secret.removeprefix(KEY_PREFIX))
            if secret.startswith(KEY_PREFIX)
            else secret.encode()
        )
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise SettingsError(
            f"The secret of the webhook {name!r} cannot be used: it should be whsec_ with Base64 after"
            " it, or any other text. Copy it from the receiver, or leave secret out to sign nothing."
        )
    return key


def signature_headers(key: str, body: bytes, at: int, secret: bytes | None) -> dict[str, str]:
    """Return the headers that say which message this is, when it is sent, and that it is ours.

    ``key`` is the message's, ``at`` is in seconds since the Unix epoch. Without a secret there is no
    signature, and the other two headers still let repetitions be known.
    """
    identity, moment = header_key(key), str(at)
    headers = {"webhook-id": identity, "webhook-timestamp": moment}
    if secret is not None:
        signed = b".".join([identity.encode(), moment.encode(), body])
        digest = hmac.digest(secret, signed, "sha256")
        headers["webhook-signature"] = "v1," + base64.b64encode(digest).decode("ascii")
    return headers


def _decoded(text: str) -> bytes:
    # Some tools leave the padding out.
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
