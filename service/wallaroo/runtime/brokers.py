"""Which cluster: what the operator set, else what the application's source names."""

from wallaroo.errors import SettingsError
from wallaroo.settings import Settings
from wallaroo.topology.model import Topology


def with_brokers(settings: Settings, topology: Topology) -> Settings:
    """Settings whose `bootstrap_servers` are those the application is to run on.

    Raises SettingsError where two sources name different clusters: a transaction spans one.
    """
    if "bootstrap_servers" in settings.model_fields_set:
        return settings
    named = {tuple(source.brokers): source.name for source in topology.sources if source.brokers}
    if len(named) > 1:
        raise SettingsError(
            f"the sources {', '.join(named.values())} name different brokers; set bootstrap_servers"
        )
    for brokers in named:
        servers = ",".join(f"{host}:{port}" for host, port in brokers)
        return settings.model_copy(update={"bootstrap_servers": servers})
    return settings
