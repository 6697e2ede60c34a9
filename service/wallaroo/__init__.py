"""Wallaroo on Kafka: the public names, nothing else."""

from wallaroo import experimental
from wallaroo.api.aggregation import Aggregation, Window
from wallaroo.api.arguments import (
    kafka_parse_sink_options,
    kafka_parse_source_options,
    tcp_parse_input_addrs,
    tcp_parse_output_addrs,
)
from wallaroo.api.codecs import (
    attach_to_module,
    deserialize,
    dt_to_timestamp,
    json_decoder,
    json_encoder,
    serialize,
)
from wallaroo.api.context import Context
from wallaroo.api.decorators import (
    computation,
    computation_multi,
    decoder,
    encoder,
    key_extractor,
    state_computation,
    state_computation_multi,
)
from wallaroo.api.durations import days, hours, microseconds, milliseconds, minutes, nanoseconds, seconds
from wallaroo.api.output import Output
from wallaroo.api.pipeline import Application, Pipeline, build_application, source
from wallaroo.api.sinks import (
    CustomKafkaSinkCLIParser,
    DefaultKafkaSinkCLIParser,
    KafkaSinkConfig,
    TCPSinkConfig,
)
from wallaroo.api.sources import (
    CustomKafkaSourceCLIParser,
    DefaultKafkaSourceCLIParser,
    GenSourceConfig,
    KafkaSourceConfig,
    TCPSourceConfig,
)
from wallaroo.api.stages import (
    BaseWrapped,
    Computation,
    ComputationMulti,
    ConnectorDecoder,
    ConnectorEncoder,
    Decoder,
    Encoder,
    KeyExtractor,
    OctetDecoder,
    OctetEncoder,
    StateComputation,
    StateComputationMulti,
)
from wallaroo.api.tls import ClientTLS, ServerTLS
from wallaroo.api.window_builders import (
    CountWindowsBuilder,
    RangeWindowsBuilder,
    SessionWindowsBuilder,
    count_windows,
    range_windows,
    session_windows,
)
from wallaroo.api.windows import CountWindows, LateDataPolicy, RangeWindows, SessionWindows
from wallaroo.errors import WallarooError, WallarooParameterError
from wallaroo.version import installed_version

__all__ = [
    "Aggregation",
    "Application",
    "BaseWrapped",
    "ClientTLS",
    "Computation",
    "ComputationMulti",
    "ConnectorDecoder",
    "ConnectorEncoder",
    "Context",
    "CountWindows",
    "CountWindowsBuilder",
    "CustomKafkaSinkCLIParser",
    "CustomKafkaSourceCLIParser",
    "Decoder",
    "DefaultKafkaSinkCLIParser",
    "DefaultKafkaSourceCLIParser",
    "Encoder",
    "GenSourceConfig",
    "KafkaSinkConfig",
    "KafkaSourceConfig",
    "KeyExtractor",
    "LateDataPolicy",
    "OctetDecoder",
    "OctetEncoder",
    "Output",
    "Pipeline",
    "RangeWindows",
    "RangeWindowsBuilder",
    "ServerTLS",
    "SessionWindows",
    "SessionWindowsBuilder",
    "StateComputation",
    "StateComputationMulti",
    "TCPSinkConfig",
    "TCPSourceConfig",
    "WallarooError",
    "WallarooParameterError",
    "Window",
    "attach_to_module",
    "build_application",
    "computation",
    "computation_multi",
    "count_windows",
    "days",
    "decoder",
    "deserialize",
    "dt_to_timestamp",
    "encoder",
    "experimental",
    "hours",
    "json_decoder",
    "json_encoder",
    "kafka_parse_sink_options",
    "kafka_parse_source_options",
    "key_extractor",
    "microseconds",
    "milliseconds",
    "minutes",
    "nanoseconds",
    "range_windows",
    "seconds",
    "serialize",
    "session_windows",
    "source",
    "state_computation",
    "state_computation_multi",
    "tcp_parse_input_addrs",
    "tcp_parse_output_addrs",
]


def __getattr__(name: str) -> str:
    """`wallaroo.__version__`, found when it is asked for."""
    if name == "__version__":
        return installed_version()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
