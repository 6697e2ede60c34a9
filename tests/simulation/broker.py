"""An in-memory Kafka: logs with transactions in them, and groups. It decides nothing: the schedule does.

What of Kafka is here: a transaction holds back all records behind its first one until its marker is written,
in each partition at a time of its own; its offsets wait likewise. A marker takes up an offset. A group takes
the offsets of members that it knows, if they name their generation. An id of a producer belongs to whoever
has opened it last.
"""

from bisect import bisect_left
from operator import attrgetter
from zlib import crc32

from confluent_kafka import KafkaError, KafkaException

ANY_PARTITION = -1
_offset = attrgetter("offset")


def refusal(code, text):
    """What a transactional producer raises if Kafka refuses a request: the transaction is to be aborted."""
    return KafkaException(KafkaError(code, text, txn_requires_abort=True))


class Entry:
    """One record of a log."""

    __slots__ = ("headers", "key", "offset", "timestamp_ms", "transaction", "value")

    def __init__(self, offset, key, value, timestamp_ms, headers, transaction):
        self.offset = offset
        self.key = key
        self.value = value
        self.timestamp_ms = timestamp_ms
        self.headers = headers
        self.transaction = transaction


class Log:
    """One partition of a topic: its records in order, those of aborted transactions left out."""

    def __init__(self, topic, number):
        self.topic, self.number = topic, number
        self.entries = []
        self.begin = self.end = 0
        self.open = {}

    @property
    def stable_end(self):
        """Where readers of committed records stop: in front of the first open transaction."""
        return min(self.open.values()) if self.open else self.end

    def append(self, key, value, timestamp_ms=0, headers=None, transaction=None):
        self.entries.append(Entry(self.end, key, value, timestamp_ms, headers, transaction))
        if transaction is not None:
            self.open.setdefault(transaction, self.end)
            transaction.logs[self] = None
        self.end += 1

    def mark(self, transaction):
        """Write the marker of a transaction."""
        del self.open[transaction]
        if not transaction.is_committed:
            self.entries = [entry for entry in self.entries if entry.transaction is not transaction]
        self.end += 1

    def read(self, offset, most):
        """Committed records from an offset on."""
        first = bisect_left(self.entries, offset, key=_offset)
        found = self.entries[first : first + most]
        if self.open:
            stable_end = self.stable_end
            found = [entry for entry in found if entry.offset < stable_end]
        return found

    def has_from(self, offset):
        """Whether there are committed records at this offset or behind it."""
        return bool(self.read(offset, 1))

    def compact(self, *, tombstones):
        """Keep the last record of each key, in front of open transactions; tombstones go if it is said so."""
        stable_end = self.stable_end
        last = {entry.key: entry for entry in self.entries if entry.offset < stable_end}
        self.entries = [
            entry
            for entry in self.entries
            if entry.offset >= stable_end
            or (last[entry.key] is entry and not (tombstones and entry.value is None))
        ]

    def compacted(self):
        """The last committed value of each key that has one."""
        last = {entry.key: entry.value for entry in self.read(0, len(self.entries))}
        return {key: value for key, value in last.items() if value is not None}


class Transaction:
    """What one producer writes together; `wanted` is the end that it has asked for: True is a commit."""

    __slots__ = ("groups", "is_committed", "logs", "offsets", "order", "owner", "wanted")

    def __init__(self, owner, order):
        self.owner, self.order = owner, order
        self.logs = {}
        self.groups = {}
        self.offsets = []
        self.wanted = None
        self.is_committed = None


class Member:
    """One member of a group: its generation, and the one that its client knows of."""

    def __init__(self, name):
        self.name = name
        self.target = set()
        self.generation = self.known = 0
        self.is_expired = False


class Group:
    """A consumer group of one topic: its committed offsets, and who is to read which partition."""

    def __init__(self, name, topic, partitions):
        self.name, self.topic, self.partitions = name, topic, partitions
        self.committed = {}
        self.members = []
        self.owners = {}
        self.generation = 0
        self.split = 0
        # Transactions with offsets of this group whose markers have not been written.
        self.unstable = {}
        self._orders = {}

    def join(self, member):
        """Let a member in, or in again."""
        self.members.append(member)
        member.is_expired = False
        self.rebalance(self.split)
        member.known = member.generation

    def rebalance(self, split):
        """Begin to give out the partitions anew; `split` is any number, and says how."""
        self.split = split
        for member in self.members:
            member.target = set()
        for number in range(self.partitions):
            if self.members:
                self.members[(split // (number + 1) + number) % len(self.members)].target.add(number)
        for member in self.members:
            if not any(
                self.owners.get(n) is member for n in range(self.partitions) if n not in member.target
            ):
                self.renew(member)

    def renew(self, member):
        """A member has given back what it was to give back: it has a new generation."""
        self.generation += 1
        member.generation = self.generation

    def release(self, member, numbers):
        for number in numbers:
            if self.owners.get(number) is member:
                del self.owners[number]

    def remove(self, member):
        """A member has left, or its session is over: what it owned is free."""
        if member in self.members:
            self.members.remove(member)
            self.release(member, range(self.partitions))
            self.rebalance(self.split)

    def check(self, member, generation):
        """Raise what Kafka answers to offsets of a member that it does not know, or of another generation."""
        if member not in self.members:
            raise refusal(KafkaError.UNKNOWN_MEMBER_ID, f"{self.name} does not know {member.name}")
        if generation != member.generation:
            raise refusal(KafkaError.ILLEGAL_GENERATION, f"{self.name} is not at generation {generation}")

    def mark(self, transaction):
        """The offsets of a transaction count, or do not."""
        del self.unstable[transaction]
        if not transaction.is_committed:
            return
        for group, number, offset, metadata in transaction.offsets:
            # Offsets that were sent later, and have been marked already, stay.
            if group is self and self._orders.get(number, -1) < transaction.order:
                self._orders[number] = transaction.order
                self.committed[number] = offset, metadata


class Broker:
    """All topics, groups and transactions of a cluster."""

    def __init__(self, partitions, groups):
        self.partitions = partitions
        self.logs = {(t, n): Log(t, n) for t, count in partitions.items() for n in range(count)}
        self.groups = {name: Group(name, topic, partitions[topic]) for name, topic in groups.items()}
        # Transactions whose end was accepted and whose markers are still to be written.
        self.ending = []
        self._epochs = {}
        self._last = {}
        self._order = 0
        self._keyless = 0

    def open_producer(self, transactional_id):
        """The new epoch of an id: what it had begun is ended, by an abort unless its end was accepted."""
        self.complete(self._last.get(transactional_id), wanted=False)
        self._epochs[transactional_id] = epoch = self._epochs.get(transactional_id, 0) + 1
        return epoch

    def begin(self, transactional_id, epoch):
        if self._epochs[transactional_id] != epoch:
            raise KafkaException(KafkaError(KafkaError._FENCED, "fenced", fatal=True))
        self.complete(self._last.get(transactional_id), wanted=None)
        self._order += 1
        self._last[transactional_id] = made = Transaction((transactional_id, epoch), self._order)
        return made

    def produce(self, transaction, output):
        topic, value, key, partition, *rest = output
        timestamp_ms, headers = rest[2] if rest else 0, rest[3] if len(rest) > 3 else None
        self.log_for(topic, key, partition).append(key, value, timestamp_ms, headers, transaction)

    def log_for(self, topic, key, partition):
        if partition == ANY_PARTITION:
            self._keyless += key is None
            partition = (self._keyless if key is None else crc32(key)) % self.partitions[topic]
        return self.logs[topic, partition]

    def accept(self, transaction, *, commit):
        """The end of a transaction is decided; its markers are written later."""
        if transaction.is_committed is None:
            transaction.is_committed = commit
            self.ending.append(transaction)

    def write_marker(self, transaction, choice):
        """Write one of the markers that are left, or let the offsets count."""
        left = [*transaction.logs, *transaction.groups]
        if left:
            place = left[choice % len(left)]
            place.mark(transaction)
            (transaction.logs if isinstance(place, Log) else transaction.groups).pop(place)
        if len(left) <= 1:
            self.ending.remove(transaction)

    def complete(self, transaction, wanted):
        """End a transaction with all its markers; if `wanted` is None, as it was asked for."""
        if transaction is None:
            return
        if transaction.is_committed is None:
            self.accept(transaction, commit=bool(transaction.wanted) if wanted is None else wanted)
        while transaction in self.ending:
            self.write_marker(transaction, 0)

    def time_out(self, living, *, late):
        """End the transactions that are open of other ids than these; returns how many.

        They are aborted; but if a request to commit came `late`, when its producer was dead, it counts.
        """
        found = self.last_of(each for each in self._last if each not in living)
        for transaction in found:
            self.accept(transaction, commit=late and bool(transaction.wanted))
        return len(found)

    def last_of(self, transactional_ids):
        """The last transactions of these ids, as far as their ends are not decided."""
        found = [self._last.get(each) for each in transactional_ids]
        return [each for each in found if each is not None and each.is_committed is None]
