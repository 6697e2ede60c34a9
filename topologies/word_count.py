"""Word count: lines of text in over TCP; each word out, with how often it has come by then."""

import string

import wallaroo

NOT_OF_A_WORD = string.punctuation + string.whitespace


def application_setup(args):
    """Frames of text in at the first address of --in; lines `word => count` out to --out."""
    (_, in_host, in_port, *_), *_ = wallaroo.tcp_parse_input_addrs(args)
    (out_host, out_port), *_ = wallaroo.tcp_parse_output_addrs(args)
    lines = wallaroo.source("lines", wallaroo.TCPSourceConfig("lines", in_host, in_port, decode_text))
    counts = lines.to(split_into_words).key_by(extract_word).to(count_word)
    pipeline = counts.to_sink(wallaroo.TCPSinkConfig(out_host, out_port, encode_count))
    return wallaroo.build_application("word-count", pipeline)


class WordCount:
    """How often one word has come."""

    count = 0


@wallaroo.decoder(header_length=4, length_fmt=">I")
def decode_text(payload):
    return payload.decode("utf-8")


@wallaroo.computation_multi(name="split into words")
def split_into_words(text):
    words = [word.strip(NOT_OF_A_WORD) for word in text.lower().split()]
    return [word for word in words if word]


@wallaroo.key_extractor
def extract_word(word):
    return word


@wallaroo.state_computation(name="count word", state=WordCount)
def count_word(word, state):
    state.count += 1
    return word, state.count


@wallaroo.encoder
def encode_count(counted):
    word, count = counted
    return f"{word} => {count}\n"
