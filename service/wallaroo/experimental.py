"""Wallaroo's experimental connectors: each name raises WallarooParameterError, which says what to use."""

from wallaroo.errors import WallarooParameterError

_NAMES = frozenset(
    {
        "AtLeastOnceSourceConnector",
        "BaseConnector",
        "ConnectorError",
        "ProtocolError",
        "SinkConnector",
        "SinkConnectorConfig",
        "SourceConnector",
        "SourceConnectorConfig",
        "Stream",
        "UnexpectedSocketError",
        "connector_wire_messages",
        "connectors",
        "octet_message_decoder",
        "octet_message_encoder",
        "parse_connector_args",
        "stream_message_decoder",
        "stream_message_encoder",
    }
)


def __getattr__(name: str) -> object:
    if name in _NAMES:
        raise WallarooParameterError(
            f"wallaroo.experimental.{name} is not here yet; read from Kafka or TCP instead: "
            "KafkaSourceConfig, TCPSourceConfig, KafkaSinkConfig, TCPSinkConfig"
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
