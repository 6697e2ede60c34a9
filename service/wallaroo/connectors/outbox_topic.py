"""OutboxTopic: whether an outbox is still the topic of its delivery's offsets, and can be read to its end."""

from collections.abc import Iterable

from wallaroo.clock import Clock
from wallaroo.engine.starting import StartDecider
from wallaroo.kafka.clients import admin_client
from wallaroo.kafka.group_member import Assigned
from wallaroo.kafka.offsets import Place
from wallaroo.kafka.open_transactions import OpenTransactions
from wallaroo.kafka.topic_ids import TopicWatch, ask_topic_ids
from wallaroo.settings import Settings
from wallaroo.task.position import encode_metadata
from wallaroo.task.remedies import Group
from wallaroo.task.start import Start
from wallaroo.topology.model import Delivery


class OutboxTopic:
    """The outbox of one delivery; the embedded broker has no topic ids."""

    def __init__(self, delivery: Delivery, settings: Settings, client_id: str, clock: Clock) -> None:
        self._topic = delivery.outbox
        self._settings = settings
        self._client_id = client_id
        self._clock = clock
        self._ids: dict[str, str] = {}
        self._watch: TopicWatch | None = None
        group = Group(delivery.group, delivery.outbox, settings.bootstrap_servers, keeps_history=False)
        self._decider = StartDecider(group, settings, self._ids)
        self._open_transactions = OpenTransactions(settings.bootstrap_servers, clock)

    @property
    def obstacle(self) -> str:
        """What keeps a partition from being read on; empty if nothing does."""
        return self._open_transactions.obstacle

    def open(self) -> str:
        """Ask which topic it is now; returns the metadata of its offsets."""
        if not self._settings.embedded_broker:
            admin = admin_client(self._settings, self._client_id)
            self._ids.update(ask_topic_ids(admin, [self._topic]))
            self._watch = TopicWatch(admin, self._ids, self._clock)
        return encode_metadata(self._topic, (), self._ids)

    def check(self) -> None:
        """To be called often. Raises KafkaSetupError if it is another topic now, or gone."""
        if self._watch is not None:
            self._watch.check()

    def watch(self, stops: Iterable[tuple[Place, int, int]]) -> None:
        """Note where committed records end before all records do: (partition, that offset, the end)."""
        self._open_transactions.update(stops)

    def decide(self, assigned: Assigned) -> Start:
        """Where a partition starts. Raises KafkaSetupError if the group's offset is not one of this topic."""
        return self._decider.decide(assigned, {})
