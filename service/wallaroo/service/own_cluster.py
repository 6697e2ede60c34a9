"""Which cluster is the application's own: what the operator set, else what its sources and sinks name."""

from collections.abc import Iterator, Sequence

from wallaroo.errors import SettingsError
from wallaroo.settings import Settings
from wallaroo.topology.model import Topology, ToTopic, server_list
from wallaroo.topology.remote_sinks import addresses


def with_brokers(settings: Settings, topology: Topology) -> Settings:
    """Settings whose `bootstrap_servers` are those the application is to run on.

    Raises SettingsError where nobody can tell: a transaction spans one cluster.
    """
    if settings.chosen_servers is not None:
        return settings
    named = list(_named(topology))
    if not named:
        return settings
    brokers, first = named[0]
    for others, other in named:
        if not addresses(brokers) & addresses(others):
            raise SettingsError(
                f"{first} and {other} name different brokers, and an application runs on one cluster: "
                "name the same ones, or set bootstrap_servers to the cluster that it is to be"
            )
    return settings.model_copy(update={"bootstrap_servers": server_list(brokers)})


def _named(topology: Topology) -> Iterator[tuple[Sequence[tuple[str, str]], str]]:
    for source in topology.sources:
        if source.brokers:
            yield source.brokers, f"the source {source.name!r}"
    for sub in topology.sub_topologies:
        for target in sub.targets:
            if isinstance(target, ToTopic) and target.brokers:
                yield target.brokers, f"the sink of {target.topic!r}"
