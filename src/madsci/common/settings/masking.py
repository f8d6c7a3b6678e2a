"""Keeping secrets out of everything that is printed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

from madsci.common.secret_names import is_secret_name
from madsci.common.settings.files import resolve_madsci_path
from madsci.common.settings.traits import SettingTraits, setting_traits

REDACTED: Final = "***REDACTED***"

# Bounded, so that the time for a long text grows with its length only.
_CREDENTIALS: Final = re.compile(r"(?<=://)(?:[^\s/?#:@]{0,256}:\S{0,2048}|[^\s/?#]{0,2048})@")
_SECRET_QUERY: Final = re.compile(
    r"([?&;][^=?&;\s]{0,64}(?:password|secret|token|authmechanismproperties)[^=?&;\s]{0,64}=)[^&;\s]*",
    re.IGNORECASE,
)


def mask_url(text: str) -> str:
    """Return the text without the credentials of the URLs in it; hosts and paths stay readable."""
    return _SECRET_QUERY.sub(rf"\1{REDACTED}", _CREDENTIALS.sub(f"{REDACTED}@", text))


def masked_json(value: Any) -> Any:
    """Return any parsed document as JSON values, without URL credentials and secret-looking members."""
    if isinstance(value, Mapping):
        return {
            str(name): REDACTED
            if _is_secret(str(name)) and member is not None and not isinstance(member, bool)
            else masked_json(member)
            for name, member in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [masked_json(member) for member in value]
    if value is None or isinstance(value, (bool, int)):
        return value
    return value if isinstance(value, float) and abs(value) < float("inf") else mask_url(str(value))


def _is_secret(name: str) -> bool:
    return is_secret_name(name) or name.lower().endswith("smtp_username")


def mask_member(value: Any, traits: SettingTraits) -> Any:
    """Return the value of a setting as it may be shown."""
    if value is None or isinstance(value, BaseModel):
        return value
    if traits.secret:
        return REDACTED
    if not isinstance(value, str):
        return value
    if traits.credentials and "@" in value:
        # The whole value is one URL: whatever stands before the last @ may belong to a password.
        scheme, separator, _ = value.partition("://")
        host = mask_url(value.rpartition("@")[2])
        return f"{scheme}{separator}{REDACTED}@{host}" if separator else f"{REDACTED}@{host}"
    return mask_url(value)


class SecretsMasked(BaseModel):
    """A model whose secrets do not appear in its ``repr`` and ``str``."""

    model_config = ConfigDict(hide_input_in_errors=True, coerce_numbers_to_str=True)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            yield name, mask_member(value, setting_traits(type(self), name or ""))

    def masked(self, *, include_defaults: bool = True) -> dict[str, Any]:
        """Return the settings as JSON values by name, secrets as ``***REDACTED***``.

        Without ``include_defaults`` only those whose value differs from the default.
        """
        plain = self.model_dump(mode="json")
        shown: dict[str, Any] = {}
        for name, info in type(self).model_fields.items():
            value = getattr(self, name)
            if not include_defaults and value == _default(info):
                continue
            shown[name] = _masked(value, plain[name], setting_traits(type(self), name))
        return shown


def _masked(value: Any, plain: Any, traits: SettingTraits) -> Any:
    """Return the value of a setting, given as it is and as JSON, as JSON that may be shown."""
    if isinstance(value, SecretsMasked):
        return value.masked()
    if isinstance(value, (list, tuple)) and not traits.secret:
        return [_masked(one, as_json, traits) for one, as_json in zip(value, plain, strict=True)]
    return mask_member(plain, traits)


def _default(info: FieldInfo) -> Any:
    default = info.get_default(call_default_factory=True)
    return resolve_madsci_path(default) if isinstance(default, Path) else default
