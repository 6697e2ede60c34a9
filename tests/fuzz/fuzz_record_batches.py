"""Coverage-guided fuzzing of record batches; `make fuzz` runs it.

Made up or damaged, a record batch is read as records of bytes or is a StoredValueError. Few bytes take little
memory.
"""

import resource
import sys

import atheris
from pieces import made_up_and_damaged

with atheris.instrument_imports():
    from wallaroo.errors import StoredValueError
    from wallaroo.task.record_batch import (
        MILLISECONDS,
        NANOSECONDS,
        WITH_HEADERS,
        decode_batch,
        encode_batch,
        is_batch,
    )

MEMORY_BYTES = 1_000_000_000
BEGINNINGS = (b"", b"\x91\x93\xc4\x01v", b"\xdc\x00\x10", b"\xdd\x00\x00\x00\x02", b"\xdd\xff\xff\xff\xff")
TAGS = {tag for form in (MILLISECONDS, NANOSECONDS, WITH_HEADERS) for tag in (form.tag, form.tag_1)}
KINDS = tuple(tag + beginning for tag in sorted(TAGS) for beginning in BEGINNINGS)
ENTRIES = [(b"1Svalue", b"key", 1_700_000_000_000), (b"", b"", 0), (b"1O{}" * 90, b"k" * 300, 2**62)]
SAMPLES = tuple(encode_batch(form, ENTRIES * 6) for form in (MILLISECONDS, NANOSECONDS))


def fuzz(data: bytes) -> None:
    for value in made_up_and_damaged(data, KINDS, SAMPLES, 400):
        if is_batch(value):
            _read(value)


def _read(value: bytes) -> None:
    try:
        records = decode_batch(value, 7)
    except StoredValueError:
        return
    for record in records:
        assert type(record.value()) is type(record.key()) is bytes
        assert record.offset() == 7
        assert -(2**63) <= record.timestamp()[1] < 2**63


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    atheris.Setup(sys.argv, fuzz)
    atheris.Fuzz()
