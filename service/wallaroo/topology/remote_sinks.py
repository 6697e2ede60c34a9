"""Kafka sinks on other clusters than the application's own, which are reached through an outbox.

Rules for whoever edits this file:
1. A transaction spans one cluster, that of the sources; the outbox is on it, too.
2. Two lists of brokers that share an address name one cluster, because a list need not be complete.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from wallaroo.topology.headers import with_headers
from wallaroo.topology.model import Delivery, RemoteTopic, SubTopology, Target, ToOutbox, ToTopic
from wallaroo.topology.names import Names, slug

Brokers = Iterable[tuple[str, str]]

_DEFAULT_PORT = "9092"
_LOOPBACK = {"127.0.0.1": "localhost", "[::1]": "localhost", "::1": "localhost"}


def reach_other_clusters(
    subs: Sequence[SubTopology], names: Names, bootstrap_servers: str | None
) -> tuple[list[SubTopology], list[Delivery]]:
    """Replace every topic on another cluster by an outbox; returns the deliveries of the outboxes, too.

    A sink is on another cluster if it names brokers, none of which a source or `bootstrap_servers`, if the
    operator has set it, names. If neither names any, the brokers of the sinks are the application's own.
    """
    own = addresses(_parsed(bootstrap_servers or ""))
    own.update(*(addresses(sub.input.brokers) for sub in subs))
    deliveries: dict[RemoteTopic, Delivery] = {}

    def rerouted(target: Target) -> Target:
        if not isinstance(target, ToTopic) or not target.brokers or not own:
            return target
        if own & addresses(target.brokers):
            return target
        remote = RemoteTopic(target.topic, tuple(target.brokers))
        if remote not in deliveries:
            deliveries[remote] = _delivery(remote, names)
        outbox = deliveries[remote].outbox
        return ToOutbox(target.name, outbox, target.encode, remote, target.takes_context)

    rewritten = [replace(sub, targets=tuple(rerouted(target) for target in sub.targets)) for sub in subs]
    # Only now is it known which sinks can have headers.
    return with_headers(rewritten), list(deliveries.values())


def addresses(brokers: Brokers) -> set[tuple[str, str]]:
    """Return brokers in a form in which they can be compared."""
    return {(_LOOPBACK.get(host.lower(), host.lower()), port) for host, port in brokers}


def _parsed(bootstrap_servers: str) -> Brokers:
    """Parse a client's list of `host[:port]`, each with or without a protocol, as in `SSL://host:9093`."""
    for server in filter(None, (part.strip() for part in bootstrap_servers.split(","))):
        address = server.rpartition("//")[2]
        host, colon, port = address.rpartition(":")
        # An IPv6 address without a port, such as [::1], has colons too.
        yield (host, port) if colon and port.isdigit() else (address, _DEFAULT_PORT)


def _delivery(remote: RemoteTopic, names: Names) -> Delivery:
    wanted = slug(remote.topic)
    name = wanted if names.free(f"{wanted}-outbox") else f"{wanted}-{slug(remote.bootstrap_servers)}"
    outbox = names.claim(name, "outbox", f"the Kafka sink {remote.topic!r} on {remote.bootstrap_servers}")
    group = names.group(names.take(f"{name}-delivery", f"the delivery to {remote}"))
    return Delivery(name, group, outbox, remote)
