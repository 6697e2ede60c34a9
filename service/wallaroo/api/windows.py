"""Windows as they are declared: how messages are grouped, and by what they are folded."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from wallaroo.api.checks import check_whole
from wallaroo.errors import WallarooParameterError

_UNITS = "write whole nanoseconds, for example wallaroo.seconds(9) or wallaroo.milliseconds(500)"


class LateDataPolicy(StrEnum):
    """What becomes of a message whose windows are all past due."""

    DROP = "drop"
    FIRE_PER_MESSAGE = "fire-per-message"
    PLACE_IN_OLDEST_WINDOW = "place-in-oldest-window"


@dataclass(frozen=True, slots=True)
class RangeWindows:
    """Windows over a span of event time; window k covers [k * slide, k * slide + range).

    Times are nanoseconds. Raises WallarooParameterError for numbers that make no windows.
    """

    range: int
    slide: int
    delay: int
    aggregation: Any
    late_data_policy: LateDataPolicy = LateDataPolicy.DROP

    def __post_init__(self) -> None:
        check_span("range_windows: the range", self.range)
        check_span("with_slide: the slide", self.slide)
        check_span("with_delay: the delay", self.delay, at_least=0)
        if self.slide > self.range:
            raise WallarooParameterError(
                f"with_slide: the slide {self.slide} is longer than the range {self.range}, so messages "
                "between two windows would be in none; make it at most the range"
            )
        object.__setattr__(self, "late_data_policy", late_data_policy(self.late_data_policy))

    def name(self) -> str:
        """The aggregation's name, which is the stage's."""
        return str(self.aggregation.name())


@dataclass(frozen=True, slots=True)
class CountWindows:
    """Windows over `count` messages of one key each."""

    count: int
    aggregation: Any

    def __post_init__(self) -> None:
        check_whole("count_windows: the count", self.count, at_least=1)

    def name(self) -> str:
        """The aggregation's name, which is the stage's."""
        return str(self.aggregation.name())


def check_span(what: str, span: object, at_least: int = 1) -> int:
    """Whole nanoseconds."""
    return check_whole(what, span, at_least, _UNITS)


def late_data_policy(policy: object) -> LateDataPolicy:
    """The policy of that name, with hyphens or underscores."""
    try:
        return LateDataPolicy(str(policy).replace("_", "-"))
    except ValueError:
        known = ", ".join(repr(str(known)) for known in LateDataPolicy)
        raise WallarooParameterError(
            f"Invalid value for late_data_policy: {policy!r}; use one of {known}"
        ) from None
