"""Secrets that come from files, and what is said where they cannot."""

import traceback

import pytest

from wallaroo.errors import SettingsError
from wallaroo.settings import Settings, load_settings

TOKEN = "0123456789abcdef"  # noqa: S105 - of these tests


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """An environment without settings, to which a test adds its own."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"WALLAROO_{name.upper()}", raising=False)
    return lambda name, value: monkeypatch.setenv(f"WALLAROO_{name}", value)


@pytest.fixture
def holding(tmp_path):
    """The path of a new file with some bytes."""

    def holding(content, name="secret"):
        path = tmp_path / name
        path.write_bytes(content)
        return str(path)

    return holding


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"s3cret", "s3cret"),
        (b"s3cret\n", "s3cret"),
        (b"s3cret\r\n", "s3cret"),
        (b"s3cret\n\n", "s3cret\n"),
        (b" s3 cret= \n", " s3 cret= "),
        ("p\u00e4\u00df\n".encode(), "p\u00e4\u00df"),
    ],
)
def test_the_content_of_the_file_is_the_secret_without_its_lines_end(content, secret, holding, environment):
    environment("KAFKA__SASL_PASSWORD_FILE", holding(content))
    assert load_settings({}).kafka == {"sasl.password": secret}


@pytest.mark.parametrize(
    "name",
    [
        "sasl.password",
        "ssl.key.password",
        "ssl.keystore.password",
        "ssl.key.pem",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.config",
        "sasl.oauthbearer.assertion.private.key.passphrase",
    ],
)
@pytest.mark.parametrize("setting", ["kafka", "consumer", "producer", "delivery"])
def test_every_secret_of_every_client_may_be_in_a_file(setting, name, holding, environment, tmp_path):
    variable = f"{setting.upper()}__{name.upper().replace('.', '_')}_FILE"
    environment(variable, holding(b"s3cret\n"))
    assert getattr(load_settings({}), setting) == {name: "s3cret"}
    environment(variable, holding(b"another\n"))
    config = tmp_path / "settings.toml"
    config.write_text(f'[{setting}]\n"{name}.file" = "{holding(b"s3cret", "third")}"\n')
    assert getattr(load_settings({}, str(config)), setting) == {name: "another"}


def test_a_file_that_the_client_reads_itself_is_left_to_it():
    given = {"sasl.oauthbearer.assertion.private.key.file": "/k", "ssl.key.location": "/l"}
    assert load_settings({"kafka": given}).kafka == given


def test_the_token_may_be_in_a_file(holding, environment, tmp_path):
    environment("HTTP_TOKEN_FILE", holding(TOKEN.encode() + b"\n"))
    given = load_settings({})
    assert given.http_token.get_secret_value() == TOKEN
    assert given.secrets == {TOKEN}


def test_a_file_of_one_source_counts_more_than_a_secret_of_the_next(holding, environment):
    environment("HTTP_TOKEN", "the-token-of-the-environment")
    given = load_settings({"http_token_file": holding(TOKEN.encode())})
    assert given.http_token.get_secret_value() == TOKEN


CANNOT_BE_READ = {
    "missing": lambda folder: (folder / "nowhere", "No such file"),
    "a folder": lambda folder: (folder, "Is a directory"),
    "empty": lambda folder: (_file(folder, b""), "is empty"),
    "an empty line": lambda folder: (_file(folder, b"\n"), "is empty"),
    "not UTF-8": lambda folder: (_file(folder, b"s3cret\xff"), "is not UTF-8"),
    "endless": lambda _: ("/dev/zero", "has more than"),
    "no path": lambda _: ("", "No such file"),
    "no path at all": lambda _: ("/a\0b", "null byte"),
}


def _file(folder, content):
    path = folder / "content"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("made", CANNOT_BE_READ.values(), ids=CANNOT_BE_READ.keys())
@pytest.mark.parametrize(
    ("options", "variable"),
    [
        (lambda path: {"http_token_file": path}, "WALLAROO_HTTP_TOKEN_FILE"),
        (lambda path: {"kafka": {"sasl.password.file": path}}, "WALLAROO_KAFKA__SASL_PASSWORD_FILE"),
    ],
)
def test_a_file_that_is_no_secret_is_named_with_its_variable_and_not_shown(made, options, variable, tmp_path):
    path, reason = made(tmp_path)
    with pytest.raises(SettingsError) as error:
        load_settings(options(str(path)))
    assert variable in str(error.value)
    assert repr(str(path)) in str(error.value)
    assert reason in str(error.value)
    assert "s3cret" not in "".join(traceback.format_exception(error.value))


def test_a_file_that_this_user_may_not_read_is_named(holding, monkeypatch):
    path = holding(TOKEN.encode())

    def refused(*_args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refused)
    with pytest.raises(SettingsError, match=r"WALLAROO_HTTP_TOKEN_FILE.*Permission denied"):
        load_settings({"http_token_file": path})


@pytest.mark.parametrize(
    "options",
    [
        {"http_token": TOKEN, "http_token_file": "/t"},
        {"kafka": {"sasl.password": "s3cret", "sasl.password.file": "/t"}},
    ],
)
def test_a_secret_and_its_file_in_one_place_contradict_each_other(options):
    with pytest.raises(
        SettingsError, match="is given by itself and by a file; give one of WALLAROO_"
    ) as error:
        load_settings(options)
    assert "s3cret" not in str(error.value)
