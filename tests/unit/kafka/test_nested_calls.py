"""A member's answer to an assignment leaves the client able to call back again in the same poll."""

import subprocess
import sys

# confluent-kafka ends the process by an assertion if it is not.
MEMBER = """
import time
from confluent_kafka import Consumer, Producer
from wallaroo.kafka.group_member import GroupMember
from wallaroo.settings import Settings

class Owner:
    answered = 0
    def on_assigned(self, assigned):
        self.answered += len(assigned)
        time.sleep(0.1)  # so that statistics are waiting when the callback returns
    on_revoked = on_lost = lambda self, partitions: None
    def on_rebalanced(self): pass

producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "unused", "log_level": 0})
(broker,) = producer.list_topics(timeout=10).brokers.values()
producer.produce("in", b"x")
producer.flush()
servers = f"{broker.host}:{broker.port}"
owner = Owner()
member = GroupMember("in", Settings(bootstrap_servers=servers), "earliest", owner, {}, partitions=4)
config = {"bootstrap.servers": servers, "group.id": "group"}
config["partition.assignment.strategy"] = "cooperative-sticky"
member.join(Consumer({**config, "statistics.interval.ms": 5, "stats_cb": lambda _: None, "log_level": 0}))
deadline = time.monotonic() + 20
while not owner.answered and time.monotonic() < deadline:
    member.consumer.consume(1000, 0.1)
member.consumer.consume(1000, 0.1)
print(owner.answered)
"""


def test_callbacks_go_on_after_an_assignment_in_a_group_that_has_committed_nothing():
    made = subprocess.run([sys.executable, "-c", MEMBER], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert made.stdout.strip() != "0"
