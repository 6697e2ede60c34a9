"""Outcome: what is written down of a run."""

from dataclasses import dataclass

SETTLED = "settled"
# What a busy machine or Kafka can do to a run; whatever else is wrong is wrong for good.
MACHINES_FAULT = ("hung", "no broker", "not judged")


@dataclass(frozen=True, slots=True)
class Outcome:
    """`ended` is `settled` or says what went wrong; `memory_mib` is of the largest worker at the end."""

    seed: int
    kind: str
    variant: str
    faults: int = 0
    records: int = 0
    alerts: int = 0
    lost: int = 0
    doubled: int = 0
    out_of_order: int = 0
    repeated: int = 0
    longest_stall_seconds: float = 0.0
    memory_mib: int = 0
    forgiven: int = 0
    ended: str = SETTLED

    @property
    def is_right(self) -> bool:
        return self.ended == SETTLED and not self.is_false

    @property
    def is_false(self) -> bool:
        """Whether results are: that is never the machine's fault."""
        return bool(self.lost or self.doubled or self.out_of_order)

    @property
    def may_be_tried_again(self) -> bool:
        return self.ended.startswith(MACHINES_FAULT) and not self.is_false

    def __str__(self) -> str:
        return (
            f"{self.kind} seed {self.seed}, {self.variant}: {self.faults} faults, "
            f"{self.records} records, {self.alerts} alerts, {self.lost} lost, "
            f"{self.doubled} doubled, {self.out_of_order} out of order, "
            f"longest stall {self.longest_stall_seconds} s, {self.memory_mib} MiB, {self.ended}"
        )
