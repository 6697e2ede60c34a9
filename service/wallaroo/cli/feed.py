"""`wallaroo produce` and `wallaroo receive`: records from a file to an application, and results to a file."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from typing import Annotated, Any, BinaryIO

import typer

from wallaroo.admin import feed
from wallaroo.admin.feed import HEADER_BYTES, Framing
from wallaroo.cli.options import takes_cluster
from wallaroo.cli.output import show_line
from wallaroo.clock import SystemClock
from wallaroo.connectors.tcp import manual
from wallaroo.connectors.tcp.framing import Frames
from wallaroo.errors import SettingsError
from wallaroo.settings import Settings

_LARGEST = 2**31
_FRAMING = typer.Option(help="a record is a line, or stands behind its length (u32: big-endian, four bytes)")


@takes_cluster
def produce(  # noqa: PLR0913 - options
    settings: Settings,
    *,
    file: Annotated[str, typer.Argument(help="what is sent; - is standard input")] = "-",
    topic: Annotated[str | None, typer.Option(help="the topic it is sent to")] = None,
    to: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="the TCP source it is sent to")] = None,
    framing: Annotated[Framing, _FRAMING] = Framing.LINES,
    key: Annotated[
        str | None, typer.Option(metavar="FIELD", help="the field of JSON records that is the key")
    ] = None,
    rate: Annotated[int | None, typer.Option(help="records a second", min=1)] = None,
    repeat: Annotated[int, typer.Option(help="how often the file is sent", min=1)] = 1,
    count: Annotated[int | None, typer.Option(help="how many records at most", min=1)] = None,
) -> int:
    """Send the records of a file to a topic, or to a TCP source.

    To a TCP source each is sent behind its length, big-endian in four bytes.

    Example: wallaroo produce transactions.jsonl --topic transactions --key user --rate 1000

    Example: wallaroo produce words.txt --to 127.0.0.1:7010
    """
    if (topic is None) == (to is None):
        raise SettingsError("say where to: either --topic TOPIC or --to HOST:PORT")
    with _records(file, framing, repeat) as records:
        paced = feed.paced(islice(records, count), rate, SystemClock(), time.sleep)
        if topic is not None:
            sent = feed.produce(settings, topic, paced, key)
        else:
            frames = (feed.framed(each, Framing.U32) for each in paced)
            sent = manual.send(manual.parse_address(to or ""), frames)
    print(f"{sent:,} records sent to {topic or to}", file=sys.stderr)
    return 0


@takes_cluster
def receive(  # noqa: PLR0913 - options
    settings: Settings,
    *,
    topic: Annotated[str | None, typer.Option(help="the topic that is read, committed records only")] = None,
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="where a TCP sink connects to")
    ] = None,
    framing: Annotated[Framing, _FRAMING] = Framing.LINES,
    output: Annotated[
        str, typer.Option(metavar="FILE", help="where the records go; - is standard output")
    ] = "-",
    count: Annotated[int | None, typer.Option(help="end after so many records", min=1)] = None,
    new: Annotated[bool, typer.Option("--new", help="only records that come from now on (topic)")] = False,
    until_end: Annotated[bool, typer.Option("--until-end", help="end where the topic ends now")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="each with place, time, key and headers (topic)")
    ] = False,
) -> int:
    """Show the records of a topic, or what a TCP sink sends, until Ctrl-C.

    Example: wallaroo receive --topic alerts --until-end

    Example: wallaroo receive --listen 127.0.0.1:7100
    """
    if (topic is None) == (listen is None):
        raise SettingsError("say where from: either --topic TOPIC or --listen HOST:PORT")
    if topic is None and (json or new or until_end):
        raise SettingsError("--json, --new and --until-end are for a topic")
    if topic is None:
        chunks = manual.receive(manual.parse_address(listen or ""))
        _write(output, framing, islice(_cut(chunks, framing), count))
        return 0
    messages = islice(feed.receive(settings, topic, new=new, until_end=until_end), count)
    if json:
        for message in messages:
            show_line(_jsonable(message))
    else:
        _write(output, framing, (message.value() or b"" for message in messages))
    return 0


def _write(output: str, framing: Framing, records: Iterable[bytes]) -> None:
    with _opened(output, "wb") as file:
        for record in records:
            file.write(feed.framed(record, framing))
            file.flush()


def _cut(chunks: Iterable[bytes], framing: Framing) -> Iterator[bytes]:
    """The records of a stream."""
    if framing is Framing.U32:
        frames = Frames(HEADER_BYTES, lambda header: int.from_bytes(header, "big"), _LARGEST)
        for chunk in chunks:
            yield from frames.feed(chunk)
            if frames.error is not None:
                raise frames.error
        return
    pending = b""
    for chunk in chunks:
        *lines, pending = (pending + chunk).split(b"\n")
        yield from lines


@contextmanager
def _records(name: str, framing: Framing, repeat: int) -> Iterator[Iterator[bytes]]:
    with _opened(name, "rb") as file:
        if repeat > 1 and not file.seekable():
            raise SettingsError("what cannot be read twice cannot be repeated; give a file")
        yield chain.from_iterable(_once(file, framing) for _ in range(repeat))


def _once(file: BinaryIO, framing: Framing) -> Iterator[bytes]:
    if file.seekable():
        file.seek(0)
    return feed.cut(file, framing)


@contextmanager
def _opened(name: str, mode: str) -> Iterator[Any]:
    if name == "-":
        yield (sys.stdin if mode == "rb" else sys.stdout).buffer
        return
    try:
        file = open(name, mode)  # noqa: SIM115 - closed below
    except OSError as error:
        raise SettingsError(f"{name!r} cannot be opened: {error.strerror}") from error
    with file:
        yield file


def _jsonable(message: Any) -> dict[str, Any]:
    return {
        "partition": message.partition(),
        "offset": message.offset(),
        "timestamp_ms": message.timestamp()[1],
        "key": _text(message.key()),
        "headers": {name: _text(value) for name, value in message.headers() or ()},
        "value": _text(message.value()),
    }


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", "backslashreplace")
