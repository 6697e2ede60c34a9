"""Load an application module, compile what its `application_setup` returns, and find its own cluster."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wallaroo.api.checks import describe
from wallaroo.api.pipeline import Application
from wallaroo.errors import SettingsError
from wallaroo.serde.codecs import Codecs, codecs_of
from wallaroo.service.modules import explained, import_application
from wallaroo.settings import Settings
from wallaroo.topology.compile import compile_topology
from wallaroo.topology.model import Topology, ToTopic, server_list
from wallaroo.topology.remote_sinks import addresses


@dataclass(frozen=True, slots=True)
class Loaded:
    """A compiled application and how its values become bytes."""

    topology: Topology
    codecs: Codecs


def load(
    module_name: str,
    args: Sequence[str],
    application_id: str | None = None,
    bootstrap_servers: str | None = None,
) -> Loaded:
    """Import the module, call its `application_setup(args)` and compile the result.

    `args` begins with the program's name, as in Wallaroo; `bootstrap_servers` is the cluster that the
    operator has chosen, if any. Raises SettingsError if there is no such module or setup,
    ApplicationError if one of them raises, and TopologyError if the pipeline cannot run.
    """
    module = import_application(module_name)
    setup = getattr(module, "application_setup", None)
    if not callable(setup):
        raise SettingsError(f"module {module_name!r} has no function application_setup(args)")
    with explained(f"application_setup of module {module_name!r} raised"):
        application = setup(list(args))
    if not isinstance(application, Application):
        raise SettingsError(
            f"{module_name}.application_setup returned {describe(application)}; "
            "return wallaroo.build_application(...)"
        )
    topology = compile_topology(application, application_id, args, bootstrap_servers)
    return Loaded(topology, codecs_of(module))


def with_own_cluster(settings: Settings, topology: Topology) -> Settings:
    """Settings whose `bootstrap_servers` are those the application is to run on.

    Raises SettingsError if sources and sinks name different clusters: a transaction spans one.
    """
    if settings.chosen_servers is not None:
        return settings
    named = list(_named_brokers(topology))
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


def _named_brokers(topology: Topology) -> Iterator[tuple[Sequence[tuple[str, str]], str]]:
    for source in topology.sources:
        if source.brokers:
            yield source.brokers, f"the source {source.name!r}"
    for sub in topology.sub_topologies:
        for target in sub.targets:
            if isinstance(target, ToTopic) and target.brokers:
                yield target.brokers, f"the sink of {target.topic!r}"
