"""Market spread: an order is rejected when the last quote of its symbol was too wide, or there was none."""

import struct
from dataclasses import dataclass
from random import Random

import pytest

from tests.topologies.framing import framed
from topologies.market_spread import application_setup
from wallaroo.testing import ApplicationDriver

OUT = "127.0.0.1:7002"
ARGS = ["market_spread", "--in", "Orders@127.0.0.1:7010,Market Data@127.0.0.1:7011", "--out", OUT]
TIME = b"20150701-00:00:00.000"
NARROW, WIDE = (10.0, 10.01), (10.0, 10.06)


@dataclass(frozen=True)
class Sent:
    """An order, in the form in which both sides see it."""

    number: int
    symbol: bytes
    quantity: float = 100.0
    price: float = 10.5

    def payload(self):
        order = b"%06d" % self.number
        return struct.pack(">BBI6s4sdd21s", 1, 2, 7, order, self.symbol, self.quantity, self.price, TIME)

    def rejection(self, bid, offer):
        """What comes out, without its time."""
        order = b"%06d" % self.number
        return struct.pack(">BI6s4sdddd", 2, 7, order, self.symbol, self.quantity, self.price, bid, offer)


@pytest.fixture
def driver():
    return ApplicationDriver(application_setup(ARGS))


def quote(driver, *quotes):
    payloads = [struct.pack(">B4s21sdd", 2, symbol, TIME, bid, offer) for symbol, bid, offer in quotes]
    driver.send_frames("Market Data", framed(*payloads))
    driver.run()


def order(driver, *orders, connection=0):
    driver.send_frames("Orders", framed(*[each.payload() for each in orders]), connection)
    driver.run()


def rejections(driver):
    """What the receiver gets: framed, and 55 bytes long with its time at the end."""
    frames = driver.read(OUT)
    assert {frame[:4] for frame in frames} <= {struct.pack(">I", 55)}
    assert {len(frame) for frame in frames} <= {59}
    return [frame[4:-8] for frame in frames]


def test_orders_and_market_data_have_the_sizes_of_the_original():
    assert len(Sent(1, b"AAPL").payload()) == 53
    assert struct.calcsize(">B4s21sdd") == 42


def test_an_order_in_a_narrow_market_passes_and_in_a_wide_one_is_rejected(driver):
    quote(driver, (b"AAPL", *NARROW), (b" IBM", *WIDE))
    order(driver, Sent(1, b"AAPL"), Sent(2, b" IBM"))
    assert rejections(driver) == [Sent(2, b" IBM").rejection(*WIDE)]


def test_an_order_of_a_symbol_that_was_never_quoted_is_rejected_at_nought(driver):
    order(driver, Sent(1, b"NONE"))
    assert rejections(driver) == [Sent(1, b"NONE").rejection(0.0, 0.0)]


@pytest.mark.parametrize(
    ("bid", "offer", "rejected"),
    [
        (10.0, 10.0, 0),
        (10.0, 10.04, 0),
        (10.0, 10.0625, 1),
        (1.0, 1.04, 0),
        (0.5, 0.52, 0),
        (0.5, 0.53, 1),
        (0.0, 0.0, 0),
        (10.0, 9.0, 0),
    ],
)
def test_too_wide_is_five_cents_or_five_percent_of_the_middle(driver, bid, offer, rejected):
    quote(driver, (b"AAPL", bid, offer))
    order(driver, Sent(1, b"AAPL"))
    assert len(rejections(driver)) == rejected


def test_the_last_quote_counts_over_a_crash_too(driver):
    quote(driver, (b"AAPL", *WIDE), (b"AAPL", *NARROW))
    driver.crash()
    order(driver, Sent(1, b"AAPL"))
    quote(driver, (b"AAPL", *WIDE))
    driver.crash()
    order(driver, Sent(2, b"AAPL"))
    assert rejections(driver) == [Sent(2, b"AAPL").rejection(*WIDE)]


def test_of_many_orders_exactly_those_in_wide_markets_come_out(driver):
    rng = Random(3)  # noqa: S311 - the same orders on every run
    symbols = [b"S%03d" % number for number in range(50)]
    wide = set(rng.sample(symbols, 10))
    quote(driver, *[(symbol, *(WIDE if symbol in wide else NARROW)) for symbol in symbols])
    orders = [Sent(number, rng.choice(symbols)) for number in range(1_000)]
    for connection in range(3):
        order(driver, *orders[connection::3], connection=connection)
    wanted = [each.rejection(*WIDE) for each in orders if each.symbol in wide]
    assert sorted(rejections(driver)) == sorted(wanted)


def test_a_message_of_another_type_is_a_dead_letter_of_its_source(driver):
    bad = b"\x09" + Sent(1, b"AAPL").payload()[1:]
    driver.send_frames("Orders", framed(bad))
    driver.run()
    (letter,) = driver.dead_letters()
    assert (letter.stage, letter.value) == ("Orders", bad)
    assert letter.message == "message of type 9; an order has type 1"
