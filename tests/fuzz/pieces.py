"""Input for readers of what was stored: made up, or a real value with a piece of it replaced."""

from collections.abc import Sequence

import atheris

_LONGEST_CUT = 20


def made_up_and_damaged(
    data: bytes, kinds: Sequence[bytes], samples: Sequence[bytes], longest: int
) -> tuple[bytes, bytes]:
    """One of each: a kind with up to `longest` bytes behind it, and a sample with those bytes in it."""
    given = atheris.FuzzedDataProvider(data)
    kind = kinds[given.ConsumeIntInRange(0, len(kinds) - 1)]
    sample = samples[given.ConsumeIntInRange(0, len(samples) - 1)]
    begin = given.ConsumeIntInRange(0, len(sample))
    end = begin + given.ConsumeIntInRange(0, _LONGEST_CUT)
    piece = given.ConsumeBytes(longest)
    return kind + piece, sample[:begin] + piece + sample[end:]
