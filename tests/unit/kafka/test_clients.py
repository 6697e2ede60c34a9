"""Which properties reach which client; and one that no client knows is the operator's to mend."""

import pytest

from wallaroo.errors import SettingsError
from wallaroo.kafka.clients import WorkerIdentity, admin_client, remote_producer, transactional_ids
from wallaroo.settings import Settings, load_settings

NOBODY = "127.0.0.1:1"
UNKNOWN = {"no.such.property": "1"}


def to_another_cluster(**settings):
    return remote_producer(Settings(**settings), NOBODY, "client", False)


def test_properties_for_the_own_cluster_passwords_among_them_are_not_used_for_another():
    to_another_cluster(kafka=UNKNOWN, producer=UNKNOWN, consumer=UNKNOWN)


def test_properties_for_another_cluster_have_a_setting_of_their_own(monkeypatch):
    monkeypatch.setenv("WALLAROO_DELIVERY__SASL_USERNAME", "me")
    assert load_settings({}).delivery == {"sasl.username": "me"}
    with pytest.raises(SettingsError, match=r'No such configuration property: "no.such.property"; mend'):
        to_another_cluster(delivery=UNKNOWN)


def test_a_property_that_no_client_knows_is_refused_with_advice():
    with pytest.raises(SettingsError, match="mend the settings kafka, consumer, producer or delivery"):
        admin_client(Settings(kafka=UNKNOWN), "client")


def test_the_two_producers_of_a_loop_have_ids_of_their_own():
    members = [
        WorkerIdentity("app", instance, worker).member_id("sub")
        for instance in ("a", "a-0", "b")
        for worker in (0, 1)
    ]
    ids = [each for member in members for each in transactional_ids(member)]
    assert len(set(ids)) == 2 * len(members)
