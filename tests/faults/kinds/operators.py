"""Mistakes of an operator: offsets and topics that are deleted, moved, truncated or made anew.

They are made while nothing runs. Then the service is started. It goes on by itself, or it refuses with exit
code 2 and a text; what the text says is done, and it is started again. In the end the results are those of
the input, all of them, or those since it began anew.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, TopicPartition

from tests.faults.plan import EXACTLY_ONCE, Fault, Kind, now_and_then
from tests.faults.run import READY_SECONDS, STOP_SECONDS, Run
from tests.kafka.cluster import TIMEOUT_SECONDS, alter_topic, create_topic, end_offsets, wait_until
from tests.kafka.operator_tools import follow
from tests.kafka.scenario import PARTITIONS
from tests.kafka.service import ServiceProcess

BACK, ANEW = "to go on where", "to begin anew with what"
OTHER_ID = "start with another `--application-id`"
TRUST_GROUP = "start once with `--on-position-mismatch group`"
BY_ITSELF = ""
FEW = 50
COMPACTED = {"cleanup.policy": "compact"}


@dataclass(frozen=True, slots=True)
class Mistake:
    """`make` is given the run and a number; `way_out` is what the refusal says, if there is one."""

    make: Callable[[Run, int], None]
    way_out: str


def _front(run: Run) -> str:
    """The group that reads the source."""
    return f"{run.scenario.application_id}-changes"


def _stateful(run: Run) -> str:
    """The group whose tasks have the state."""
    return _front(run) if run.shape.name == "keyed" else f"{run.scenario.application_id}-extract-user"


def _delete_group(run: Run, _number: int) -> None:
    group = _stateful(run)
    run.admin.delete_consumer_groups([group])[group].result(TIMEOUT_SECONDS)


def _move_back(run: Run, number: int) -> None:
    place, offset = _committed(run, number)
    _move(run, place, max(0, offset - FEW))


def _move_forward(run: Run, number: int) -> None:
    place, offset = _committed(run, number)
    # The load may be over; nobody has read these.
    run.send(run.load(FEW * PARTITIONS))
    end = end_offsets(run.scenario.servers, place.topic, IsolationLevel.READ_UNCOMMITTED)[place.partition]
    _move(run, place, min(end, offset + FEW))


def _delete(topic: Callable[[Run], str]) -> Callable[[Run, int], None]:
    def delete(run: Run, _number: int) -> None:
        admin, name = run.admin, topic(run)
        admin.delete_topics([name])[name].result(TIMEOUT_SECONDS)
        wait_until(lambda: name not in admin.list_topics(timeout=TIMEOUT_SECONDS).topics)

    return delete


def _make_anew(topic: Callable[[Run], str], config: Mapping[str, str]) -> Callable[[Run, int], None]:
    def make_anew(run: Run, number: int) -> None:
        _delete(topic)(run, number)
        create_topic(run.scenario.servers, topic(run), PARTITIONS, config)

    return make_anew


def _truncate(run: Run, number: int) -> None:
    """Delete records: where a topic is compacted, the broker refuses that."""
    servers, topic, ends = run.scenario.servers, _changelog(run), _ends(run)
    chosen = max(ends, key=lambda partition: (ends[partition] > 0, (partition + number) % PARTITIONS))
    alter_topic(servers, topic, {"cleanup.policy": "delete"})
    place = TopicPartition(topic, chosen, max(1, ends[chosen] // 2))
    run.admin.delete_records([place])[place].result(TIMEOUT_SECONDS)
    alter_topic(servers, topic, COMPACTED)


def _ends(run: Run) -> Mapping[int, int]:
    """Where the partitions of the changelog end."""
    return end_offsets(run.scenario.servers, _changelog(run), IsolationLevel.READ_COMMITTED)


def _changelog(run: Run) -> str:
    return run.scenario.changelog


def _repartition(run: Run) -> str:
    return run.scenario.repartition


def _positions(run: Run) -> str:
    return run.scenario.changelog_of("changes-positions")


MISTAKES: Mapping[str, Sequence[Mistake]] = {
    "keyed": (
        Mistake(_delete_group, BY_ITSELF),
        Mistake(_move_back, BACK),
        Mistake(_move_forward, BACK),
        Mistake(_delete(_changelog), ANEW),
        Mistake(_make_anew(_changelog, COMPACTED), ANEW),
        Mistake(_truncate, ANEW),
    ),
    "hop": (
        Mistake(_delete_group, BY_ITSELF),
        Mistake(_move_back, BACK),
        Mistake(_move_forward, BACK),
        Mistake(_delete(_positions), TRUST_GROUP),
        Mistake(_delete(_changelog), OTHER_ID),
        Mistake(_truncate, OTHER_ID),
        Mistake(_make_anew(_repartition, {}), OTHER_ID),
    ),
}


def _err(run: Run, fault: Fault) -> None:
    mistakes = MISTAKES[run.shape.name]
    # The seed chooses where to begin, and then each has its turn.
    mistake = mistakes[(run.plan.seed + run.faults) % len(mistakes)]
    # What has never been committed cannot be moved.
    wait_until(lambda: _committed(run, fault.number)[1] > 0, READY_SECONDS)
    wait_until(lambda: any(_ends(run).values()), READY_SECONDS)
    with run.nothing_can_arrive():
        for service in run.living():
            service.terminate()
            assert service.wait(STOP_SECONDS) == 0, f"{service.log.name} did not stop well"
        _await_empty_groups(run)
        mistake.make(run, fault.number)
        _lead_out(run, mistake.way_out)


def _lead_out(run: Run, way_out: str) -> None:
    """A refusal is about one partition of a group; the next start may refuse because of another one."""
    settings: dict[str, str] = {}
    begun = False
    for _ in range(2 * PARTITIONS):
        service = run.launch(workers=2, **settings)
        wait_until(lambda: not service.running or service.status("/readyz") == 200, READY_SECONDS)  # noqa: B023
        if service.running:
            return
        _check_refusal(run, service, way_out)
        if way_out in (ANEW, OTHER_ID) and not begun:
            begun = True
            run.begin_anew()
        if way_out == OTHER_ID:
            run.scenario.application_id += "x"
        elif way_out == TRUST_GROUP:
            settings = {"on_position_mismatch": "group"}
        else:
            _await_empty_groups(run)
            follow(service.words(), way_out)
    raise AssertionError(f"refused again and again: {service.words()[-300:]}")


def _check_refusal(run: Run, service: ServiceProcess, way_out: str) -> None:
    words = service.words()
    assert service.wait(0) == 2, f"exit code {service.wait(0)}: {words[-300:]}"
    assert "Traceback" not in words, words[-300:]
    assert way_out, f"refused, though it could have gone on: {words[-300:]}"
    assert way_out in words, f"the refusal does not say {way_out!r}: {words[-600:]}"
    run.may_end.add(service)


def _await_empty_groups(run: Run) -> None:
    """Kafka refuses to change a group with members; one that could not take its leave stays for a while."""
    wait_until(lambda: _is_empty(run, _front(run)) and _is_empty(run, _stateful(run)))


def _is_empty(run: Run, group: str) -> bool:
    described = run.admin.describe_consumer_groups([group])[group].result(TIMEOUT_SECONDS)
    return not described.members


def _committed(run: Run, number: int) -> tuple[TopicPartition, int]:
    """A partition of the source, and where its group is."""
    topic, chosen = run.scenario.in_topic, number % PARTITIONS
    request = ConsumerGroupTopicPartitions(_front(run), [TopicPartition(topic, chosen)])
    found = run.admin.list_consumer_group_offsets([request])[_front(run)].result(TIMEOUT_SECONDS)
    [place] = found.topic_partitions
    return place, place.offset


def _move(run: Run, place: TopicPartition, offset: int) -> None:
    """As Kafka's tool does it: the metadata of the offset is gone."""
    group = _front(run)
    request = ConsumerGroupTopicPartitions(group, [TopicPartition(place.topic, place.partition, offset)])
    run.admin.alter_consumer_group_offsets([request])[group].result(TIMEOUT_SECONDS)


KINDS = (
    Kind(
        "operator",
        ("keyed", "hop"),
        lambda rng, s: now_and_then(rng, s, ["mistake"], (3, 5)),
        _err,
        guarantees=(EXACTLY_ONCE,),
    ),
)
