"""`wallaroo demo`: the stateful alerts, with two workers, on an embedded broker."""

import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from wallaroo.cli.application import serve
from wallaroo.cli.options import parse
from wallaroo.demo.embedded import FETCH_WAIT_MS, MOST_RECORDS, embedded_broker
from wallaroo.demo.flow import Flow, Screen
from wallaroo.demo.ledger import LIMIT, Ledger, payments
from wallaroo.demo.service import demo_service
from wallaroo.demo.traffic import Feed, Tail
from wallaroo.errors import SettingsError, WallarooError

_MODULE = "topologies.alerts_stateful"
_NAME = "wallaroo-demo"
_INTERRUPTED = 130

_INTRODUCTION = f"""Wallaroo on Kafka: transactions in, alerts out

  application      {_MODULE}: a running total per user, and an alert
                   on every transaction that leaves it beyond {LIMIT:,} or below -{LIMIT:,}
  embedded broker  {{broker}}: keeps nothing and is no basis for exactly-once
                   (this is at-least-once); for that: make test / docker compose up"""


@dataclass(frozen=True, slots=True)
class Options:
    """What the demo sends."""

    records: int
    rate: int
    seed: int


def demo(
    records: Annotated[int, typer.Option(help="how many transactions", min=1, max=MOST_RECORDS)] = 60_000,
    rate: Annotated[int, typer.Option(help="how many a second", min=1)] = 6_000,
    seed: Annotated[int, typer.Option(help="chooses the transactions")] = 1,
) -> int:
    """Run the stateful alerts, with two workers, on an embedded broker, and check every alert.

    The exit code is 0 if the alerts are the expected ones, 1 if not, and 130 after Ctrl-C.

    Example: wallaroo demo --records 20000 --rate 2000
    """
    return _demo(Options(records, rate, seed))


def _demo(options: Options) -> int:
    _find_application()
    # SIGINT too: a shell in the background hands it down ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    screen = Screen(sys.stdout)
    try:
        with TemporaryDirectory(prefix=f"{_NAME}-") as folder, embedded_broker() as broker:
            return _run_demo(screen, options, broker, Path(folder))
    except KeyboardInterrupt:
        screen.done()
        screen.line("Stopped before the end.")
        return _INTERRUPTED
    except WallarooError as error:
        screen.done()
        screen.line(f"The demo failed: {error}")
        return 1
    except BrokenPipeError:
        # Nobody reads the output. Python would raise again when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _find_application() -> None:
    """Put the application on the path: a wheel has it inside the package, a checkout at its root."""
    package = Path(__file__).parents[1]
    places = (package / "demo/shipped", package.parents[1])
    found = [place for place in places if (place / f"{_MODULE.replace('.', '/')}.py").is_file()]
    if not found:
        raise SettingsError(
            f"the demo's application, {_MODULE}, is neither in {places[0]} nor in {places[1]}: install the "
            "package anew, from its wheel or, with --editable, from a checkout"
        )
    # The service puts the working directory first, unless it is on the path; a user may have others there.
    sys.path[:0] = [str(found[0]), str(Path.cwd())]


def _run_demo(screen: Screen, options: Options, broker: str, folder: Path) -> int:
    screen.line(_INTRODUCTION.format(broker=broker))
    started = time.monotonic()
    with demo_service(_run, _service_options(broker), folder) as service:
        screen.progress(0, "starting two workers")
        address = service.wait_until_ready()
        screen.done()
        screen.line(f"  two workers      ready after {time.monotonic() - started:.1f} s")
        screen.line(f"  metrics          http://{address}/metrics\n")
        ledger = Ledger()
        transactions = payments(Random(options.seed), ledger)  # noqa: S311 - repeatable, not secret
        feed = Feed(broker, "transactions")
        with closing(Tail(broker, ["alerts", f"{_NAME}-dlq"])) as tail:
            flow = Flow(screen, feed, tail, service.check)
            flow.run(transactions, options.records, options.rate, ledger)
            service.stop()
            flow.drain()
        if _summarize(screen, flow, ledger, address):
            return 0
        screen.line(f"What the service's log complains of:{service.troubles() or ' nothing'}")
        return 1


def _run(options: Sequence[str]) -> int:
    return serve(parse(options))


def _service_options(broker: str) -> list[str]:
    # This broker settles groups sooner under the new protocol, and answers a fetch only when its time is up.
    # fmt: off
    return [
        _MODULE, "--workers", "2", "--embedded-broker", "--bootstrap-servers", broker,
        "--processing-guarantee", "at_least_once", "--group-protocol", "consumer",
        "--consumer", f"fetch.wait.max.ms={FETCH_WAIT_MS}",
        "--application-id", _NAME, "--http-port", "0", "--log-format", "json",
    ]
    # fmt: on


def _summarize(screen: Screen, flow: Flow, ledger: Ledger, address: str) -> bool:
    """Print the summary; False if the alerts or dead letters are not the expected ones."""
    verdict = flow.verdict(ledger)
    rate = flow.sent / flow.seconds
    screen.line(f"\n  transactions     {flow.sent:,} in {flow.seconds:.1f} s, {rate:,.0f} a second")
    screen.line(f"  alerts           {flow.alerts:,} for {len(ledger.alerts)} of {len(ledger.totals)} users")
    screen.line(f"  dead letters     {flow.dead} for {ledger.malformed} malformed transactions")
    screen.line(f"  metrics          were at http://{address}/metrics")
    if verdict.repeated:
        screen.line(f"  repeated alerts  {verdict.repeated}, as at-least-once allows")
    if verdict.ok and flow.dead >= ledger.malformed:
        screen.line("\nThe alerts match the model: each user's, every one, in order.")
        return True
    screen.line(
        f"\nTHE ALERTS DO NOT MATCH THE MODEL: {verdict.missing} are missing, {verdict.wrong} are wrong, "
        f"{max(0, ledger.malformed - flow.dead)} dead letters are missing."
    )
    return False
