"""Lines in over TLS, louder ones out over TLS."""

import argparse

import wallaroo


def application_setup(args):
    options = _options(args)
    mine = {"certificate": options.certificate, "key": options.key}
    listening = wallaroo.ServerTLS(**mine, client_ca=options.ca)
    lines = wallaroo.TCPSourceConfig("Lines", "127.0.0.1", options.port, decode, tls=listening)
    trusting = wallaroo.ClientTLS(options.ca, **mine)
    sink = wallaroo.TCPSinkConfig("127.0.0.1", options.receiver, encode, tls=trusting)
    return wallaroo.build_application("tls", wallaroo.source("Lines", lines).to(shout).to_sink(sink))


@wallaroo.decoder(header_length=4, length_fmt=">I")
def decode(data):
    return data.decode()


@wallaroo.computation(name="shout")
def shout(line):
    return line.upper()


@wallaroo.encoder
def encode(line):
    return f"{line}\n"


def _options(args):
    parser = argparse.ArgumentParser(prog="tls_app")
    parser.add_argument("--ca", required=True)
    parser.add_argument("--certificate", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--receiver", type=int, required=True)
    return parser.parse_known_args(args)[0]
