"""The word-count application on a real Kafka, its senders and its receiver."""

import socket
import struct
from collections import Counter, defaultdict
from itertools import count

from confluent_kafka import IsolationLevel

from scripts.kafka.process import free_port
from tests.kafka.cluster import end_offsets
from tests.kafka.service import ServiceProcess
from tests.kafka.tail import Tail

WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog")


def framed(*payloads):
    return b"".join(struct.pack(">I", len(payload)) + payload for payload in payloads)


def line_of(name, number):
    return f"{name} {number} {WORDS[number % len(WORDS)]}."


def lines_of(name, many):
    return [line_of(name, number) for number in range(many)]


def expected_counts(lines):
    """Every count of every word, in order."""
    words = Counter(word for line in lines for word in line.rstrip(".").split())
    return {word: list(range(1, times + 1)) for word, times in words.items()}


class WordCount:
    """The word-count application, its senders and its receiver."""

    def __init__(self, servers, application_id, folder, receiver):
        self.port = free_port()
        self.receiver = receiver
        self._servers = servers
        self._ingest = f"{application_id}-lines-ingest"
        options = [f"--bootstrap-servers={servers}", f"--application-id={application_id}"]
        addresses = [f"--in=Lines@127.0.0.1:{self.port}", f"--out={receiver.address}"]
        self._arguments = ["topologies.word_count", *options, *addresses]
        self._log = folder / "service.log"
        self._tail = None

    def launch(self, *options):
        """Start it and return at once."""
        self.service = ServiceProcess([*self._arguments, *options], self._log)
        return self.service

    def start(self, *options):
        """Start it and return when it is ready."""
        self.launch(*options).wait_ready()
        self._tail = Tail(self._servers, self._ingest)
        return self.service

    def send(self, lines):
        """All of them over one connection; returns whether all have been read."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as sender:
            sender.sendall(framed(*[line.encode() for line in lines]))
            sender.shutdown(socket.SHUT_WR)
            return sender.recv(1) == b""

    def send_until_broken(self, name):
        """The lines of `lines_of`, for as long as the connection lasts; returns how many were sent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as sender:
            for number in count():
                try:
                    sender.sendall(framed(line_of(name, number).encode()))
                except OSError:
                    break
        return number

    def arriving(self):
        """How many lines Kafka has by now, while they are coming."""
        ends = end_offsets(self._servers, self._ingest, IsolationLevel.READ_UNCOMMITTED)
        return sum(ends.values())

    def in_kafka(self, name):
        """How many lines of a sender Kafka has in the end: what a sender with a way to ask would find out."""
        return sum(message.value().startswith(name.encode()) for message in self._tail.read_to_end())

    def counts(self):
        """Every count that the receiver has been told, by word."""
        found = defaultdict(list)
        for line in self.receiver.lines():
            word, times = line.decode().split(" => ")
            found[word].append(int(times))
        return found

    def dispose(self):
        if self._tail is not None:
            self._tail.close()
        self.service.kill_all()
        print(f"--- service.log ---\n{self._log.read_text(errors='replace')}")
