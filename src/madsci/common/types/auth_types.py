"""The import path under which programs written for MADSci know ownership."""

from madsci.common.types.ownership import OwnershipInfo

__all__ = ["OwnershipInfo"]
