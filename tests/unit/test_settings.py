"""Settings: options, then the environment, then a file, then defaults; and what is said of wrong ones."""

import re
import traceback
from pathlib import Path

import pytest

from wallaroo.errors import SettingsError
from wallaroo.settings import Guarantee, Settings, load_settings


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """An environment without settings, to which a test adds its own."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"WALLAROO_{name.upper()}", raising=False)
    return lambda name, value: monkeypatch.setenv(f"WALLAROO_{name}", value)


@pytest.fixture
def file(tmp_path):
    """The path of a settings file with the given text."""

    def file(text):
        path = tmp_path / "wallaroo.toml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return file


def refused(text):
    return pytest.raises(SettingsError, match=text)


def test_without_a_word_the_defaults_count():
    settings = load_settings({})
    assert settings.bootstrap_servers == "localhost:9092"
    assert settings.processing_guarantee is Guarantee.EXACTLY_ONCE
    assert (settings.workers, settings.commit_interval_ms, settings.on_error) == (1, 100, "dead_letter")
    assert settings.model_fields_set == set()


def test_a_file_counts_more_than_a_default(file):
    assert load_settings({}, file("workers = 2")).workers == 2


def test_the_environment_counts_more_than_a_file(file, environment):
    environment("WORKERS", "3")
    assert load_settings({}, file("workers = 2")).workers == 3


def test_an_option_counts_more_than_the_environment(file, environment):
    environment("WORKERS", "3")
    assert load_settings({"workers": "4"}, file("workers = 2")).workers == 4


def test_what_nobody_said_otherwise_comes_from_further_back(file, environment):
    environment("COMMIT_INTERVAL_MS", "20")
    settings = load_settings({"workers": "4"}, file("http_port = 1234"))
    assert (settings.workers, settings.commit_interval_ms, settings.http_port) == (4, 20, 1234)


@pytest.mark.parametrize("name", ["KAFKA", "CONSUMER", "PRODUCER", "TOPIC_CONFIG"])
def test_properties_of_the_client_have_underscores_in_the_environment(environment, name):
    environment(f"{name}__SECURITY_PROTOCOL", "SASL_SSL")
    environment(f"{name}__SSL_CA_LOCATION", "/etc/ca.pem")
    given = getattr(load_settings({}), name.lower())
    assert given == {"security.protocol": "SASL_SSL", "ssl.ca.location": "/etc/ca.pem"}


def test_properties_of_the_client_have_dots_in_options():
    settings = load_settings({"kafka": {"security.protocol": "SSL"}})
    assert settings.kafka == {"security.protocol": "SSL"}


def test_properties_of_the_client_have_quoted_names_in_a_file(file):
    settings = load_settings({}, file('[kafka]\n"linger.ms" = 5\n"enable.idempotence" = true'))
    assert settings.kafka == {"linger.ms": "5", "enable.idempotence": "True"}


def test_properties_of_the_client_may_have_plain_dotted_names_in_a_file(file):
    settings = load_settings({}, file('[kafka]\nsecurity.protocol = "SSL"\nssl.ca.location = "ca.pem"'))
    assert settings.kafka == {"security.protocol": "SSL", "ssl.ca.location": "ca.pem"}


def test_properties_from_everywhere_are_put_together(file, environment):
    environment("KAFKA__LINGER_MS", "7")
    settings = load_settings({"kafka": {"acks": "all"}}, file('[kafka]\n"client.rack" = "r1"'))
    assert settings.kafka == {"acks": "all", "linger.ms": "7", "client.rack": "r1"}


def test_one_property_in_two_places_follows_the_same_order(environment):
    environment("KAFKA__LINGER_MS", "7")
    assert load_settings({"kafka": {"linger.ms": "8"}}).kafka == {"linger.ms": "8"}


def test_one_property_in_three_places_follows_the_same_order(file, environment):
    environment("KAFKA__LINGER_MS", "7")
    settings = load_settings({"kafka": {"linger.ms": "8"}}, file('[kafka]\n"linger.ms" = "6"'))
    assert settings.kafka == {"linger.ms": "8"}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"workers": "0"},
            r"setting 'workers': .*greater than or equal to 1, got '0'; set it with --workers, WALLA",
        ),
        ({"workers": "many"}, "setting 'workers': .*valid integer.* got 'many'"),
        (
            {"on_error": "panic"},
            "setting 'on_error': .*'dead_letter', 'skip' or 'stop'.*--on-error, WALLAROO_ON_ERROR",
        ),
        ({"processing_guarantee": "twice"}, "'exactly_once' or 'at_least_once'"),
        ({"group_protocol": "new"}, "'classic' or 'consumer'"),
        ({"application_id": "my app"}, "setting 'application_id'"),
        ({"http_port": "65536"}, "less than or equal to 65535"),
        ({"commit_interval": "10"}, "no setting 'commit_interval'; did you mean 'commit_interval_ms'"),
        ({"nonsense": "10"}, "no setting 'nonsense'; `wallaroo run --help` lists all"),
    ],
)
def test_a_wrong_setting_is_named_with_what_to_do(options, told):
    with refused(told):
        load_settings(options)


def test_all_wrong_settings_are_named_at_once():
    with refused("setting 'workers'(.|\n)*setting 'partitions'"):
        load_settings({"workers": "0", "partitions": "0"})


def test_a_wrong_setting_of_the_environment_is_named(environment):
    environment("WORKERS", "many")
    with refused("setting 'workers': .* WALLAROO_WORKERS"):
        load_settings({})


def test_a_setting_that_there_is_not_in_a_file_is_named(file):
    with refused("there is no setting 'worker'; did you mean 'workers'"):
        load_settings({}, file("worker = 2"))


def test_a_file_that_does_not_exist_is_named():
    with refused("the settings file 'nowhere.toml' does not exist"):
        load_settings({}, "nowhere.toml")


def test_a_file_that_is_no_toml_is_named(file):
    with refused(r"the settings file .*wallaroo.toml.* line 1"):
        load_settings({}, file("workers: 2"))


def test_a_mapping_of_the_environment_that_is_no_json_is_named(environment):
    environment("KAFKA", "acks=all")
    with refused("the variable WALLAROO_KAFKA cannot be read: it is to be JSON"):
        load_settings({})


def test_settings_do_not_change():
    with pytest.raises(ValueError, match="frozen"):
        Settings().workers = 2


def test_a_value_of_nothing_leaves_a_property_of_topics_to_the_broker():
    assert load_settings({"topic_config": {"max.message.bytes": ""}}).topic_config == {
        "max.message.bytes": ""
    }


SECRETS_IN_FILES = {
    "a table misspelt": '[kafak]\n"sasl.password" = "s3cret"\n',
    "a section around everything": '[wallaroo.kafka]\n"sasl.password" = "s3cret"\n',
    "a text instead of a table": 'kafka = "sasl.password=s3cret"\n',
    "a list of texts": 'kafka = ["sasl.password=s3cret"]\n',
    "a list of tables": '[[kafka]]\n"sasl.password" = "s3cret"\n',
    "a list as a property": '[kafka]\n"sasl.password" = ["s3cret"]\n',
    "at the top": '"sasl.password" = "s3cret"\n',
    "at the top without quotes": 'sasl.password = "s3cret"\n',
    "in the name": '[kafka]\n"sasl.password=s3cret" = ""\n',
    "in a name at the top": '"sasl.password=s3cret" = ""\n',
    "in the table of a number": '[workers]\n"sasl.password" = "s3cret"\n',
    "as the value of a number": 'workers = "sasl.password=s3cret"\n',
    "without quotes": "[kafka]\nsasl.password = s3cret\n",
    "a line that does not end": '[kafka]\n"sasl.password" = "s3cret\n',
    "twice": '[kafka]\n"sasl.password" = "s3cret"\n"sasl.password" = "s3cret"\n',
    "a table and a value": '[kafka]\nsasl = "s3cret"\nsasl.password = "s3cret"\n',
    "the same table twice": '["kafka s3cret"]\n["kafka s3cret"]\n',
}


@pytest.mark.parametrize("text", SECRETS_IN_FILES.values(), ids=SECRETS_IN_FILES.keys())
def test_a_refused_file_shows_no_value_and_advises_no_setting_that_there_is_not(text, file):
    with pytest.raises(SettingsError) as error:
        load_settings({}, file(text))
    said = "".join(traceback.format_exception(error.value))
    assert "s3cret" not in said
    assert not re.search(r"--(kafak|wallaroo|sasl)|WALLAROO_(KAFAK|WALLAROO|SASL)", said)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KAFKA", '["sasl.password=s3cret"]'),
        ("KAFKA", '"sasl.password=s3cret"'),
        ("KAFKA", '{"sasl.password": "s3cret"'),
        ("KAFKA", "sasl.password=s3cret"),
        ("KAFKA", '{"sasl.password=s3cret": "x"}'),
        ("DELIVERY", "{'sasl.password': 's3cret'}"),
        ("WORKERS", "sasl.password=s3cret"),
    ],
)
def test_a_refused_variable_shows_no_value(name, value, environment):
    environment(name, value)
    with pytest.raises(SettingsError) as error:
        load_settings({})
    assert "s3cret" not in "".join(traceback.format_exception(error.value))


def test_settings_show_no_properties_when_they_are_printed():
    assert "s3cret" not in repr(Settings(kafka={"sasl.password": "s3cret"}))


def test_passwords_and_keys_of_every_mapping_are_secrets():
    given = Settings(
        kafka={"sasl.password": "first", "client.rack": "a rack"},
        delivery={"ssl.key.pem": "second"},
        producer={"sasl.oauthbearer.client.secret": "third"},
    )
    assert given.secrets == {"first", "second", "third"}


def test_a_file_that_may_not_be_read_is_named(file, monkeypatch):
    path = file("workers = 2")
    monkeypatch.setattr(Path, "read_text", raises_permission_error)
    with refused("wallaroo.toml' cannot be read: Permission denied"):
        load_settings({}, path)


def raises_permission_error(*_args, **_more):
    raise PermissionError(13, "Permission denied")


TOKEN = "0123456789abcdef"  # noqa: S105 - of these tests


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "[::1]", "localhost"])
def test_states_are_shown_on_loopback_unless_they_are_hidden(host):
    assert load_settings({"http_host": host}).shows_state
    assert not load_settings({"http_host": host, "expose_state": "false"}).shows_state


EVERYWHERE = "0.0.0.0"  # noqa: S104 - compared with, not listened on


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "10.0.0.3", "example.org", "", "localhost.example.org"])
def test_elsewhere_states_are_shown_only_by_a_setting_and_with_a_token(host):
    assert not load_settings({"http_host": host}).shows_state
    assert not load_settings({"http_host": host, "http_token": TOKEN}).shows_state
    assert load_settings({"http_host": host, "http_token": TOKEN, "expose_state": "true"}).shows_state
    with refused("'expose_state' shows states to whoever reaches .*WALLAROO_HTTP_TOKEN_FILE"):
        load_settings({"http_host": host, "expose_state": "true"})


@pytest.mark.parametrize(
    "token", ["", "too-short-token", "with spaces in the token", "tokén-0123456789-abc", 20 * "="]
)
def test_a_token_that_no_header_carries_or_that_can_be_guessed_is_refused_and_not_shown(token, environment):
    environment("HTTP_TOKEN", token)
    with pytest.raises(
        SettingsError, match=r"'http_token': .*at least 16 letters.*WALLAROO_HTTP_TOKEN"
    ) as error:
        load_settings({})
    assert not token or token not in "".join(traceback.format_exception(error.value))


def test_a_token_is_a_secret(environment):
    environment("HTTP_TOKEN", TOKEN)
    given = load_settings({})
    assert given.secrets == {TOKEN}
    assert TOKEN not in repr(given)
    assert TOKEN not in str(given.model_dump())
