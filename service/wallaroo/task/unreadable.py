"""What this version of the application cannot read: a stored state, or a record of an internal topic.

It stops the service, which can be started again with a version that can; or it is put aside as a dead letter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from wallaroo.errors import StoredValueError, UnreadableStateError
from wallaroo.record import Partition
from wallaroo.state.store import KeyedStore, PutAside
from wallaroo.task.dead_letters import FailureHandler
from wallaroo.topology.model import SubTopology


class OnUnreadable(StrEnum):
    """The policy for what cannot be read."""

    FAIL = "fail"
    DEAD_LETTER = "dead_letter"


@dataclass(frozen=True, slots=True)
class _StoredState:
    """A stored state as a record of its changelog; which one it was, nobody has remembered."""

    stored_key: bytes
    stored: bytes

    def key(self) -> bytes:
        return self.stored_key

    def value(self) -> bytes:
        return self.stored

    def offset(self) -> int:
        return -1

    def timestamp(self) -> tuple[int, int]:
        return (0, 0)

    def headers(self) -> None:
        return None


def follow_policy(
    policy: OnUnreadable,
    sub: SubTopology,
    number: int,
    stores: Mapping[str, KeyedStore],
    failures: FailureHandler,
) -> bool:
    """Let the stores of a task do as the policy says; returns whether what cannot be read is put aside."""
    changelogs = {store.name: store.changelog for store in sub.stores}

    def fail(store: str, key: bytes, _stored: bytes, error: StoredValueError) -> None:
        stage = sub.stages.get(store, store)
        raise UnreadableStateError(stage, changelogs[store], number, key, str(error)) from error

    def put_aside(store: str, key: bytes, stored: bytes, error: StoredValueError) -> None:
        place = Partition(changelogs[store], number)
        failures.put_aside(place, _StoredState(key, stored), sub.stages.get(store, store), error)

    chosen: PutAside = fail if policy is OnUnreadable.FAIL else put_aside
    for store in stores.values():
        store.put_aside_with(chosen)
    return policy is OnUnreadable.DEAD_LETTER
