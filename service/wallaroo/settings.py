"""Settings of a service: options first, then WALLAROO_ variables, then a TOML file, then defaults."""

import ipaddress
import re
import tomllib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as UnreadableVariableError

from wallaroo.errors import SettingsError
from wallaroo.refusals import explain, secrets_of, shown_name, unknown_variables
from wallaroo.secret_files import SECRET_SETTINGS, with_secret_properties, with_secret_settings

# Bytes by which a dead letter may exceed the record that failed: its headers say why.
DEAD_LETTER_BYTES = 131_072

Properties = dict[str, str]
# The settings whose values are such properties.
MAPPINGS = ("kafka", "consumer", "producer", "delivery", "topic_config")

_PROPERTY = re.compile(r"[a-z0-9.-]+")
# What a header may carry (RFC 6750), and long enough that nobody finds it by trying.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{16,}=*")
_NAME = r"^[a-zA-Z0-9._-]{1,200}$"


def _checked_token(token: SecretStr) -> SecretStr:
    if not _TOKEN.fullmatch(token.get_secret_value()):
        raise ValueError(
            "a token is at least 16 letters, digits and . _ ~ + / - (make one with `openssl rand -hex 32`)"
        )
    return token


class Guarantee(StrEnum):
    """What a crash may do to results."""

    EXACTLY_ONCE = "exactly_once"
    AT_LEAST_ONCE = "at_least_once"


class Settings(BaseSettings):
    """Everything an operator can set; docs/settings.md explains it. Names of times end in their unit."""

    model_config = SettingsConfigDict(
        env_prefix="WALLAROO_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    bootstrap_servers: str = Field("localhost:9092", description="Brokers of the application's own cluster")
    application_id: str | None = Field(
        None, pattern=_NAME, description="Prefix of every consumer group, internal topic and transactional id"
    )
    instance: str | None = Field(None, pattern=_NAME, description="Name of this process group on the cluster")
    workers: int = Field(1, ge=1, le=512, description="Number of worker processes")

    processing_guarantee: Guarantee = Field(
        Guarantee.EXACTLY_ONCE, description="What a crash may do to results: exactly_once or at_least_once"
    )
    commit_interval_ms: int = Field(100, ge=1, le=600_000, description="Time between two commits under load")
    commit_linger_ms: int = Field(
        0, ge=0, le=600_000, description="How long to wait for more records when input is scarce"
    )
    commit_every: int = Field(200_000, ge=1, description="Maximum number of records in one commit")
    on_error: Literal["dead_letter", "skip", "stop"] = Field(
        "dead_letter", description="What happens to a record that fails: dead_letter, skip or stop"
    )
    on_unreadable_state: Literal["fail", "dead_letter"] = Field(
        "fail",
        description="What happens to a state or internal record that cannot be read: fail or dead_letter",
    )
    idle_timeout_ms: int | None = Field(
        None, ge=1, le=2**53, description="How long a source partition without input holds windows open"
    )
    max_future_ms: Annotated[int | None, BeforeValidator(lambda given: None if given == "off" else given)] = (
        Field(
            1_800_000,
            ge=1_000,
            le=2**53,
            description="How far event time may be ahead of the wall clock where windows lie ahead, or off",
        )
    )
    auto_offset_reset: Literal["earliest", "latest"] = Field(
        "earliest",
        description="Where to start in a source that the group has never read: earliest or latest",
    )
    on_offset_out_of_range: Literal["fail", "earliest", "latest"] = Field(
        "fail",
        description="What to do when a topic no longer holds the next offset: fail, earliest or latest",
    )
    on_position_mismatch: Literal["fail", "state", "group"] = Field(
        "fail",
        description="What to do when the group's offset and the state do not belong together: fail, or go on "
        "where the state or the group is",
    )

    group_protocol: Literal["classic", "consumer"] = Field(
        "classic",
        description="Protocol of the consumer groups: classic, or consumer (KIP-848, brokers from 4.0 on)",
    )
    session_timeout_ms: int = Field(
        10_000,
        ge=6_000,
        description="Classic groups: how long the partitions of a vanished worker wait for it to come back",
    )
    transaction_timeout_ms: int = Field(
        10_000,
        ge=1_000,
        description="How long the open transaction of a vanished worker may block readers",
    )
    consume_batch: int = Field(
        1_000, ge=1, le=100_000, description="Maximum number of messages taken from the client at once"
    )

    create_topics: bool = Field(True, description="Create missing topics")
    partitions: int = Field(
        4, ge=1, description="Number of partitions of the source and sink topics that the service creates"
    )
    replication_factor: int = Field(
        -1,
        ge=-1,
        description="Replication factor of the topics that the service creates; -1 is the broker's default",
    )
    max_message_bytes: int = Field(
        10_485_760,
        ge=1_000,
        description="max.message.bytes of created topics, and the largest record that the service writes",
    )
    topic_config: Properties = Field(
        {}, repr=False, description="Further properties of the topics that the service creates"
    )
    embedded_broker: bool = Field(
        False, description="The brokers are librdkafka's mock cluster: for the demo only"
    )

    sender_idle_timeout_ms: int = Field(
        30_000,
        ge=100,
        le=2**53,
        description="How long a TCP sender may send no whole frame while others wait for its connection",
    )

    http_host: str = Field("127.0.0.1", description="Address on which HTTP is served; 0.0.0.0 in a container")
    http_port: int = Field(8080, ge=0, le=65_535, description="Port on which HTTP is served")
    advertised_http: str | None = Field(
        None,
        pattern=r"^https?://[^\s/?#@]+(/[^\s?#@]*)?$",
        description="URL at which other instances reach the pages of this one, to ask it for a state",
    )
    http_token: Annotated[SecretStr, AfterValidator(_checked_token)] | None = Field(
        None, description="Token that a request needs for every page but /healthz, /readyz and /metrics"
    )
    http_token_file: str | None = Field(None, description="File in which that token is")
    expose_state: bool | None = Field(
        None, description="Whether /state/STAGE/KEY is answered; by default where HTTP is served on loopback"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Lowest level that is logged: DEBUG, INFO, WARNING or ERROR"
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="Form of the log lines on stderr: text or json"
    )

    kafka: Properties = Field(
        {}, repr=False, description="Properties of all Kafka clients, under librdkafka's names"
    )
    consumer: Properties = Field({}, repr=False, description="Properties of consumers only")
    producer: Properties = Field({}, repr=False, description="Properties of producers only")
    delivery: Properties = Field(
        {}, repr=False, description="Properties of producers for sinks on other clusters"
    )

    @property
    def is_exactly_once(self) -> bool:
        return self.processing_guarantee is Guarantee.EXACTLY_ONCE

    @property
    def chosen_servers(self) -> str | None:
        """The brokers, if the operator has named any."""
        return self.bootstrap_servers if "bootstrap_servers" in self.model_fields_set else None

    @property
    def http_is_local(self) -> bool:
        """Whether only this machine reaches the pages."""
        try:
            return ipaddress.ip_address(self.http_host.strip("[]")).is_loopback
        except ValueError:
            return self.http_host == "localhost"

    @property
    def shows_state(self) -> bool:
        return self.http_is_local if self.expose_state is None else self.expose_state

    @property
    def secrets(self) -> frozenset[str]:
        """What must not be printed: the token, and passwords and keys among the properties."""
        own = {name: value.get_secret_value() for name in SECRET_SETTINGS if (value := getattr(self, name))}
        return secrets_of(own).union(*(secrets_of(getattr(self, name)) for name in MAPPINGS))

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
            InitSettingsSource(settings_cls, init_kwargs=_dotted(with_secret_settings(values)))
            for values in (given, env_settings(), from_file)
        )


def load_settings(options: dict[str, Any], file: str | None = None) -> Settings:
    """Read settings from options, environment and file.

    Raises SettingsError, which names each setting that is wrong and where to set it.
    """
    given: dict[str, Any] = {**options, "config_file": {} if file is None else _read(file)}
    try:
        return _with_guarded_state(Settings(**given))
    except ValidationError as error:
        names = Settings.model_fields.keys()
        lines = dict.fromkeys(explain(problem, names, MAPPINGS) for problem in error.errors())
        # Not "from error": a traceback would show what was given, passwords too.
        raise SettingsError("\n".join(lines)) from None
    except UnreadableVariableError as error:
        found = re.search(r'field "(\w+)"', str(error))
        name = found[1].upper() if found else "..."
        raise SettingsError(
            f"the variable WALLAROO_{name} cannot be read: it is to be JSON, or one variable for each "
            f"property, WALLAROO_{name}__PROPERTY"
        ) from None


def _with_guarded_state(settings: Settings) -> Settings:
    """Raise SettingsError if states would be shown to whoever reaches the port."""
    if settings.shows_state and not settings.http_is_local and settings.http_token is None:
        raise SettingsError(
            f"setting 'expose_state' shows states to whoever reaches {settings.http_host}; set http_token "
            "too (WALLAROO_HTTP_TOKEN_FILE or WALLAROO_HTTP_TOKEN), or serve HTTP on 127.0.0.1"
        )
    return settings


def ineffective_variables(environment: Mapping[str, str]) -> list[str]:
    """A text for each variable that begins like a setting and is none."""
    return list(unknown_variables(environment, list(Settings.model_fields), MAPPINGS))


def _read(file: str) -> dict[str, Any]:
    if not Path(file).is_file():
        raise SettingsError(f"the settings file {file!r} does not exist")
    try:
        return tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"the settings file {file!r} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        reason, at, place = str(error).rpartition(" (at ")
        # A reason with a key in it may have anything in it.
        shown = "" if set(reason) & set("('\"") else f" {reason}"
        where = f"{shown} (at {place}" if at else " it is not UTF-8"
        raise SettingsError(f"the settings file {file!r} is no TOML:{where}") from None


def _dotted(values: Mapping[str, Any]) -> dict[str, Any]:
    """Give client properties their own names, whichever source they come from."""
    return {
        name: with_secret_properties(name, dict(_properties(name, value)))
        if name in MAPPINGS and isinstance(value, Mapping)
        else value
        for name, value in values.items()
    }


def _properties(setting: str, given: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Flatten the tables that TOML makes of dotted names; a variable's LINGER_MS is linger.ms."""
    for name, value in given.items():
        dotted = before + str(name).lower().replace("_", ".")
        if not _PROPERTY.fullmatch(dotted):
            raise SettingsError(f"setting {setting!r} has a property {shown_name(dotted)}; mend it")
        if isinstance(value, Mapping):
            yield from _properties(setting, value, f"{dotted}.")
        elif isinstance(value, list):
            raise SettingsError(f"setting {setting!r}: the property {dotted!r} is a list; give a text")
        else:
            yield dotted, str(value)
