"""The command line: a verb, the application, our options, and everything else for the application."""

import json
import sys
from dataclasses import dataclass
from importlib import metadata
from typing import Annotated

import pytest
import typer
from typer.main import get_command

import wallaroo
from wallaroo.cli import commands, main
from wallaroo.cli.options import PASS_ON, Command, parse, takes_application
from wallaroo.errors import SettingsError
from wallaroo.settings import MAPPINGS, Settings

APPLICATION = """
import wallaroo


@wallaroo.decoder()
def decode(bs):
    return bs


@wallaroo.encoder
def encode(message):
    return message


def application_setup(args):
    source = wallaroo.source("in", wallaroo.DefaultKafkaSourceCLIParser(decode))
    sink = wallaroo.DefaultKafkaSinkCLIParser(encode)
    return wallaroo.build_application("cli app", source.to_sink(sink))
"""
TOPICS = ["--kafka_source_topic", "there", "--kafka_sink_topic", "here"]


@pytest.fixture
def program(tmp_path, monkeypatch):
    """The path of an application's file; its folder is on the path no longer than the test."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = tmp_path / "cli_application.py"
    path.write_text(APPLICATION, encoding="utf-8")
    yield str(path)
    sys.modules.pop("cli_application", None)


def split(*argv):
    """The module and the arguments that the application gets, without the program's name."""
    program = parse(argv).program
    return program.module, list(program.args[1:])


def settings(*argv):
    return parse(["app", *argv]).settings


def test_the_first_argument_of_the_application_is_the_name_of_the_program():
    assert parse(["app"]).program.args == (sys.argv[0],)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["app"], ("app", [])),
        (["app", "--out", "localhost:7010"], ("app", ["--out", "localhost:7010"])),
        (["app", "-o", "localhost:7010", "-i", "in@h:1"], ("app", ["-o", "localhost:7010", "-i", "in@h:1"])),
        (["app", "--workers", "2", "--out", "h:1"], ("app", ["--out", "h:1"])),
        (["--workers", "2", "app", "--out", "h:1"], ("app", ["--out", "h:1"])),
        (["app", "--partitioned-by-user", "--workers=2"], ("app", ["--partitioned-by-user"])),
        (["app", *TOPICS], ("app", TOPICS)),
        (["app", "--kafka_source_topic=t"], ("app", ["--kafka_source_topic=t"])),
        (["app", "a", "b"], ("app", ["a", "b"])),
        (["app", "--depth", "2"], ("app", ["--depth", "2"])),
        (["--application-module", "app"], ("app", [])),
        (["--application-module", "app", "--partitioned-by-user"], ("app", ["--partitioned-by-user"])),
        (["--application-module=app", "--workers", "2", "-x"], ("app", ["-x"])),
    ],
)
def test_what_is_no_option_of_ours_is_the_applications(argv, expected):
    assert split(*argv) == expected


@pytest.mark.parametrize(
    "rest",
    [
        ["--out", "localhost:7010"],
        ["--in", "in@localhost:7001", "--out", "localhost:7010"],
        TOPICS,
    ],
)
def test_behind_application_module_everything_is_the_applications_in_its_order(rest):
    assert split("--application-module", "app", *rest) == ("app", rest)


@pytest.mark.parametrize(
    "argv",
    [
        ["app", "--workers=2", "--depth=3", "--", "--partitions", "40"],
        ["--application-module", "app", "--depth=3", "--workers=2", "--", "--partitions", "40"],
    ],
)
def test_behind_two_dashes_all_is_the_applications_even_what_is_named_like_ours(argv):
    assert split(*argv) == ("app", ["--depth=3", "--partitions", "40"])
    assert settings(*argv).partitions == 4


def test_options_become_settings():
    given = settings(
        "--workers", "3", "--commit-interval-ms", "20", "--processing-guarantee", "at_least_once"
    )
    assert (given.workers, given.commit_interval_ms, given.processing_guarantee) == (3, 20, "at_least_once")


def test_what_is_not_given_is_not_set():
    assert settings("--workers", "3").model_fields_set == {"workers"}


@pytest.mark.parametrize(("option", "value"), [("--create-topics", True), ("--no-create-topics", False)])
def test_a_switch_has_two_sides(option, value):
    assert settings(option).create_topics is value


def test_properties_of_the_client_are_given_one_by_one():
    given = settings("--kafka", "acks=all", "--kafka", "client.rack=a=b", "--producer", "linger.ms=5")
    assert given.kafka == {"acks": "all", "client.rack": "a=b"}
    assert given.producer == {"linger.ms": "5"}


@pytest.mark.parametrize(
    ("argv", "variable"),
    [
        (("--kafka", "sasl.password=s3cret"), "WALLAROO_KAFKA__SASL_PASSWORD_FILE"),
        (("--delivery=ssl.key.pem=s3cret",), "WALLAROO_DELIVERY__SSL_KEY_PEM_FILE"),
        (("--http-token", "s3cret-s3cret-s3cret"), "WALLAROO_HTTP_TOKEN_FILE"),
    ],
)
def test_a_secret_on_the_command_line_is_refused_with_where_to_give_it(argv, variable):
    with pytest.raises(SettingsError, match=f"everybody on this host can read .*{variable}") as error:
        settings(*argv)
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize(
    "given", ["ssl.ca.pem=x", "ssl.key.location=/k", "sasl.oauthbearer.token.endpoint.url=https://h"]
)
def test_what_only_looks_like_a_secret_may_stand_on_the_command_line(given):
    name, value = given.split("=")
    assert settings("--kafka", given).kafka == {name: value}


def test_a_secret_may_be_in_a_file_that_the_command_line_names(tmp_path):
    path = tmp_path / "password"
    path.write_text("s3cret\n")
    assert settings("--kafka", f"sasl.password.file={path}").kafka == {"sasl.password": "s3cret"}


@pytest.mark.parametrize("name", MAPPINGS)
def test_every_mapping_is_given_by_properties(name):
    given = settings(f"--{name.replace('_', '-')}", "client.rack=a")
    assert getattr(given, name) == {"client.rack": "a"}


@pytest.mark.parametrize(("name", "field"), Settings.model_fields.items())
def test_the_help_says_what_each_setting_does(name, field):
    options = {option.name: option for option in get_command(commands).commands["run"].params}
    assert options[name].opts == [f"--{name.replace('_', '-')}"]
    assert options[name].help.startswith(field.description)


def test_a_property_without_a_value_is_refused():
    with pytest.raises(SettingsError, match="--topic-config takes PROPERTY=VALUE; there is no = in number 2"):
        settings("--topic-config", "retention.ms=1", "--topic-config", "retention")


def test_a_settings_file_is_read(tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text("workers = 5", encoding="utf-8")
    assert settings("--config", str(file)).workers == 5


def test_without_an_application_nothing_runs():
    with pytest.raises(SettingsError, match="no application is named; give its module"):
        split("--workers", "2")


def test_an_unknown_verb_is_named(capsys):
    assert main(["dance", "app"]) == 2
    assert "there is no verb 'dance'; there are run, describe" in capsys.readouterr().err


@pytest.mark.parametrize(("argv", "code"), [([], 2), (["--help"], 0), (["-h"], 0), (["help"], 0)])
def test_help_lists_the_verbs(argv, code, capsys):
    assert main(argv) == code
    assert "describe" in capsys.readouterr().out


def test_a_wrong_setting_ends_in_one_line(capsys, program):
    assert main(["describe", program, "--workers", "0"]) == 2
    assert capsys.readouterr().err.startswith("wallaroo: setting 'workers'")


@pytest.mark.parametrize("name", ["nowhere.py", "no.such.module"])
def test_an_application_that_there_is_not_is_named(name, capsys):
    assert main(["describe", name]) == 2
    assert f"{name!r}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("import nothing_like_it", "cannot be loaded: ModuleNotFoundError; mend it"),
        ("def application_setup(args:", "cannot be loaded: SyntaxError; mend it"),
        (
            "def application_setup(args):\n    return {}['host']",
            "bad_app.py' raised KeyError; mend it",
        ),
    ],
)
def test_what_an_application_raises_is_told_with_its_place(text, what, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "bad_app", raising=False)
    file = tmp_path / "bad_app.py"
    file.write_text(text, encoding="utf-8")
    assert main(["describe", str(file)]) == 2
    said = capsys.readouterr().err
    assert what in said.splitlines()[0]
    assert f'File "{file}", line' in said
    assert "service/application.py" not in said


def test_describe_prints_the_topology_of_a_file(capsys, program):
    assert main(["describe", program, *TOPICS]) == 0
    assert capsys.readouterr().out.splitlines()[:4] == [
        "Topology cli-app (cli app)",
        "  Sub-topology in",
        "    group    cli-app-in",
        "    reads    there",
    ]


@pytest.mark.parametrize(
    ("argv", "right"),
    [
        (["--commit-intervall-ms", "3"], "--commit-interval-ms"),
        (["--commit_interval_ms=3"], "--commit-interval-ms"),
        (["--no-create-topic"], "--no-create-topics"),
        (["--worker", "3"], "--workers"),
        (["-workers", "3"], "--workers"),
        (["--Workers", "3"], "--workers"),
        (["--bootstrap-server", "kafka:9092"], "--bootstrap-servers"),
        (["--kafak", "sasl.password=s3cret"], "--kafka"),
        (["--konfig", "settings.toml"], "--config"),
        (["--mine", "--idle-timeout", "5"], "--idle-timeout-ms"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_misspelt_option_is_refused_with_the_right_one(argv, right, first, capsys, program):
    assert main(["describe", program, *TOPICS, *argv] if first else ["describe", *argv, program]) == 2
    said = capsys.readouterr().err
    assert f"did you mean {right}?" in said
    assert "s3cret" not in said


def test_an_option_like_ours_that_the_application_mentions_is_the_applications(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", [*sys.path])
    file = tmp_path / "cli_with_worker.py"
    file.write_text(APPLICATION + "\n\nOPTIONS = ['--worker']\n", encoding="utf-8")
    assert main(["describe", str(file), *TOPICS, "--worker", "3"]) == 0
    assert "Topology cli-app" in capsys.readouterr().out


def test_behind_two_dashes_an_option_may_be_like_ours(capsys, program):
    assert main(["describe", program, "--", *TOPICS, "--worker", "3"]) == 0


def test_a_variable_that_is_no_setting_is_named(capsys, program, monkeypatch):
    monkeypatch.setenv("WALLAROO_WORKES", "s3cret")
    assert main(["describe", program, *TOPICS]) == 0
    said = capsys.readouterr().err
    assert "the variable WALLAROO_WORKES is no setting" in said
    assert "did you mean WALLAROO_WORKERS?" in said
    assert "s3cret" not in said


def test_describe_prints_other_forms(capsys, program):
    assert main(["describe", "--format", "json", program, *TOPICS]) == 0
    assert json.loads(capsys.readouterr().out)["application"] == "cli app"


def test_describe_takes_the_application_id(capsys, program):
    assert main(["describe", program, "--application-id", "mine", *TOPICS]) == 0
    assert "group    mine-in" in capsys.readouterr().out


def test_a_topology_that_cannot_run_ends_in_one_line(capsys, program):
    assert main(["describe", program]) == 2
    assert "--kafka_source_topic" in capsys.readouterr().err


def test_the_version_is_that_of_the_installed_package(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"wallaroo {metadata.version('wallaroo-kafka')}\n"


def test_the_module_has_the_version_of_the_installed_package():
    assert wallaroo.__version__ == metadata.version("wallaroo-kafka")


def test_sources_that_nobody_installed_have_no_version(monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    assert wallaroo.__version__ == "unknown"


def test_a_name_that_is_not_public_is_still_missing():
    assert not hasattr(wallaroo, "__versions__")


@pytest.mark.parametrize("verb", ["run", "describe", "demo"])
def test_the_help_of_every_verb_has_an_example(verb, capsys):
    assert main([verb, "--help"]) == 0
    assert f"Example: wallaroo {verb}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("argv", "what"),
    [
        (["demo", "--records", "0"], "--records': Input should be greater than or equal to 1"),
        (["demo", "--pace", "3"], "No such option"),
        (["describe", "app", "--config"], "requires an argument"),
        (["describe", "app", "--format", "svg"], "'svg' is not one of"),
    ],
)
def test_an_option_that_is_wrong_ends_in_one_line(argv, what, capsys):
    assert main(argv) == 2
    said = capsys.readouterr().err
    assert said.startswith("wallaroo: ")
    assert what in said


def words_of(*argv):
    """The application's arguments, and the words of a verb that takes two, one of which may be left out."""
    found = []
    lone = typer.Typer(add_completion=False)

    @lone.command(context_settings=PASS_ON)
    @takes_application
    def look(
        command: Command,
        stage: Annotated[str, typer.Argument()],
        key: Annotated[str | None, typer.Argument()] = None,
        deep: Annotated[bool, typer.Option("--deep")] = False,
    ) -> int:
        found.append((command.program.module, list(command.program.args[1:]), stage, key, deep))
        return 0

    get_command(lone).main(list(argv), "wallaroo look", standalone_mode=False)
    return found[0]


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["app", "totals", "rex"], ("app", [], "totals", "rex", False)),
        (["app", "totals"], ("app", [], "totals", None, False)),
        (["--application-module", "app", "totals", "rex"], ("app", [], "totals", "rex", False)),
        (["app", "--deep", "totals", "-5"], ("app", [], "totals", "-5", True)),
        (["app", "totals", "rex", "--depth", "2"], ("app", ["--depth", "2"], "totals", "rex", False)),
    ],
)
def test_words_of_a_verb_stand_behind_the_module(argv, expected):
    assert words_of(*argv) == expected


def test_a_word_that_is_missing_is_named():
    with pytest.raises(SettingsError, match="no STAGE is given; see wallaroo look --help"):
        words_of("app")


def config_shown(capsys, *argv):
    assert main(["config", "show", "app", "--json", *argv]) == 0
    return {row["setting"]: (row["value"], row["from"]) for row in json.loads(capsys.readouterr().out)}


def test_every_setting_is_shown_with_where_it_came_from(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("WALLAROO_WORKERS", "2")
    file = tmp_path / "settings.toml"
    file.write_text("commit_every = 7\nworkers = 3", encoding="utf-8")
    shown = config_shown(capsys, "--config", str(file), "--http-port", "0")
    assert shown.keys() == Settings.model_fields.keys()
    assert shown["workers"] == (2, "WALLAROO_WORKERS")
    assert shown["commit_every"] == (7, "settings file")
    assert shown["http_port"] == (0, "--http-port")
    assert shown["log_level"] == ("INFO", "default")


@pytest.mark.parametrize("secret", ["s3cret-of-ours", "abc"])
def test_no_secret_is_shown(secret, capsys, monkeypatch):
    monkeypatch.setenv("WALLAROO_KAFKA__SASL_PASSWORD", secret)
    shown = config_shown(capsys, "--kafka", "client.rack=a")
    assert shown["kafka"] == (
        {"sasl.password": "***", "client.rack": "a"},
        "--kafka, WALLAROO_KAFKA__SASL_PASSWORD",
    )


def test_settings_are_a_table_for_people(capsys):
    assert main(["config", "show", "app", "--set", "--workers", "2", "--no-create-topics"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert ["workers", "2", "--workers"] in rows
    assert ["create_topics", "off", "--create-topics"] in rows
    assert len(rows) == 4


def compared(capsys, program, other, *argv):
    code = main(["describe", program, "--compare", str(other), *TOPICS, *argv])
    return code, capsys.readouterr()


def test_a_version_is_compared_with_the_one_before(capsys, program, tmp_path):
    code, shown = compared(capsys, program, program)
    assert (code, shown.out) == (0, "Nothing changes on the cluster.\n")


def test_a_version_is_compared_with_what_was_described(capsys, program, tmp_path):
    assert main(["describe", program, "--json", "--application-id", "before", *TOPICS]) == 0
    file = tmp_path / "before.json"
    file.write_text(capsys.readouterr().out, encoding="utf-8")
    code, shown = compared(capsys, program, file, "--json")
    assert code == 0
    assert json.loads(shown.out)[0]["what"] == "application 'cli-app'"


def test_a_state_that_would_be_lost_is_exit_code_3(capsys, program, tmp_path):
    file = tmp_path / "before.json"
    assert main(["describe", program, "--json", *TOPICS]) == 0
    before = json.loads(capsys.readouterr().out)
    before["sub_topologies"][0]["stores"] = [
        {"name": "a", "changelog": "cli-app-a-changelog", "stage": "a", "layout": "states"}
    ]
    file.write_text(json.dumps(before), encoding="utf-8")
    code, shown = compared(capsys, program, file)
    assert code == 3
    assert "state of 'a'" in shown.out


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("before.json", "{", "is no description of an application"),
        ("before.json", "[]", "is no description of an application"),
        ("missing.json", None, "cannot be read"),
        ("missing.py", None, "cannot be described"),
    ],
)
def test_a_version_before_that_is_none_is_refused(name, content, what, capsys, program, tmp_path):
    file = tmp_path / name
    if content is not None:
        file.write_text(content, encoding="utf-8")
    code, shown = compared(capsys, program, file)
    assert code == 2
    assert what in shown.err


@dataclass(frozen=True)
class Filters:
    stage: Annotated[str | None, typer.Option("--stage")] = None
    at: Annotated[list[str] | None, typer.Option("--at")] = None


def test_a_parameter_that_is_a_dataclass_stands_for_the_options_that_are_its_fields():
    found = []
    lone = typer.Typer(add_completion=False)

    @lone.command(context_settings=PASS_ON)
    @takes_application
    def look(
        command: Command, filters: Filters, deep: Annotated[bool, typer.Option("--deep")] = False
    ) -> int:
        found.append((list(command.program.args[1:]), filters, deep))
        return 0

    for argv in (["app"], ["app", "--stage=s", "--at", "1@2", "--at=3@4", "--deep", "--depth=2"]):
        get_command(lone).main(argv, "wallaroo look", standalone_mode=False)
    assert found == [([], Filters(), False), (["--depth=2"], Filters("s", ["1@2", "3@4"]), True)]


def test_the_token_is_masked_and_said_to_be_from_its_file(capsys, monkeypatch, tmp_path):
    path = tmp_path / "token"
    path.write_text("s3cret-s3cret-s3cret\n")
    monkeypatch.setenv("WALLAROO_HTTP_TOKEN_FILE", str(path))
    monkeypatch.setenv("WALLAROO_KAFKA__SASL_PASSWORD_FILE", str(path))
    shown = config_shown(capsys)
    assert shown["http_token"] == ("***", "WALLAROO_HTTP_TOKEN_FILE")
    assert shown["kafka"] == ({"sasl.password": "***"}, "WALLAROO_KAFKA__SASL_PASSWORD_FILE")
