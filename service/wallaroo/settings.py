"""Settings of a service: options first, then WALLAROO_ variables, then a TOML file, then defaults."""

from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from wallaroo.errors import SettingsError

Properties = dict[str, str]


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
    commit_every: int = Field(default=200_000, ge=1)
    on_error: Literal["dead_letter", "skip", "stop"] = "dead_letter"
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
    expose_state: bool = False
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"

    kafka: Properties = {}
    consumer: Properties = {}
    producer: Properties = {}

    @field_validator("kafka", "consumer", "producer", "topic_config", mode="before")
    @classmethod
    def _dotted(cls, given: Any) -> Any:
        """Environment variables cannot hold dots: SECURITY_PROTOCOL means security.protocol."""
        if not isinstance(given, dict):
            return given
        return {str(name).lower().replace("_", "."): str(value) for name, value in given.items()}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = getattr(init_settings, "init_kwargs", {}).pop("config_file", None)
        sources = (init_settings, env_settings)
        return (*sources, TomlConfigSettingsSource(settings_cls, Path(file))) if file else sources


def load_settings(options: dict[str, Any], file: str | None = None) -> Settings:
    """Settings from options, environment and file; SettingsError names what is wrong and where."""
    if file is not None and not Path(file).is_file():
        raise SettingsError(f"the settings file {file!r} does not exist")
    try:
        return Settings(**(options if file is None else {**options, "config_file": file}))
    except ValidationError as error:
        lines = [_explain(problem) for problem in error.errors()]
        raise SettingsError("\n".join(lines)) from error


def _explain(problem: Any) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    return (
        f"setting {name!r}: {problem['msg']}, got {problem['input']!r}; "
        f"set it with --{name.replace('_', '-')}, WALLAROO_{name.upper()} or in the settings file"
    )
