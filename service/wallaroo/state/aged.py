"""Aged: a state with the latest event time of its key, for stages that declare a time to live (`ttl`).

    1L<latest><state>     the time in nanoseconds, big-endian; the state in the application's own format

is what is stored. A state without the tag is from before the stage had a ttl: nobody knows its age.
Reading never trusts the bytes: StoredValueError is all that a damaged or forged value can cause.
"""

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any

from wallaroo.errors import StoredValueError
from wallaroo.serde.formats import AGED_STATE
from wallaroo.serde.object_codec import Codec
from wallaroo.state.store import StoreFormat

# The latest event time of a key that has none, so that any record finds a fresh state; and of a key whose
# state was stored without one, so that none does.
NONE_YET, UNKNOWN_AGE = -(2**63), 2**63 - 1

_header = Struct(">2sq")


class Aged:
    """The state of one key, and the latest event time of its records."""

    __slots__ = ("latest", "state")

    def __init__(self, latest: int = NONE_YET, state: Any = None) -> None:
        self.latest = latest
        self.state = state


def state_in(aged: Aged) -> Any:
    return aged.state


def latest_in(data: bytes) -> int:
    """The latest event time of a stored state, without decoding that."""
    if data[:2] != AGED_STATE:
        return UNKNOWN_AGE
    if len(data) < _header.size:
        raise StoredValueError(f"a stored state ends in the middle of its time: {data!r}")
    return int(_header.unpack_from(data)[1])


class AgedCodec:
    """Bytes of states with their times; `states` is the codec of the states."""

    def __init__(self, states: Codec) -> None:
        self._states = states

    def encode(self, aged: Aged) -> bytes:
        return _header.pack(AGED_STATE, aged.latest) + self._states.encode(aged.state)

    def encode_all(self, values: Sequence[Aged]) -> list[bytes]:
        pack, made = _header.pack, self._states.encode_all([aged.state for aged in values])
        return [pack(AGED_STATE, aged.latest) + stored for aged, stored in zip(values, made, strict=True)]

    def decode(self, data: bytes) -> Aged:
        """The state and its time; StoredValueError if the bytes are not what `encode` makes."""
        latest = latest_in(data)
        return Aged(latest, self._states.decode(data[_header.size :] if data[:2] == AGED_STATE else data))


class AgelessCodec:
    """The codec of a stage without a ttl, which may have had one."""

    def __init__(self, states: Codec) -> None:
        self.encode: Callable[[Any], bytes] = states.encode
        self.encode_all: Callable[[Sequence[Any]], list[bytes]] = states.encode_all
        self._decode = states.decode

    def decode(self, data: bytes) -> Any:
        if data[:2] == AGED_STATE:
            latest_in(data)
            data = data[_header.size :]
        return self._decode(data)


def aged_format(initial: Callable[[], Any], states: Codec, ttl: int | None) -> StoreFormat:
    """The format of the states of a stage, with a ttl or without."""
    if ttl is None:
        return StoreFormat(initial, AgelessCodec(states))
    return StoreFormat(Aged, AgedCodec(states), shown=state_in)
