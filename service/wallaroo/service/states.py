"""The state pages: a key of a stage, asked of the workers here, and of the instance that owns it."""

from dataclasses import replace

from wallaroo.observability.answers import StateAnswer, StateFound, StateHidden, StateUnavailable
from wallaroo.service.owners import OtherInstances
from wallaroo.service.queries import Elsewhere, ask_for_state, nowhere
from wallaroo.service.supervisor import Supervisor
from wallaroo.topology.model import Topology


class StatePages:
    """Answers for one instance; `shown` says whether states may be shown at all."""

    def __init__(
        self,
        topology: Topology,
        supervisor: Supervisor,
        others: OtherInstances,
        instance: str,
        *,
        shown: bool,
    ) -> None:
        self._topology = topology
        self._supervisor = supervisor
        self._others = others
        self._instance = instance
        self._shown = shown

    def anywhere(self, stage: str, key: bytes) -> StateAnswer:
        """The state of a key, whoever owns it."""
        return self._ask(stage, key, self._others.state, None)

    def here(self, stage: str, key: bytes, among: frozenset[int]) -> StateAnswer:
        """The state of a key in these partitions, if they belong to this instance."""
        return self._ask(stage, key, nowhere, among)

    def _ask(self, stage: str, key: bytes, elsewhere: Elsewhere, among: frozenset[int] | None) -> StateAnswer:
        if not self._shown:
            return StateHidden()
        workers = self._supervisor.workers
        if not workers:
            return StateUnavailable("no worker has been started yet; see /readyz")
        answer = ask_for_state(stage, key, self._topology, workers, elsewhere, among)
        if isinstance(answer, StateFound) and not answer.instance:
            return replace(answer, instance=self._instance)
        return answer
