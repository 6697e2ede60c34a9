"""Market spread: orders that meet a market whose bid and offer are too far apart are rejected."""

import struct
import time
from collections import namedtuple

import wallaroo

ORDER = struct.Struct(">BBI6s4sdd21s")
MARKET_DATA = struct.Struct(">B4s21sdd")
REJECTION = struct.Struct(">BI6s4sddddQ")
ORDER_TYPE, MARKET_DATA_TYPE = 1, 2
WIDEST = 0.05

Order = namedtuple("Order", "side client order symbol quantity price")
Quote = namedtuple("Quote", "symbol bid offer")
Rejection = namedtuple("Rejection", "order bid offer time_ns")


def application_setup(args):
    """Orders and market data in at the addresses of those names in --in; rejections out to --out."""
    addresses = {name: (host, port) for name, host, port, *_ in wallaroo.tcp_parse_input_addrs(args)}
    (out_host, out_port), *_ = wallaroo.tcp_parse_output_addrs(args)
    orders = wallaroo.TCPSourceConfig("Orders", *addresses["Orders"], decode_order)
    quotes = wallaroo.TCPSourceConfig("Market Data", *addresses["Market Data"], decode_market_data)
    both = wallaroo.source("Orders", orders).merge(wallaroo.source("Market Data", quotes))
    rejections = both.key_by(extract_symbol).to(check_order)
    pipeline = rejections.to_sink(wallaroo.TCPSinkConfig(out_host, out_port, encode_rejection))
    return wallaroo.build_application("market-spread", pipeline)


class Market:
    """The last quote of one symbol; until there is one, every order is rejected."""

    bid = offer = 0.0
    too_wide = True


@wallaroo.decoder(header_length=4, length_fmt=">I")
def decode_order(payload):
    kind, side, client, order, symbol, quantity, price, _ = ORDER.unpack(payload)
    if kind != ORDER_TYPE:
        raise ValueError(f"message of type {kind}; an order has type {ORDER_TYPE}")
    return Order(side, client, order, symbol, quantity, price)


@wallaroo.decoder(header_length=4, length_fmt=">I")
def decode_market_data(payload):
    kind, symbol, _, bid, offer = MARKET_DATA.unpack(payload)
    if kind != MARKET_DATA_TYPE:
        raise ValueError(f"message of type {kind}; market data has type {MARKET_DATA_TYPE}")
    return Quote(symbol, bid, offer)


@wallaroo.key_extractor
def extract_symbol(message):
    return message.symbol


@wallaroo.state_computation(name="check order", state=Market)
def check_order(message, market):
    if isinstance(message, Quote):
        spread, middle = message.offer - message.bid, (message.offer + message.bid) / 2
        market.bid, market.offer = message.bid, message.offer
        market.too_wide = spread >= WIDEST or (middle > 0 and spread / middle >= WIDEST)
        return None
    return Rejection(message, market.bid, market.offer, time.time_ns()) if market.too_wide else None


@wallaroo.encoder
def encode_rejection(rejection):
    order, bid, offer, time_ns = rejection
    *fields, quantity, price = order
    payload = REJECTION.pack(*fields, quantity, price, bid, offer, time_ns)
    return struct.pack(">I", len(payload)) + payload
