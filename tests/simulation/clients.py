"""The clients of the in-memory Kafka, with the names that confluent-kafka gives its own.

Only what the engine calls is here. Nothing waits: what a real client waits for comes with a later call.
"""

from types import SimpleNamespace

from confluent_kafka import KafkaError, TopicPartition

from tests.simulation.broker import refusal

_END = KafkaError(KafkaError._PARTITION_EOF, "end")
_EARLIEST = -2
# Of one partition in one poll.
_CHUNK = 4


class Message:
    """A record as a consumer returns it; without an entry, the end of a partition."""

    __slots__ = ("_at", "_entry", "_number", "_topic")

    def __init__(self, topic, number, at, entry):
        self._topic, self._number, self._at, self._entry = topic, number, at, entry

    def topic(self):
        return self._topic

    def partition(self):
        return self._number

    def offset(self):
        return self._at

    def error(self):
        return _END if self._entry is None else None

    def value(self):
        return self._entry.value

    def key(self):
        return self._entry.key

    def timestamp(self):
        return 1, self._entry.timestamp_ms

    def headers(self):
        return self._entry.headers


class Consumer:
    """Reads committed records of what it is assigned; `budget` is how many it still returns.

    `rotation` says with which partition a poll begins, `returned` how many messages and ends there were.
    """

    def __init__(self, broker, budget=1_000):
        self.budget = budget
        self.rotation = 0
        self.returned = 0
        self._broker = broker
        self._positions = {}
        self._paused = set()
        self._ends = {}

    def assign(self, partitions):
        self._positions = {(tp.topic, tp.partition): tp.offset for tp in partitions}

    def consume(self, _most, _timeout):
        return self._fetch()

    def close(self):
        self._positions.clear()

    def get_watermark_offsets(self, tp, timeout=0, cached=False):
        log = self._broker.logs[tp.topic, tp.partition]
        return log.begin, log.end

    def _fetch(self):
        found = []
        places = [place for place in self._positions if place not in self._paused]
        for index in range(len(places)):
            place = places[(index + self.rotation) % len(places)]
            log, position = self._broker.logs[place], self._positions[place]
            entries = log.read(position, min(_CHUNK, self.budget))
            found += [Message(*place, entry.offset, entry) for entry in entries]
            self.budget -= len(entries)
            if entries:
                position = entries[-1].offset + 1
            if not log.has_from(position):
                position = max(position, log.stable_end)
                if self._ends.get(place) != position:
                    self._ends[place] = position
                    found.append(Message(*place, position, None))
            self._positions[place] = position
        self.returned += len(found)
        return found


class GroupConsumer(Consumer):
    """A consumer in its group; `fetches_first` lets a poll return records from before a rebalance in it."""

    def __init__(self, broker, group, member):
        super().__init__(broker)
        self.fetches_first = False
        self._group, self._member = group, member
        self._owned = set()
        self._callbacks = {}

    def subscribe(self, _topics, **callbacks):
        self._callbacks = callbacks
        self._group.join(self._member)

    def consume(self, most, timeout):
        found = self._fetch() if self.fetches_first else []
        self._take_part()
        return found + super().consume(most, timeout)

    def poll(self, _timeout):
        """What it would wait for comes with a later call."""

    def unsubscribe(self):
        self._call("on_revoke", self._owned)
        self._group.remove(self._member)

    def committed(self, partitions, timeout):
        found = []
        for tp in partitions:
            offset, metadata = self._group.committed.get(tp.partition, (-1001, ""))
            found.append(TopicPartition(tp.topic, tp.partition, offset, metadata))
        return found

    def incremental_assign(self, starts):
        for tp in starts:
            self.seek(tp)
            self._owned.add(tp.partition)

    def incremental_unassign(self, partitions):
        for tp in partitions:
            self._positions.pop((tp.topic, tp.partition), None)
            self._owned.discard(tp.partition)

    def pause(self, partitions):
        self._paused |= {(tp.topic, tp.partition) for tp in partitions}

    def resume(self, partitions):
        self._paused -= {(tp.topic, tp.partition) for tp in partitions}

    def seek(self, tp):
        place = tp.topic, tp.partition
        self._positions[place] = tp.offset
        self._ends.pop(place, None)

    def consumer_group_metadata(self):
        return self._group, self._member, self._member.known

    def _take_part(self):
        """What the group wants of this member: to give up partitions, to take some, or to come back."""
        group, member = self._group, self._member
        if member.is_expired:
            self._call("on_lost", self._owned)
            group.join(member)
            return
        member.known = member.generation
        if self._owned - member.target:
            given_up = self._owned - member.target
            self._call("on_revoke", given_up)
            group.release(member, given_up)
            group.renew(member)
        # The answer to a request for offsets waits until the group's transactions have ended.
        free = {n for n in member.target - self._owned if group.owners.get(n) is None}
        if free and not group.unstable:
            group.owners.update(dict.fromkeys(free, member))
            self._call("on_assign", free)

    def _call(self, callback, numbers):
        if numbers:
            self._callbacks[callback](self, [TopicPartition(self._group.topic, n) for n in sorted(numbers)])


class Producer:
    """A transactional producer; `fails_at` names the call at which Kafka refuses its next transaction."""

    def __init__(self, broker, transactional_id):
        self.fails_at = ""
        self.transaction = None
        self._broker, self._id = broker, transactional_id
        self._epoch = broker.open_producer(transactional_id)

    def begin_transaction(self):
        self.transaction = self._broker.begin(self._id, self._epoch)

    def send_offsets_to_transaction(self, offsets, metadata):
        group, member, generation = metadata
        self._fail("offsets")
        group.check(member, generation)
        self.transaction.offsets += [(group, tp.partition, tp.offset, tp.metadata) for tp in offsets]
        self.transaction.groups[group] = group.unstable[self.transaction] = None

    def produce(self, *output):
        self._broker.produce(self.transaction, output)

    def flush(self, _seconds):
        self._fail("flush")
        return 0

    def commit_transaction(self):
        self._fail("commit")
        self.transaction.wanted = True

    def abort_transaction(self, _seconds):
        self.transaction.wanted = False

    def _fail(self, call):
        if call == self.fails_at:
            raise refusal(KafkaError.INVALID_PRODUCER_ID_MAPPING, f"refused at {call}")


class Turns:
    """Two producers that take turns; one whose transaction was aborted is opened anew (decision 0028)."""

    def __init__(self, broker, transactional_ids):
        self._broker = broker
        self.ids = transactional_ids
        self._turns = [
            SimpleNamespace(client=Producer(broker, each), id=each, aborted=False, refused_topics=())
            for each in transactional_ids
        ]

    def take(self):
        turn = self._turns.pop(0)
        self._turns.append(turn)
        if turn.aborted:
            turn.client, turn.aborted = Producer(self._broker, turn.id), False
        turn.client.fails_at = self.fails_at
        return turn

    fails_at = ""


class Answer:
    """The end of a partition, which is there after so many looks; it may be that of the question's time."""

    __slots__ = ("_end", "_log", "_looks")

    def __init__(self, log, looks):
        self._log, self._looks = log, looks
        self._end = log.end if looks % 2 else None

    def done(self):
        self._looks -= 1
        return self._looks < 0

    def result(self):
        return SimpleNamespace(offset=self._log.end if self._end is None else self._end)


class Known(SimpleNamespace):
    """An answer that is there."""

    def done(self):
        return True

    def result(self):
        return self


class Admin:
    """Says what topics there are, and where their partitions begin and end.

    `looks` is for how many looks the answers of `list_offsets` are waited for.
    """

    def __init__(self, broker):
        self.looks = 0
        self._broker = broker

    def list_topics(self, topic, _timeout):
        partitions = range(self._broker.partitions[topic])
        return SimpleNamespace(topics={topic: SimpleNamespace(partitions=partitions)})

    def list_offsets(self, specs, **_options):
        logs = {tp: self._broker.logs[tp.topic, tp.partition] for tp in specs}
        if any(spec._value == _EARLIEST for spec in specs.values()):
            return {tp: Known(offset=0) for tp in logs}
        return {tp: Answer(log, self.looks) for tp, log in logs.items()}

    def describe_topics(self, topics, **_options):
        return {topic: Known(topic_id=f"{topic:_<22}"[-22:]) for topic in topics.topic_names}
