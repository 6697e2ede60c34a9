"""Contract 1.0 to 1.3 and 1.8: every public name, what it is, and how the markers are related."""

import importlib
import inspect
import sys

import pytest

import wallaroo

ORIGINAL_NAMES = [
    "Aggregation",
    "BaseWrapped",
    "ClientTLS",
    "Context",
    "Output",
    "Computation",
    "ComputationMulti",
    "ConnectorDecoder",
    "ConnectorEncoder",
    "CountWindows",
    "CountWindowsBuilder",
    "CustomKafkaSinkCLIParser",
    "CustomKafkaSourceCLIParser",
    "Decoder",
    "DefaultKafkaSinkCLIParser",
    "DefaultKafkaSourceCLIParser",
    "Encoder",
    "GenSourceConfig",
    "KeyExtractor",
    "OctetDecoder",
    "OctetEncoder",
    "Pipeline",
    "RangeWindows",
    "RangeWindowsBuilder",
    "ServerTLS",
    "StateComputation",
    "StateComputationMulti",
    "TCPSinkConfig",
    "TCPSourceConfig",
    "WallarooParameterError",
    "attach_to_module",
    "build_application",
    "computation",
    "computation_multi",
    "count_windows",
    "decoder",
    "deserialize",
    "dt_to_timestamp",
    "encoder",
    "experimental",
    "hours",
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
    "source",
    "state_computation",
    "state_computation_multi",
    "tcp_parse_input_addrs",
    "tcp_parse_output_addrs",
]

ADDED_NAMES = [
    "Application",
    "KafkaSinkConfig",
    "KafkaSourceConfig",
    "LateDataPolicy",
    "SessionWindows",
    "SessionWindowsBuilder",
    "WallarooError",
    "Window",
    "days",
    "json_decoder",
    "json_encoder",
    "session_windows",
]


def test_the_public_names_are_the_originals_and_ours():
    assert sorted(wallaroo.__all__) == sorted(ORIGINAL_NAMES + ADDED_NAMES)


@pytest.mark.parametrize("name", ORIGINAL_NAMES + ADDED_NAMES)
def test_a_public_name_is_there(name):
    assert hasattr(wallaroo, name)


@pytest.mark.parametrize(
    ("derived", "base"),
    [
        (wallaroo.Aggregation, wallaroo.BaseWrapped),
        (wallaroo.Computation, wallaroo.BaseWrapped),
        (wallaroo.ComputationMulti, wallaroo.Computation),
        (wallaroo.StateComputation, wallaroo.Computation),
        (wallaroo.StateComputationMulti, wallaroo.StateComputation),
        (wallaroo.StateComputationMulti, wallaroo.ComputationMulti),
        (wallaroo.KeyExtractor, wallaroo.BaseWrapped),
        (wallaroo.Encoder, wallaroo.BaseWrapped),
        (wallaroo.Decoder, wallaroo.BaseWrapped),
        (wallaroo.OctetEncoder, wallaroo.BaseWrapped),
        (wallaroo.OctetDecoder, wallaroo.BaseWrapped),
        (wallaroo.ConnectorEncoder, wallaroo.BaseWrapped),
        (wallaroo.ConnectorDecoder, wallaroo.BaseWrapped),
        (wallaroo.WallarooParameterError, wallaroo.WallarooError),
        (wallaroo.WallarooError, Exception),
    ],
)
def test_a_class_derives_from_its_base(derived, base):
    assert issubclass(derived, base)


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (wallaroo.computation, "(name)"),
        (wallaroo.computation_multi, "(name)"),
        (wallaroo.state_computation, "(name, state, ttl=None)"),
        (wallaroo.state_computation_multi, "(name, state, ttl=None)"),
        (wallaroo.key_extractor, "(func)"),
        (wallaroo.encoder, "(func)"),
        (wallaroo.decoder, "(header_length=4, length_fmt='>I')"),
        (wallaroo.source, "(name, source_config)"),
        (wallaroo.Pipeline.from_source, "(name, source_config)"),
        (wallaroo.Pipeline.to, "(self, computation)"),
        (wallaroo.Pipeline.key_by, "(self, key_extractor)"),
        (wallaroo.Pipeline.collect, "(self)"),
        (wallaroo.Pipeline.merge, "(self, pipeline)"),
        (wallaroo.Pipeline.to_sink, "(self, sink_config)"),
        (wallaroo.Pipeline.to_sinks, "(self, sink_configs)"),
        (wallaroo.Pipeline.clone, "(self)"),
        (wallaroo.build_application, "(app_name, pipeline)"),
        (wallaroo.range_windows, "(wrange)"),
        (wallaroo.count_windows, "(wcount)"),
        (wallaroo.RangeWindowsBuilder, "(wrange)"),
        (wallaroo.RangeWindowsBuilder.with_slide, "(self, slide)"),
        (wallaroo.RangeWindowsBuilder.with_offset, "(self, offset)"),
        (wallaroo.RangeWindowsBuilder.with_delay, "(self, delay)"),
        (wallaroo.RangeWindowsBuilder.with_late_data_policy, "(self, policy)"),
        (wallaroo.RangeWindowsBuilder.over, "(self, aggregation)"),
        (wallaroo.RangeWindowsBuilder.with_early_results, "(self, every=None)"),
        (wallaroo.session_windows, "(gap)"),
        (wallaroo.SessionWindowsBuilder, "(gap)"),
        (wallaroo.SessionWindowsBuilder.with_delay, "(self, delay)"),
        (wallaroo.SessionWindowsBuilder.with_late_data_policy, "(self, policy)"),
        (wallaroo.SessionWindowsBuilder.with_early_results, "(self, every=None)"),
        (wallaroo.SessionWindowsBuilder.over, "(self, aggregation)"),
        (wallaroo.SessionWindows, "(gap, delay, aggregation, late_data_policy=drop, early=None)"),
        (wallaroo.Window, "(start=None, end=None, final=True, number=None)"),
        (wallaroo.CountWindowsBuilder, "(wcount)"),
        (wallaroo.CountWindowsBuilder.over, "(self, aggregation)"),
        (wallaroo.nanoseconds, "(x)"),
        (wallaroo.microseconds, "(x)"),
        (wallaroo.milliseconds, "(x)"),
        (wallaroo.seconds, "(x)"),
        (wallaroo.minutes, "(x)"),
        (wallaroo.hours, "(x)"),
        (wallaroo.days, "(x)"),
        (
            wallaroo.RangeWindows,
            "(range, slide, delay, aggregation, late_data_policy=drop, offset=0, early=None)",
        ),
        (wallaroo.CountWindows, "(count, aggregation)"),
        (wallaroo.GenSourceConfig, "(name, gen_instance)"),
        (
            wallaroo.TCPSourceConfig,
            "(name, host, port, decoder, valid=True, parallelism=10, max_size=16384, max_received_count=50, "
            "*, tls=None)",
        ),
        (wallaroo.ServerTLS, "(certificate, key, *, client_ca=None)"),
        (wallaroo.ClientTLS, "(ca=None, *, certificate=None, key=None, server_name=None)"),
        (wallaroo.TCPSinkConfig, "(host, port, encoder, *, name=None, tls=None)"),
        (wallaroo.DefaultKafkaSinkCLIParser, "(encoder, name='kafka_sink')"),
        (
            wallaroo.DefaultKafkaSourceCLIParser,
            "(decoder, name='kafka_source', *, partitioned_by=None, event_time=None, max_future=None, "
            "carry_headers=())",
        ),
        (wallaroo.CustomKafkaSinkCLIParser, "(args, encoder)"),
        (
            wallaroo.CustomKafkaSourceCLIParser,
            "(args, decoder, *, partitioned_by=None, event_time=None, max_future=None, carry_headers=())",
        ),
        (
            wallaroo.KafkaSourceConfig,
            "(topic, brokers=None, log_level='Warn', decoder=None, *, "
            "name=None, partitioned_by=None, event_time=None, max_future=None, carry_headers=())",
        ),
        (
            wallaroo.KafkaSinkConfig,
            "(topic, brokers=None, log_level='Warn', max_produce_buffer_ms=0, "
            "max_message_size=100000, encoder=None)",
        ),
        (wallaroo.serialize, "(obj)"),
        (wallaroo.deserialize, "(bs)"),
        (wallaroo.dt_to_timestamp, "(dt)"),
        (wallaroo.tcp_parse_input_addrs, "(args)"),
        (wallaroo.tcp_parse_output_addrs, "(args)"),
        (wallaroo.kafka_parse_source_options, "(args)"),
        (wallaroo.kafka_parse_sink_options, "(args)"),
    ],
)
def test_a_signature_is_the_documented_one(function, parameters):
    signature = inspect.signature(function)
    plain = [each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()]
    unannotated = inspect.Signature(plain)
    assert str(unannotated).replace("<LateDataPolicy.DROP: 'drop'>", "drop") == parameters


@pytest.mark.parametrize(
    "decorate", [wallaroo.computation, wallaroo.computation_multi, wallaroo.state_computation]
)
def test_the_name_of_a_stage_is_required(decorate):
    with pytest.raises(TypeError):
        decorate()


def test_importing_leaves_the_streams_alone():
    before = sys.stdout, sys.stderr
    importlib.reload(wallaroo)
    assert (sys.stdout, sys.stderr) == before


@pytest.mark.parametrize(
    "name",
    [
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
    ],
)
def test_an_experimental_name_says_that_it_is_not_here(name):
    with pytest.raises(wallaroo.WallarooParameterError, match=rf"experimental\.{name} is not here yet"):
        getattr(wallaroo.experimental, name)


def test_an_unknown_experimental_name_is_an_attribute_error():
    assert not hasattr(wallaroo.experimental, "unheard_of")


def test_attaching_to_the_module_is_not_needed():
    with pytest.raises(wallaroo.WallarooParameterError, match="wrappers are pickled by reference"):
        wallaroo.attach_to_module(object, "Computation", print)
