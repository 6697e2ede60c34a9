"""Import states into the changelog of an application that stands still.

Rules for whoever edits this file:
1. Nothing is written while the group has members, and nothing is committed if one has come meanwhile.
2. The positions of the tasks come last in each transaction (positions.py).
3. A portion is one transaction. The portions before one that fails stay; to import again does no harm.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from confluent_kafka import KafkaException, Producer

from wallaroo.admin.changelogs import ChangelogReader
from wallaroo.admin.cluster import CLIENT_ID
from wallaroo.admin.positions import positions_behind
from wallaroo.admin.state_files import Line, place
from wallaroo.admin.states import Kept
from wallaroo.engine.transaction import produce_all
from wallaroo.errors import KafkaSetupError
from wallaroo.kafka.clients import task_transactions
from wallaroo.kafka.members import GroupMembers, owner_of
from wallaroo.kafka.retry import retry
from wallaroo.record import Batch, Changes, Partition
from wallaroo.topology.model import Topology

# With states of a kilobyte a transaction of so many takes a second or two; it may take ten by default.
PORTION_KEYS = 50_000
_REQUEST_SECONDS = 10.0

States = Mapping[int, Mapping[bytes, bytes | None]]
"""By partition and key, what is to be stored."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What was written: how many keys to each partition, in how many transactions."""

    keys: Mapping[int, int]
    transactions: int


def portions(lines: Sequence[tuple[int, Line]], most: int) -> Iterator[States]:
    """The states, so many lines at a time, each with its partition."""
    for begin in range(0, len(lines), most):
        states: defaultdict[int, dict[bytes, bytes | None]] = defaultdict(dict)
        for number, line in lines[begin : begin + most]:
            states[number][line.key] = line.stored
        yield dict(states)


class StateImport:
    """Writes states of one stage; `reader` reads what is there."""

    def __init__(self, kept: Kept, topology: Topology, reader: ChangelogReader) -> None:
        self._kept = kept
        self._topology = topology
        self._reader = reader
        self._members = GroupMembers(reader.admin, _REQUEST_SECONDS)

    def write(self, lines: Sequence[Line], portion_keys: int = PORTION_KEYS) -> Imported:
        """Write all lines; KafkaSetupError, which says what has been written, if that cannot be done."""
        self._refuse_members()
        count = self._reader.partitions(self._kept.store.changelog)
        placed = [(place(line, self._kept, count), line) for line in lines]
        numbers = sorted({number for number, _ in placed})
        behind = positions_behind(self._kept, self._topology, self._reader, numbers)
        transactional_id = f"{self._topology.application_id}-{CLIENT_ID}"
        producer = task_transactions(self._reader.settings, transactional_id).client
        written: Counter[int] = Counter()
        transactions = 0
        try:
            retry(lambda: producer.init_transactions(_REQUEST_SECONDS))
            for states in portions(placed, portion_keys):
                self._write_portion(producer, states, behind)
                transactions += 1
                written.update({number: len(values) for number, values in states.items()})
        except (KafkaException, KafkaSetupError) as error:
            with suppress(KafkaException):
                producer.abort_transaction(_REQUEST_SECONDS)
            reason = error.args[0].str() if isinstance(error, KafkaException) else str(error)
            there = f"{written.total():,} of {len(placed):,} keys have been written"
            raise KafkaSetupError(f"{reason}; {there}: mend that, and import the file again") from error
        return Imported(dict(written), transactions)

    def _write_portion(
        self, producer: Producer, states: States, behind: Mapping[int, Sequence[Changes]]
    ) -> None:
        store, topic = self._kept.store, self._kept.sub.input.topic
        batches = []
        for number, values in states.items():
            changes = [Changes(store.name, store.changelog, values), *behind[number]]
            batches.append(Batch(Partition(topic, number), 0, len(values), 0, (), changes, {}, {}))
        producer.begin_transaction()
        produce_all(producer, batches)
        producer.flush()
        self._refuse_members()
        retry(producer.commit_transaction)

    def _refuse_members(self) -> None:
        """Raise KafkaSetupError while somebody is in the group."""
        sub = self._kept.sub
        prefix = f"{self._topology.application_id}-{sub.name}-"
        owners = [owner_of(member, prefix) for member in self._members.describe(sub.group).members]
        if owners:
            who = ", ".join(f"instance {o.instance!r} worker {o.worker} on {o.host}" for o in owners)
            seconds = self._reader.settings.session_timeout_ms / 1000
            raise KafkaSetupError(
                f"the group {sub.group} has members: {who}; stop the service first (Kafka goes on listing a "
                f"worker that has ended, for up to session_timeout_ms, which is {seconds:g} s)"
            )
