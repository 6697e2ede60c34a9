"""TLS of TCP sources and sinks: which files hold certificates and keys."""

from dataclasses import KW_ONLY, dataclass

from wallaroo.errors import WallarooParameterError


@dataclass(frozen=True, slots=True)
class ServerTLS:
    """TLS for a TCP source: the paths of its certificate and of the private key, both PEM.

    `certificate` may hold the chain that leads to a known CA; the key has no passphrase. With `client_ca`, a
    file of CAs, only senders with a certificate that one of these has signed may send. The files are read
    when the service starts.

    Raises WallarooParameterError if a path is malformed.

    Example:

    >>> tls = wallaroo.ServerTLS("/run/secrets/cert.pem", "/run/secrets/key.pem")
    """

    certificate: str
    key: str
    _: KW_ONLY
    client_ca: str | None = None

    def __post_init__(self) -> None:
        _check_paths("ServerTLS", certificate=self.certificate, key=self.key)
        _check_paths("ServerTLS", **_given(client_ca=self.client_ca))


@dataclass(frozen=True, slots=True)
class ClientTLS:
    """TLS for a TCP sink: whom to trust, and who we are.

    `ca` is a file of CAs, PEM, of which one has signed the receiver's certificate; None means those that the
    machine trusts. The certificate must be for `server_name`, by default for the sink's host. `certificate`
    and `key`, which has no passphrase, are for a receiver that asks who we are. The files are read when the
    service starts.

    Raises WallarooParameterError if a path is malformed, or one of `certificate` and `key` is missing.

    Example:

    >>> tls = wallaroo.ClientTLS(ca="/etc/ssl/our-ca.pem")
    """

    ca: str | None = None
    _: KW_ONLY
    certificate: str | None = None
    key: str | None = None
    server_name: str | None = None

    def __post_init__(self) -> None:
        given = _given(ca=self.ca, certificate=self.certificate, key=self.key, server_name=self.server_name)
        _check_paths("ClientTLS", **given)
        if (self.certificate is None) != (self.key is None):
            raise WallarooParameterError("ClientTLS needs both, certificate and key, or neither")


def _given(**paths: object) -> dict[str, object]:
    return {name: path for name, path in paths.items() if path is not None}


def _check_paths(what: str, **paths: object) -> None:
    for name, path in paths.items():
        if not isinstance(path, str) or not path.strip():
            # Not what was given: it may be a key.
            raise WallarooParameterError(f"{what}: {name} must be a str that is not empty")
