"""Certificates for tests, made by the command `openssl`: CAs, and what they have signed."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

SUBJECT = "/CN={}"
EVERYWHERE = "subjectAltName=IP:127.0.0.1,DNS:localhost"


@dataclass(frozen=True, slots=True)
class Certificate:
    """The paths of a certificate and its key."""

    certificate: str
    key: str


class Authority:
    """A CA in a folder of its own; the path of its certificate is in `ca`."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._folder = folder / name
        self._folder.mkdir()
        self.ca = str(self._folder / "ca.pem")
        self._key = str(self._folder / "ca.key")
        _openssl(
            *("req", "-x509", *_NEW_KEY, "-keyout", self._key, "-out", self.ca, "-days", "2"),
            *("-subj", SUBJECT.format(name), "-addext", "keyUsage=keyCertSign"),
        )

    def sign(self, name: str, extension: str = EVERYWHERE, days: int = 1) -> Certificate:
        """A new certificate; with -1 days, one that has expired."""
        base = self._folder / name
        key, request, extensions, signed = (f"{base}.{kind}" for kind in ("key", "csr", "ext", "pem"))
        Path(extensions).write_text(extension)
        _openssl("req", "-new", *_NEW_KEY, "-keyout", key, "-out", request, "-subj", SUBJECT.format(name))
        _openssl(
            *("x509", "-req", "-in", request, "-out", signed, "-extfile", extensions, "-days", str(days)),
            *("-CA", self.ca, "-CAkey", self._key, "-CAcreateserial"),
        )
        return Certificate(signed, key)


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def with_passphrase(key: str, passphrase: str) -> str:
    """The path of a copy of a key that is encrypted."""
    copy = f"{key}.encrypted"
    _openssl("pkey", "-in", key, "-aes256", "-passout", f"pass:{passphrase}", "-out", copy)
    return copy


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)  # noqa: S607
    assert done.returncode == 0, done.stderr
