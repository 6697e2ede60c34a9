"""How long a dead worker waits before it is started again."""

from dataclasses import dataclass

_FIRST_SECONDS = 0.2
_LONGEST_SECONDS = 30.0
# A worker that has lived this long has recovered.
_STABLE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """The deaths of a worker in a row; each doubles the wait."""

    deaths: int = 0

    def after_death(self, lived_seconds: float) -> "Backoff":
        return Backoff(1) if lived_seconds >= _STABLE_SECONDS else Backoff(self.deaths + 1)

    @property
    def seconds(self) -> float:
        return min(_FIRST_SECONDS * 2 ** (self.deaths - 1), _LONGEST_SECONDS) if self.deaths else 0.0
