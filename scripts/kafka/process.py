"""What the operating system is asked: free ports and guards."""

import random
import socket
import subprocess
from collections.abc import Sequence

# Below the range from which systems take ports for outgoing connections: a client that tries to
# reconnect while the broker is down must not be given the broker's own port.
PORTS = range(20_000, 30_000)


def port_is_free(port: int) -> bool:
    with socket.socket() as listener:
        # As Java does: connections that a stopped broker left in TIME_WAIT do not count.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def port_answers(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """A loopback port that nobody listens on; OSError when a hundred guesses are all taken."""
    # Not the seeded generator: two runs with one seed would meet on one port.
    guesses = random.SystemRandom().sample(PORTS, 100)
    for port in guesses:
        if port_is_free(port):
            return port
    raise OSError(f"no free port among {len(guesses)} tried from {PORTS.start} to {PORTS.stop}")


def guard(last_will: Sequence[str]) -> subprocess.Popen[bytes]:
    """Run a command as soon as this process is gone, however it went: a shell waits at the end of a pipe."""
    return subprocess.Popen(
        ["/bin/sh", "-c", 'read -r _; "$@"', "guard", *last_will],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def dismiss(guarding: subprocess.Popen[bytes]) -> None:
    """End a guard before its time; one that kills must go before its pid can be somebody else's."""
    guarding.kill()
    guarding.wait()
    if guarding.stdin:
        guarding.stdin.close()
