"""`wallaroo demo`: the stateful alerts on an embedded broker."""

from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    """Not written yet."""
    return 2
