"""The import path under which programs written for MADSci make ids; `madsci.common.ids` makes them."""

from madsci.common.ids import new_ulid as new_ulid_str

__all__ = ["new_ulid_str"]
