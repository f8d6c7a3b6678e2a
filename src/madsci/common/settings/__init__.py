"""Settings: models that read what their constructor was not given from the environment and files."""

from madsci.common.settings.command_line import read_flags, settings_help, settings_of_flags
from madsci.common.settings.files import (
    FileSearch,
    Layer,
    home_directory,
    read_mapping,
    resolve_madsci_path,
    start_directory,
)
from madsci.common.settings.masking import REDACTED, SecretsMasked, mask_url, masked_json
from madsci.common.settings.model import MadsciSettings
from madsci.common.settings.reading import file_layer
from madsci.common.settings.traits import (
    SettingsSources,
    SettingTraits,
    environment_names,
    setting_traits,
)
from madsci.common.settings.unknown import unknown_settings
from madsci.common.settings.values import HttpUrl, LevelSetting, MadsciPath, http_url, log_level

__all__ = [
    "REDACTED",
    "FileSearch",
    "HttpUrl",
    "Layer",
    "LevelSetting",
    "MadsciPath",
    "MadsciSettings",
    "SecretsMasked",
    "SettingTraits",
    "SettingsSources",
    "environment_names",
    "file_layer",
    "home_directory",
    "http_url",
    "log_level",
    "mask_url",
    "masked_json",
    "read_flags",
    "read_mapping",
    "resolve_madsci_path",
    "setting_traits",
    "settings_help",
    "settings_of_flags",
    "start_directory",
    "unknown_settings",
]
