"""The broker's configuration: one KRaft node that is broker and controller at once."""

from collections.abc import Mapping

# Replication factors of 1 because there is one node; few partitions of the internal topics because
# each of them costs start-up time; no wait for more group members because tests have few; and a short
# session, because a killed broker may not register again before its old session is over (9 s by default).
ONE_NODE: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
}


def on_loopback(port: int, controller_port: int, data: str) -> dict[str, str]:
    """The properties of a node that only this machine can reach."""
    return {
        **ONE_NODE,
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "log.dirs": data,
    }


def in_container(port: int) -> dict[str, str]:
    """The properties of a node in a container that publishes `port` under the same number on loopback."""
    return {
        **ONE_NODE,
        "controller.quorum.voters": "1@localhost:9093",
        "listeners": f"PLAINTEXT://0.0.0.0:{port},CONTROLLER://localhost:9093",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "log.dirs": "/var/lib/kafka/data",
    }


def as_file(properties: Mapping[str, str]) -> str:
    """The text of a Java properties file."""
    return "".join(f"{name}={value}\n" for name, value in sorted(properties.items()))


def as_environment(properties: Mapping[str, str]) -> dict[str, str]:
    """The variables that the apache/kafka image turns into properties."""
    return {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in properties.items()}
