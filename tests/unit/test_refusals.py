"""What is near a name, which variables and options are ours, and how secrets are hidden."""

import pytest

from wallaroo.refusals import (
    mentions,
    misspelt_option,
    nearest,
    secrets_of,
    unknown_variables,
    without_secrets,
)

NAMES = ("workers", "kafka", "commit_interval_ms", "create_topics", "http_port", "partitions")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("workes", "workers"),
        ("wrokers", "workers"),
        ("WORKERS", "workers"),
        ("kafak", "kafka"),
        ("commit-intervall-ms", "commit_interval_ms"),
        ("commit_interval", "commit_interval_ms"),
        ("partition", "partitions"),
        ("http-prot", "http_port"),
    ],
)
def test_a_typing_error_is_near_the_name_that_was_meant(written, meant):
    assert nearest(written, NAMES) == meant


@pytest.mark.parametrize(
    "name", ["port", "host", "brokers", "in", "out", "topic", "depth", "partitioned-by-user"]
)
def test_what_applications_call_their_own_is_near_none(name):
    assert nearest(name, NAMES) is None


@pytest.mark.parametrize("argument", ["localhost:7010", "3", "-w", "--", "--kafka_source_topic", "workers"])
def test_an_argument_that_is_no_misspelt_option_is_none(argument):
    assert misspelt_option(argument, NAMES) is None


@pytest.mark.parametrize(
    ("source", "argument", "expected"),
    [
        ("parser.add_argument('--worker')", "--worker=3", True),
        ("usage: app [--worker N]", "--worker", True),
        ("getopt(args, '', ['worker='])", "--worker", True),
        ("parser.add_argument('--worker-count')", "--worker", False),
        ("workers = 3", "--worker", False),
    ],
)
def test_an_option_is_mentioned_where_it_stands_as_a_whole(source, argument, expected):
    assert mentions(source, argument) is expected


def test_variables_that_are_settings_or_told_by_kubernetes_are_not_named():
    known = {
        "WALLAROO_WORKERS": "3",
        "wallaroo_workers": "3",
        "WALLAROO_KAFKA__SASL_PASSWORD": "s3cret",
        "WALLAROO_SERVICE_HOST": "10.0.0.1",
        "WALLAROO_SERVICE_PORT_HTTP": "8080",
        "WALLAROO_PORT": "tcp://10.0.0.1:8080",
        "WALLAROO_PORT_8080_TCP_ADDR": "10.0.0.1",
        "PATH": "/bin",
    }
    assert list(unknown_variables(known, NAMES, ["kafka"])) == []


@pytest.mark.parametrize(
    ("variable", "advice"),
    [
        ("WALLAROO_BOGUS", "lists all settings"),
        ("WALLAROO_HTTP_PROT", "did you mean WALLAROO_HTTP_PORT?"),
        ("WALLAROO_KAFKA_SASL_PASSWORD", "did you mean WALLAROO_KAFKA__SASL_PASSWORD, with two underscores?"),
        ("WALLAROO_KAFAK__SASL_PASSWORD", "did you mean WALLAROO_KAFKA__SASL_PASSWORD?"),
        ("WALLAROO_WORKERS__MORE", "did you mean WALLAROO_WORKERS?"),
    ],
)
def test_a_variable_without_effect_is_named_with_what_was_meant_and_without_its_value(variable, advice):
    [text] = unknown_variables({variable: "s3cret"}, NAMES, ["kafka"])
    assert f"the variable {variable} is no setting and has no effect" in text
    assert advice in text
    assert "s3cret" not in text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("sasl.password", "s3cret", "password s3cret refused"),
        ("ssl.key.pem", "-----BEGIN\nMIIabcdefgh\n-----END", "cannot parse MIIabcdefgh"),
        ("sasl.oauthbearer.config", "principal=me secret=s3cretkey", "beginning at: secret=s3cretkey"),
        ("ssl.keystore.password", "s3cret", "s3crets3cret"),
    ],
)
def test_a_secret_is_hidden_wherever_it_stands_in_a_text(name, value, text):
    shown = without_secrets(text, secrets_of({name: value}))
    assert "s3cret" not in shown
    assert "MIIabcdefgh" not in shown
    assert "***" in shown


def test_properties_that_are_no_secrets_are_not_hidden():
    assert secrets_of({"client.rack": "a-rack", "ssl.key.location": "/keys/client.pem"}) == frozenset()
