"""Which cluster: what the operator set, else what the application's sources and sinks name."""

from collections.abc import Iterator

from wallaroo.errors import SettingsError
from wallaroo.settings import Settings
from wallaroo.topology.model import Topology, ToTopic


def with_brokers(settings: Settings, topology: Topology) -> Settings:
    """Settings whose `bootstrap_servers` are those the application is to run on.

    Raises SettingsError where two of them name different clusters: a transaction spans one.
    """
    if "bootstrap_servers" in settings.model_fields_set:
        return settings
    named = dict(_named(topology))
    if len(named) > 1:
        raise SettingsError(
            f"{' and '.join(named.values())} name different brokers, and an application runs on one cluster: "
            "name the same ones, or set bootstrap_servers, which all of them then are on"
        )
    for brokers in named:
        servers = ",".join(f"{host}:{port}" for host, port in brokers)
        return settings.model_copy(update={"bootstrap_servers": servers})
    return settings


def _named(topology: Topology) -> Iterator[tuple[tuple[tuple[str, str], ...], str]]:
    for source in topology.sources:
        if source.brokers:
            yield tuple(source.brokers), f"the source {source.name!r}"
    for sub in topology.sub_topologies:
        for target in sub.targets:
            if isinstance(target, ToTopic) and target.brokers:
                yield tuple(target.brokers), f"the sink of {target.topic!r}"
