"""Alphabet: votes for letters in over TCP; each letter's total out, after every vote."""

import struct

import wallaroo

VOTE = struct.Struct(">sI")


def application_setup(args):
    """Frames of a letter and its votes in at the first address of --in; lines `letter => total` to --out."""
    (_, in_host, in_port, *_), *_ = wallaroo.tcp_parse_input_addrs(args)
    (out_host, out_port), *_ = wallaroo.tcp_parse_output_addrs(args)
    votes = wallaroo.source("votes", wallaroo.TCPSourceConfig("votes", in_host, in_port, decode_vote))
    totals = votes.key_by(extract_letter).to(add_votes)
    pipeline = totals.to_sink(wallaroo.TCPSinkConfig(out_host, out_port, encode_total))
    return wallaroo.build_application("alphabet", pipeline)


class Total:
    """The votes of one letter."""

    votes = 0


@wallaroo.decoder(header_length=4, length_fmt=">I")
def decode_vote(payload):
    letter, votes = VOTE.unpack(payload)
    return letter.decode("ascii"), votes


@wallaroo.key_extractor
def extract_letter(vote):
    letter, _ = vote
    return letter


@wallaroo.state_computation(name="add votes", state=Total)
def add_votes(vote, total):
    letter, votes = vote
    total.votes += votes
    return letter, total.votes


@wallaroo.encoder
def encode_total(counted):
    letter, votes = counted
    return f"{letter} => {votes}\n"
