"""The command line: a verb, the application, our options, and everything else for the application."""

import json
import sys

import pytest

from wallaroo.cli import main
from wallaroo.cli.application import parse, parser
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
    program = parse(parser("run", ""), argv).program
    return program.module, list(program.args[1:])


def settings(*argv):
    return parse(parser("run", ""), ["app", *argv]).settings


def test_the_first_argument_of_the_application_is_the_name_of_the_program():
    assert parse(parser("run", ""), ["app"]).program.args == (sys.argv[0],)


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
    given = settings("--kafka", "acks=all", "--kafka", "sasl.password=a=b", "--producer", "linger.ms=5")
    assert given.kafka == {"acks": "all", "sasl.password": "a=b"}
    assert given.producer == {"linger.ms": "5"}


@pytest.mark.parametrize("name", MAPPINGS)
def test_every_mapping_is_given_by_properties(name):
    given = settings(f"--{name.replace('_', '-')}", "client.rack=a")
    assert getattr(given, name) == {"client.rack": "a"}


@pytest.mark.parametrize(("name", "field"), Settings.model_fields.items())
def test_the_help_says_what_each_setting_does(name, field):
    page = " ".join(parser("run", "").format_help().split())
    assert f"--{name.replace('_', '-')}" in page
    assert field.description in page.replace("- ", "-")


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
    assert "describe MODULE" in capsys.readouterr().out


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
