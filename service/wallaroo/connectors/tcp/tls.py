"""TLS for TCP sources and sinks: contexts made of files, and one end of a connection, without I/O.

Rules for whoever edits this file:
1. Nothing blocks, and nothing here knows a socket: bytes of the peer go in, bytes for it come out.
2. What the peer had sent before the connection broke is returned before the error.
3. An end without TLS's own farewell is no orderly end: anybody on the way can close a connection.
"""

import re
import ssl
from contextlib import suppress
from pathlib import Path

from wallaroo.api.tls import ClientTLS, ServerTLS
from wallaroo.errors import SettingsError

_READ_BYTES = 262_144
_PEMS = "PEM files that this user can read, with the key of the certificate, and without a passphrase"
# What the peer tells us of a certificate of ours that it does not take.
_REFUSED_OURS = re.compile(
    r"ALERT_(UNKNOWN_CA|(BAD|UNSUPPORTED)_CERTIFICATE|CERTIFICATE_\w+)|ALERT_ACCESS_DENIED"
)
_ADVICE = {
    "WRONG_VERSION_NUMBER": "the other side does not speak TLS",
    "HTTP_REQUEST": "the other side does not speak TLS",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it shows no certificate; give it one that client_ca has signed",
    "CERTIFICATE_REQUIRED": "it asks for a certificate; give the sink's ClientTLS one, with its key",
}


def server_context(source: str, tls: ServerTLS) -> ssl.SSLContext:
    """What a source needs to speak TLS; SettingsError, naming it, if the files are not right."""
    what = f"the TLS of the source {source!r}"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_NO_RENEGOTIATION
    # A sender that never reads would close with these unread, and its kernel reset what is still on its way.
    context.num_tickets = 0
    _load_own(what, context, tls.certificate, tls.key)
    if tls.client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        _load_ca(what, context, tls.client_ca, "client_ca")
    return context


def client_context(receiver: str, tls: ClientTLS, server_name: str) -> ssl.SSLContext:
    """What a sink needs to speak TLS; SettingsError, naming its receiver, if the files are not right."""
    what = f"the TLS of the sink to {receiver}"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if tls.ca is None:
        context.load_default_certs()
    else:
        _load_ca(what, context, tls.ca, "ca")
    if tls.certificate is not None and tls.key is not None:
        _load_own(what, context, tls.certificate, tls.key)
    try:
        TlsEnd(context, server_name)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{what}: no certificate can be for {server_name!r}: {error}; give server_name"
        ) from error
    return context


def _load_own(what: str, context: ssl.SSLContext, certificate: str, key: str) -> None:
    _readable(what, "certificate", certificate)
    _readable(what, "key", key)

    def no_passphrase() -> str:
        # Else the terminal would be asked.
        raise SettingsError(f"{what}: the key {key!r} has a passphrase; give {_PEMS}")

    try:
        context.load_cert_chain(certificate, key, no_passphrase)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise SettingsError(
            f"{what}: the certificate {certificate!r} and the key {key!r} cannot be used: {reason}; "
            f"give {_PEMS}"
        ) from error


def _load_ca(what: str, context: ssl.SSLContext, path: str, name: str) -> None:
    _readable(what, name, path)
    try:
        context.load_verify_locations(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise SettingsError(
            f"{what}: {name} {path!r} has no certificates: {reason}; give a PEM file of them"
        ) from error


def _readable(what: str, name: str, path: str) -> None:
    """Raise SettingsError if it is not: ssl does not say which of two files it could not read."""
    try:
        with Path(path).open("rb"):
            return
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(f"{what}: {name} {path!r} cannot be read: {reason}; give {_PEMS}") from error


class TlsEnd:
    """One end of one connection: `receive` takes what the peer has sent, `take` returns what it is to get.

    `error` says what ended it, empty while nothing has; `begun` that the peer has sent anything,
    `established` that both agree on keys, `ended` that the peer has said farewell.
    """

    def __init__(self, context: ssl.SSLContext, server_name: str | None = None) -> None:
        self.error = ""
        self.ended = False
        self.begun = self.established = False
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_name is None, server_hostname=server_name
        )
        if server_name is not None:
            self.receive(b"")

    @property
    def unsent_bytes(self) -> int:
        return self._outgoing.pending

    def receive(self, data: bytes) -> bytes:
        """The plain bytes that these complete."""
        plain: list[bytes] = []
        self.begun = self.begun or bool(data)
        self._incoming.write(data)
        try:
            if not self.established:
                self._tls.do_handshake()
                self.established = True
            while some := self._tls.read(_READ_BYTES):
                plain.append(some)
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        except ssl.SSLError as error:
            self.error = _explained(error)
        return b"".join(plain)

    def encrypt(self, data: bytes) -> None:
        """Have `take` return these bytes; only once the connection is established."""
        if data:
            self._tls.write(data)

    def take(self) -> bytes:
        return self._outgoing.read()

    def say_farewell(self) -> None:
        # The peer's own has not come yet, or the connection is broken.
        with suppress(ssl.SSLError):
            self._tls.unwrap()


def _explained(error: ssl.SSLError) -> str:
    reason = str(error.reason or error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: its certificate is refused: {error.verify_message}"
    for name, advice in _ADVICE.items():
        if name in reason:
            return f"TLS: {advice} ({reason})"
    if _REFUSED_OURS.search(reason):
        return f"TLS: it refuses our certificate ({reason})"
    return f"TLS: {reason}"
