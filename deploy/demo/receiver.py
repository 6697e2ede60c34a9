"""Prints the lines that TCP connections bring, each one whole, until it is stopped."""

import argparse
import signal
import socketserver
import sys


class Lines(socketserver.StreamRequestHandler):
    """One connection."""

    def handle(self) -> None:
        for line in self.rfile:
            # Half a line comes when the sender goes away; it sends that one again.
            if line.endswith(b"\n"):
                print(line.decode(errors="replace"), end="", flush=True)


class Receiver(socketserver.ThreadingTCPServer):
    """A thread for each connection; all of them end with the process."""

    allow_reuse_address = True
    daemon_threads = True


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m demo.receiver", description=__doc__)
    parser.add_argument("--port", type=int, default=7100)
    options = parser.parse_args()
    # Process 1 of a container gets no default handler.
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit())
    with Receiver(("", options.port), Lines) as server:
        print(f"listening on port {options.port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
