"""Times on the command line: of day with a zone, or how long ago."""

import re
from datetime import UTC, datetime

from wallaroo.errors import SettingsError

METAVAR = "TIME"
HELP = "2026-12-01T08:00:00Z, or so long ago: 30s, 15m, 2h, 3d"

_AGO = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def time_ms(text: str, now_ms: int, option: str) -> int:
    """Milliseconds since the Unix epoch; SettingsError, which names the option, if it is no time."""
    ago = _AGO.fullmatch(text.strip())
    if ago:
        return now_ms - int(ago[1]) * _SECONDS[ago[2]] * 1_000
    try:
        found = datetime.fromisoformat(text.strip())
        if found.tzinfo is not None:
            return round(found.timestamp() * 1_000)
    except (ValueError, OverflowError):
        pass
    raise SettingsError(
        f"{option} takes a time with its zone, as 2026-12-01T08:00:00Z, or how long ago, as 30s, 15m, 2h or "
        f"3d, not {text!r}"
    )


def shown_time(milliseconds: int) -> str:
    """A time as `time_ms` reads it."""
    return datetime.fromtimestamp(milliseconds / 1_000, UTC).isoformat(timespec="milliseconds")
