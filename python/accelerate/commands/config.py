"""The file that `accelerate config` writes: where it is and what it says."""

import json
import os

from ..errors import ConfigError

_CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.join("~", ".cache")), "huggingface")
cache_dir = os.path.join(os.path.expanduser(os.environ.get("HF_HOME", _CACHE)), "accelerate")
default_json_config_file = os.path.join(cache_dir, "default_config.json")
default_yaml_config_file = os.path.join(cache_dir, "default_config.yaml")
# The YAML file counts where both exist.
default_config_file = (
    default_json_config_file
    if os.path.isfile(default_json_config_file) and not os.path.isfile(default_yaml_config_file)
    else default_yaml_config_file
)


class Config:
    """What the file says; each of its keys is an attribute."""

    def __init__(self, values: dict):
        self.__dict__.update(values)

    def to_dict(self) -> dict:
        """All keys and values."""
        return dict(self.__dict__)


def load_config_from_file(config_file: str | None = None) -> Config:
    """Reads a configuration file. Not collective.

    Args:
        config_file (`str`, *optional*): JSON, or YAML if PyYAML is installed. Default: `default_config_file`.

    Raises:
        ConfigError: when it does not exist, or is not a mapping in one of these formats.
    """
    path = config_file or default_config_file
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        raise ConfigError(f"[config] '{path}' cannot be read: {error.strerror} ({error.errno})") from None
    values = _parse(path, text)
    if not isinstance(values, dict):
        raise ConfigError(f"[config] '{path}' holds a {type(values).__name__}, expected keys and values")
    return Config(values)


def _parse(path, text):
    try:
        return json.loads(text)  # also what the original writes into a .yaml file without asking questions
    except json.JSONDecodeError as error:
        if path.endswith(".json"):
            raise ConfigError(f"[config] '{path}' is not JSON: {error}") from None
    try:
        import yaml
    except ImportError:
        raise ConfigError(f"[config] '{path}' is YAML; install PyYAML to have it read") from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"[config] '{path}' is not YAML: {' '.join(str(error).split())}") from None
