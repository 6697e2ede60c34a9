"""The error for a record of an internal topic that is not of our making."""

from wallaroo.errors import StoredValueError
from wallaroo.record import Partition


def unreadable_record(at: Partition, offset: int, error: Exception) -> StoredValueError:
    """To be raised from what reading the record has raised."""
    return StoredValueError(
        f"the record {at.topic}[{at.number}]@{offset} of an internal topic cannot be read: {error}; either "
        "something else writes to this topic, or this is a bug: report it, and skip the record by moving the "
        "group's offset"
    )
