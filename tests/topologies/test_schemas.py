"""The schemas: what an alert is on the topic, and that json/ says what the models say."""

import json

import pytest

import wallaroo
from schemas import export
from schemas.alert import AmountAlert, TotalAlert


@pytest.mark.parametrize(
    ("total", "text"),
    [
        (2286, "2286"),
        (2286.0, "2286.0"),
        (-2286.5, "-2286.5"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1e300, "1e300"),
        (2**64, "18446744073709551616"),
        (10**400, str(10**400)),
    ],
)
def test_an_alert_holds_its_number_exactly(total, text):
    written = f'{{"kind":"deposit","user":"Fido","total":{text}}}'.encode()
    assert TotalAlert("deposit", "Fido", total).to_json() == written


def test_an_alert_leaves_its_user_readable():
    alert = AmountAlert("withdrawal", 'Zoë 日本 😀 "\n\x00', -1500)
    assert (
        alert.to_json().decode() == '{"kind":"withdrawal","user":"Zoë 日本 😀 \\"\\n\\u0000","amount":-1500}'
    )


@pytest.mark.parametrize("total", [float("inf"), float("-inf"), float("nan")])
def test_no_alert_is_made_of_a_total_that_is_not_finite(total):
    with pytest.raises(OverflowError, match="'Fido'"):
        TotalAlert("deposit", "Fido", total)


@pytest.mark.parametrize(
    "alert", [TotalAlert("deposit", "Fido", 2286.5), AmountAlert("withdrawal", "Rex", -7)]
)
def test_an_alert_can_be_read_back_by_its_model(alert):
    assert wallaroo.json_decoder(type(alert)).decode(alert.to_json()) == alert


def test_the_schemas_in_the_repository_are_those_of_the_models():
    assert export.main(["--check"]) == 0


def test_writing_twice_gives_the_same_and_removes_strangers(tmp_path):
    (tmp_path / "old.json").write_text("{}")
    export.main([], tmp_path)
    first = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    export.main([], tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == first
    assert first.keys() == export.schemas().keys()


def test_the_check_names_every_drift_and_changes_nothing(tmp_path, capsys):
    export.write(tmp_path)
    (tmp_path / "transaction.json").write_text("{}")
    (tmp_path / "total_alert.json").unlink()
    (tmp_path / "stranger.json").write_text("{}")
    assert export.main(["--check"], tmp_path) == 1
    said = capsys.readouterr().err
    assert "transaction.json differs from its model" in said
    assert "total_alert.json is missing" in said
    assert "stranger.json belongs to no model" in said
    assert "amount_alert.json" not in said
    assert not (tmp_path / "total_alert.json").exists()


def test_a_schema_file_is_a_json_schema_with_its_title():
    schema = json.loads(export.schemas()["transaction.json"])
    assert schema["title"] == "Transaction"
    assert schema["required"] == ["user", "amount"]
    assert schema["$schema"].startswith("https://json-schema.org/")
