"""Settings of a service: options first, then WALLAROO_ variables, then a TOML file, then defaults."""

import tomllib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings.exceptions import SettingsError as UnreadableVariableError

from wallaroo.errors import SettingsError

# What a dead letter has more than the record that it is about: why it failed, in headers.
DEAD_LETTER_BYTES = 131_072

Properties = dict[str, str]
_MAPPINGS = ("kafka", "consumer", "producer", "delivery", "topic_config")


class Guarantee(StrEnum):
    """What a crash may do to results."""

    EXACTLY_ONCE = "exactly_once"
    AT_LEAST_ONCE = "at_least_once"


class Settings(BaseSettings):
    """Everything an operator can set; see docs/settings.md. Times end in their unit."""

    model_config = SettingsConfigDict(
        env_prefix="WALLAROO_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    bootstrap_servers: str = "localhost:9092"
    application_id: str | None = Field(default=None, pattern=r"^[a-zA-Z0-9._-]{1,200}$")
    instance: str | None = Field(default=None, pattern=r"^[a-zA-Z0-9._-]{1,200}$")
    workers: int = Field(default=1, ge=1, le=512)

    processing_guarantee: Guarantee = Guarantee.EXACTLY_ONCE
    commit_interval_ms: int = Field(default=100, ge=1, le=600_000)
    commit_linger_ms: int = Field(default=0, ge=0, le=600_000)
    commit_every: int = Field(default=200_000, ge=1)
    on_error: Literal["dead_letter", "skip", "stop"] = "dead_letter"
    idle_timeout_ms: int | None = Field(default=None, ge=1, le=2**53)
    auto_offset_reset: Literal["earliest", "latest"] = "earliest"
    on_offset_out_of_range: Literal["fail", "earliest", "latest"] = "fail"

    group_protocol: Literal["classic", "consumer"] = "classic"
    session_timeout_ms: int = Field(default=10_000, ge=6_000)
    transaction_timeout_ms: int = Field(default=10_000, ge=1_000)
    consume_batch: int = Field(default=1_000, ge=1, le=100_000)

    create_topics: bool = True
    partitions: int = Field(default=4, ge=1)
    replication_factor: int = Field(default=-1, ge=-1)
    max_message_bytes: int = Field(default=10_485_760, ge=1_000)
    topic_config: Properties = {}
    embedded_broker: bool = False

    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8080, ge=0, le=65_535)
    expose_state: bool = True
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"

    kafka: Properties = {}
    consumer: Properties = {}
    producer: Properties = {}
    delivery: Properties = {}

    @property
    def chosen_servers(self) -> str | None:
        """The cluster, where the operator has named one."""
        return self.bootstrap_servers if "bootstrap_servers" in self.model_fields_set else None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        given = init_settings()
        from_file = given.pop("config_file", {})
        return tuple(
            InitSettingsSource(settings_cls, init_kwargs=_dotted(values))
            for values in (given, env_settings(), from_file)
        )


def load_settings(options: dict[str, Any], file: str | None = None) -> Settings:
    """Settings from options, environment and file; SettingsError names what is wrong and where."""
    given: dict[str, Any] = {**options, "config_file": {} if file is None else _read(file)}
    try:
        return Settings(**given)
    except ValidationError as error:
        lines = [_explain(problem) for problem in error.errors()]
        raise SettingsError("\n".join(lines)) from error
    except UnreadableVariableError as error:
        raise SettingsError(f"{error}; a mapping is JSON, or one variable for each property") from error


def _read(file: str) -> dict[str, Any]:
    if not Path(file).is_file():
        raise SettingsError(f"the settings file {file!r} does not exist")
    try:
        return tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the settings file {file!r} is no TOML: {error}") from error


def _dotted(values: Mapping[str, Any]) -> dict[str, Any]:
    """Client properties under their own names, wherever they come from."""
    return {
        name: dict(_properties(value)) if name in _MAPPINGS and isinstance(value, Mapping) else value
        for name, value in values.items()
    }


def _properties(given: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """A TOML file's dotted names are tables in tables; variables cannot hold dots: LINGER_MS is linger.ms."""
    for name, value in given.items():
        dotted = before + str(name).lower().replace("_", ".")
        if isinstance(value, Mapping):
            yield from _properties(value, f"{dotted}.")
        else:
            yield dotted, str(value)


def _explain(problem: Any) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    return (
        f"setting {name!r}: {problem['msg']}, got {problem['input']!r}; "
        f"set it with --{name.replace('_', '-')}, WALLAROO_{name.upper()} or in the settings file"
    )
