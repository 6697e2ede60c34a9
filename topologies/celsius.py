"""Celsius: temperatures in degrees Celsius in from a Kafka topic, the same in Fahrenheit out to another.

wallaroo run topologies.celsius --kafka_source_topic celsius --kafka_sink_topic fahrenheit
"""

import wallaroo


def application_setup(args):
    """The topics are what the options --kafka_source_... and --kafka_sink_... say."""
    celsius = wallaroo.source("celsius", wallaroo.DefaultKafkaSourceCLIParser(decode_number))
    fahrenheit = celsius.to(multiply).to(add)
    pipeline = fahrenheit.to_sink(wallaroo.DefaultKafkaSinkCLIParser(encode_number))
    return wallaroo.build_application("celsius", pipeline)


@wallaroo.decoder()
def decode_number(payload):
    try:
        return float(payload)
    except ValueError:
        # As the original has it. Without this, such a record would be a dead letter.
        return 0.0


@wallaroo.computation(name="multiply by 1.8")
def multiply(degrees):
    return degrees * 1.8


@wallaroo.computation(name="add 32")
def add(degrees):
    return degrees + 32


@wallaroo.encoder
def encode_number(degrees):
    return f"{degrees:.6f}", None, None
