"""What checkers of types know of decorated functions and of aggregations; nothing here runs.

A function without annotations takes and returns Any, so that unannotated code passes.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias, overload

from typing_extensions import TypeVar

from wallaroo.api.stages import (
    Computation,
    ComputationMulti,
    Decoder,
    In,
    Out,
    State,
    StateComputation,
    StateComputationMulti,
)

Message = TypeVar("Message")
Result = TypeVar("Result")
Accumulator = TypeVar("Accumulator", default=Any)
Key: TypeAlias = str | bytes | int
Several: TypeAlias = Sequence[Result] | Sequence[Result | None] | None


class ComputationDecorator(Protocol):
    """What `@computation(...)` is."""

    @overload
    def __call__(self, func: Callable[[Message], Result | None], /) -> Computation[Message, Result]: ...
    @overload
    def __call__(self, func: Callable[[Message, Any], Result | None], /) -> Computation[Message, Result]: ...


class ComputationMultiDecorator(Protocol):
    """What `@computation_multi(...)` is."""

    @overload
    def __call__(
        self, func: Callable[[Message], Several[Result]], /
    ) -> ComputationMulti[Message, Result]: ...
    @overload
    def __call__(
        self, func: Callable[[Message, Any], Several[Result]], /
    ) -> ComputationMulti[Message, Result]: ...


class StateComputationDecorator(Protocol[State]):
    """What `@state_computation(...)` is, for a state of this type."""

    @overload
    def __call__(
        self, func: Callable[[Message, State], Result | None], /
    ) -> StateComputation[Message, State, Result]: ...
    @overload
    def __call__(
        self, func: Callable[[Message, State, Any], Result | None], /
    ) -> StateComputation[Message, State, Result]: ...


class StateComputationMultiDecorator(Protocol[State]):
    """What `@state_computation_multi(...)` is, for a state of this type."""

    @overload
    def __call__(
        self, func: Callable[[Message, State], Several[Result]], /
    ) -> StateComputationMulti[Message, State, Result]: ...
    @overload
    def __call__(
        self, func: Callable[[Message, State, Any], Several[Result]], /
    ) -> StateComputationMulti[Message, State, Result]: ...


class DecoderDecorator(Protocol):
    """What `@decoder(...)` is."""

    @overload
    def __call__(self, func: Callable[[bytes], Result | None], /) -> Decoder[Result]: ...
    @overload
    def __call__(self, func: Callable[[bytes, Any], Result | None], /) -> Decoder[Result]: ...


class _Folds(Protocol[In, Accumulator]):
    def initial_accumulator(self) -> Accumulator: ...
    def update(self, data: In, acc: Accumulator, /) -> Accumulator | None: ...
    def combine(self, acc1: Accumulator, acc2: Accumulator, /) -> Accumulator: ...


class Folds(_Folds[In, Accumulator], Protocol[In, Accumulator, Out]):
    """An aggregation, as `.over(...)` takes its class."""

    def output(self, key: Any, acc: Accumulator, /) -> Out | None: ...


class FoldsKnowingWindow(_Folds[In, Accumulator], Protocol[In, Accumulator, Out]):
    """An aggregation whose output is given the window, too."""

    def output(self, key: Any, acc: Accumulator, window: Any, /) -> Out | None: ...
