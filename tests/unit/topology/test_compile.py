"""What a pipeline compiles to: sub-topologies, groups, topics, stores."""

import pytest

import wallaroo
from tests.samples import (
    KAFKA_SINK,
    TCP_SINK,
    Total,
    account,
    compiled,
    decode,
    encode,
    history,
    look,
    source,
    split,
    total,
    user,
)
from wallaroo.topology.compile import compile_topology
from wallaroo.topology.model import Delivery, Repartition, TcpReceiver, ToTopic
from wallaroo.topology.steps import Apply, ApplyMulti, CheckKey, Update, UpdateMulti


def shape(topology):
    """Each sub-topology as (group, input, stages, outputs)."""
    return [
        (sub.group, sub.input.topic, [step.name for step in sub.steps], [t.topic for t in sub.targets])
        for sub in topology.sub_topologies
    ]


def test_a_stateless_pipeline_is_one_sub_topology():
    topology = compiled(source().to(look).to(split))
    assert shape(topology) == [("some-app-in", "in-topic", ["look", "split"], ["out"])]
    assert topology.stores == topology.repartitions == topology.deliveries == ()


def test_stages_keep_the_users_own_functions():
    (sub,) = compiled(source().to(look).to(split)).sub_topologies
    assert sub.input.decode is decode.func
    assert sub.steps == (Apply("look", look.func), ApplyMulti("split", split.func))
    assert sub.targets == (ToTopic("encode", "out", encode.func),)


def test_a_key_change_ends_a_sub_topology():
    topology = compiled(source().to(look).key_by(user).to(total))
    repartition = "some-app-user-repartition"
    assert shape(topology) == [
        ("some-app-in", "in-topic", ["look"], [repartition]),
        ("some-app-user", repartition, ["total"], ["out"]),
    ]
    assert topology.repartitions == (repartition,)
    assert topology.sub_topologies[0].targets == (Repartition("user", repartition, user.func),)


def test_a_topic_between_sub_topologies_is_internal_and_a_source_is_not():
    first, second = compiled(source().key_by(user)).sub_topologies
    assert not first.input.has_internal_format
    assert second.input.has_internal_format


def test_every_state_stage_has_a_store_of_its_own():
    topology = compiled(source().key_by(user).to(total).to(history))
    _, sub = topology.sub_topologies
    names = [(store.name, store.changelog) for store in sub.stores]
    assert names == [("total", "some-app-total-changelog"), ("history", "some-app-history-changelog")]
    assert [type(step) for step in sub.steps] == [Update, UpdateMulti]
    assert topology.stores == sub.stores


def test_what_feeds_a_stage_and_keeps_nothing_has_a_changelog_for_its_positions():
    topology = compiled(source().to(look).key_by(user).to(total))
    first, second = topology.sub_topologies
    assert [store.changelog for store in first.stores] == ["some-app-in-positions-changelog"]
    assert first.positions in first.stores
    assert second.positions is None
    assert first.positions not in topology.stores


def test_what_keeps_something_or_feeds_nothing_has_none():
    stateful = compiled(source(partitioned_by=user).key_by(user).to(total).key_by(account).to(history))
    assert [sub.positions for sub in stateful.sub_topologies] == [None, None]
    assert [sub.positions for sub in compiled(source().to(look)).sub_topologies] == [None]


def test_a_store_makes_its_state_by_calling_the_users_class():
    (store,) = compiled(source().key_by(user).to(total)).stores
    assert store.initial is Total


def test_state_without_a_key_is_one_state_for_the_whole_stream():
    first, second = compiled(source().to(total)).sub_topologies
    assert first.targets == (Repartition("total", "some-app-total-repartition", None, b"collect"),)
    assert second.input.topic == "some-app-total-repartition"


def test_collect_brings_everything_under_one_key():
    first, _ = compiled(source().collect().to(total)).sub_topologies
    assert first.targets == (Repartition("collect", "some-app-collect-repartition", None, b"collect"),)


def test_a_key_lasts_until_the_next_key_change():
    topology = compiled(source().key_by(user).to(total).to(look).to(history))
    assert [sub.name for sub in topology.sub_topologies] == ["in", "user"]


def test_another_key_change_is_another_hop():
    topology = compiled(source().key_by(user).to(total).key_by(account).to(history))
    assert [sub.name for sub in topology.sub_topologies] == ["in", "user", "account"]


def test_the_second_hop_by_the_same_key_is_named_after_the_stage_behind_it_too():
    topology = compiled(source().key_by(user).to(total).collect().to(look).key_by(user).to(history))
    assert topology.repartitions == (
        "some-app-user-repartition",
        "some-app-collect-repartition",
        "some-app-user-history-repartition",
    )


def test_a_key_change_before_a_sink_is_a_hop():
    topology = compiled(source().key_by(user))
    assert shape(topology)[1] == ("some-app-user", "some-app-user-repartition", [], ["out"])


def test_a_source_that_is_partitioned_by_the_key_needs_no_hop():
    (sub,) = compiled(source(partitioned_by=user).to(look).key_by(user).to(total)).sub_topologies
    assert sub.steps[:2] == (Apply("look", look.func), CheckKey("user", user.func))


def test_a_source_that_is_partitioned_by_another_key_needs_the_hop():
    topology = compiled(source(partitioned_by=account).key_by(user).to(total))
    assert topology.repartitions == ("some-app-user-repartition",)


def test_the_promise_of_a_source_holds_up_to_the_first_key_change():
    topology = compiled(
        source(partitioned_by=user).key_by(user).to(total).collect().to(look).key_by(user).to(history)
    )
    assert topology.repartitions == ("some-app-collect-repartition", "some-app-user-repartition")


def test_state_behind_a_partitioned_source_without_key_by_is_one_state():
    topology = compiled(source(partitioned_by=user).to(total))
    assert topology.repartitions == ("some-app-total-repartition",)


def test_branches_of_a_merge_write_into_one_topic():
    merged = source("a").to(look).merge(source("b")).key_by(user).to(total)
    repartition = "some-app-user-repartition"
    assert shape(compiled(merged)) == [
        ("some-app-a", "a-topic", ["look"], [repartition]),
        ("some-app-b", "b-topic", [], [repartition]),
        ("some-app-user", repartition, ["total"], ["out"]),
    ]


def test_branches_that_were_keyed_before_the_merge_write_into_one_topic():
    merged = source("a").key_by(user).merge(source("b").key_by(account)).to(total)
    repartition = "some-app-user-account-repartition"
    assert shape(compiled(merged))[:2] == [
        ("some-app-a", "a-topic", [], [repartition]),
        ("some-app-b", "b-topic", [], [repartition]),
    ]


def test_a_branch_that_has_its_key_already_keeps_it_in_a_merge():
    merged = source("a", partitioned_by=user).merge(source("b")).key_by(user).to(total)
    first, second, _ = compiled(merged).sub_topologies
    assert first.targets == (Repartition("user", "some-app-user-repartition", None, None),)
    assert second.targets == (Repartition("user", "some-app-user-repartition", user.func, None),)


def test_keyed_branches_meet_in_a_topic_named_after_the_state_behind_the_merge():
    merged = source("a").key_by(user).to(look).merge(source("b").key_by(account).to(look)).to(total)
    topology = compiled(merged)
    ends = [sub.targets for sub in topology.sub_topologies if sub.name in ("user", "account")]
    assert ends == [(Repartition("total", "some-app-total-repartition", None, None),)] * 2


def test_a_merge_without_state_behind_it_needs_no_topic():
    merged = source("a").merge(source("b")).to(look)
    assert shape(compiled(merged)) == [
        ("some-app-a", "a-topic", ["look"], ["out"]),
        ("some-app-b", "b-topic", ["look"], ["out"]),
    ]


def test_every_result_goes_to_every_sink():
    (sub,) = compiled(source(), KAFKA_SINK, TCP_SINK).sub_topologies
    assert [target.topic for target in sub.targets] == ["out", "some-app-encode-outbox"]


def test_a_tcp_sink_is_a_delivery_group_behind_an_outbox():
    topology = compiled(source(), wallaroo.TCPSinkConfig("localhost", "7010", encode, name="Alerts!"))
    assert topology.deliveries == (
        Delivery(
            "alerts", "some-app-alerts-delivery", "some-app-alerts-outbox", TcpReceiver("localhost", 7010)
        ),
    )


def test_two_tcp_sinks_with_one_encoder_have_outboxes_of_their_own():
    topology = compiled(source(), TCP_SINK, wallaroo.TCPSinkConfig("localhost", 7011, encode))
    assert [d.outbox for d in topology.deliveries] == [
        "some-app-encode-outbox",
        "some-app-encode-localhost-7011-outbox",
    ]


def test_merged_branches_share_one_delivery():
    topology = compiled(source("a").merge(source("b")), TCP_SINK)
    assert len(topology.deliveries) == 1


def test_an_application_id_of_ones_own_is_the_prefix_of_every_name():
    topology = compiled(source().key_by(user).to(total), TCP_SINK, application_id="Mine.1")
    names = [*topology.repartitions, topology.dead_letters, *(sub.group for sub in topology.sub_topologies)]
    assert all(name.startswith("Mine.1-") for name in names)


def test_a_stage_more_renames_nothing():
    short = compiled(source().key_by(user).to(total))
    long = compiled(source().to(look).key_by(user).to(history).to(total).to(split))
    assert short.repartitions == long.repartitions
    assert {store.changelog for store in short.stores} <= {store.changelog for store in long.stores}


def test_the_topics_of_cli_parsers_come_from_the_command_line():
    read = wallaroo.source("in", wallaroo.DefaultKafkaSourceCLIParser(decode))
    application = wallaroo.build_application("app", read.to_sink(wallaroo.DefaultKafkaSinkCLIParser(encode)))
    args = [
        "app",
        "--kafka_source_topic",
        "there",
        "--kafka_source_brokers",
        "k:1",
        "--kafka_sink_topic",
        "here",
    ]
    topology = compile_topology(application, args=args)
    assert shape(topology) == [("app-in", "there", [], ["here"])]
    assert topology.sources[0].brokers == (("k", "1"),)


@pytest.mark.parametrize("order", [(total, history), (history, total)])
def test_compiling_twice_gives_the_same(order):
    first, second = order
    pipeline = source().key_by(user).to(first).to(second)
    assert compiled(pipeline) == compiled(pipeline)
