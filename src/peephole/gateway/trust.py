"""Whom a TLS connection believes, and what to say when it does not: a certificate and a host name are always checked, there is no switch.

The files are read again for every new connection, so a certificate that was renewed needs no restart.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from peephole.base.errors import InputError

__all__ = ["AUTHORITY", "Kind", "Trust", "kind_of", "words_of"]

AUTHORITY = "name the file of its authority's certificate, or of its own, in the environment: SSL_CERT_FILE"

Kind = Literal["authority", "name", "early", "late", "ours", "asked", "plain", "other"]
"""Why a TLS connection failed: nobody that is trusted signed it, it is for another name, not valid yet or no more; our own certificate was
refused, or asked for; the other side speaks no TLS; anything else."""

# OpenSSL's numbers for what is wrong with a certificate (x509_vfy.h).
VERIFY: dict[int, Kind] = {
    **dict.fromkeys((2, 18, 19, 20, 21), "authority"),
    9: "early",
    10: "late",
    **dict.fromkeys((62, 64), "name"),
}
# What OpenSSL calls an alert that the other side sent, or what it cannot read.
REASONS: dict[str, Kind] = {
    "CERTIFICATE_REQUIRED": "asked",
    "ALERT_HANDSHAKE_FAILURE": "asked",  # TLS 1.2 has no word of its own for it
    "ALERT_CERTIFICATE": "ours",
    "ALERT_BAD_CERTIFICATE": "ours",
    "ALERT_UNKNOWN_CA": "ours",
    "ALERT_ACCESS_DENIED": "ours",
    "WRONG_VERSION_NUMBER": "plain",
    "UNEXPECTED_EOF": "plain",
    "HTTP_REQUEST": "plain",
    "PACKET_LENGTH_TOO_LONG": "plain",
    "RECORD_LAYER_FAILURE": "plain",
    "HANDSHAKE_OPERATION_TIMED_OUT": "plain",  # the other side waits for something else
}


@dataclass(frozen=True)
class Trust:
    """The authorities in `ca` that may vouch for a server (None: those of this computer), and our own `certificate` with its `key`."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Return what a connection is checked with, TLS 1.2 or later; raises InputError for a file that cannot be used."""
        # With authorities of our own no others are believed.
        context = ssl.create_default_context() if self.ca is None else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        assert context.check_hostname and context.verify_mode is ssl.CERT_REQUIRED, "nobody is believed unchecked"
        self.read(context)
        return context

    def read(self, context: ssl.SSLContext) -> None:
        """Read the files into a context, which may have read them before; raises InputError."""
        if self.ca is not None:
            _require_readable(self.ca, "the authority's certificate", "ca")
            try:
                context.load_verify_locations(self.ca)
            except (ssl.SSLError, OSError) as error:
                raise InputError(f"{self.ca} holds no certificate", "[broker] ca is a PEM file, with -----BEGIN CERTIFICATE-----") from error
        if self.certificate is not None:
            _require_readable(self.certificate, "this gate's certificate", "certificate")
            _require_readable(self.key or self.certificate, "the key of this gate's certificate", "key")
            try:
                context.load_cert_chain(self.certificate, self.key, password=_no_passphrase)
            except (ssl.SSLError, OSError) as error:
                raise InputError(
                    f"{self.certificate} and {self.key} are not a certificate and its key: {_reason(error)}",
                    "both are PEM files, and the key is the one that the certificate was made with",
                ) from error


def _require_readable(path: Path, what: str, key: str) -> None:
    """Raise InputError unless a file can be read; OpenSSL would not say which one it was."""
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise InputError(f"{what} cannot be read from {path}: {error.strerror or error}", f"correct [broker] {key}, or put the file there") from error


def _no_passphrase() -> str:
    """Refuse a key with a passphrase: OpenSSL would ask for it on the terminal, at a gate that nobody watches."""
    raise InputError("the key of this gate's certificate has a passphrase", "take it away: openssl pkey -in KEY -out KEY.plain; chmod 600 KEY.plain")


def kind_of(error: BaseException | str) -> Kind:
    """Say what kind of failure of a TLS connection this is; a text is what OpenSSL or paho wrote of it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return VERIFY.get(error.verify_code, "other")
    if isinstance(error, ConnectionResetError | ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "plain"
    text = f"{getattr(error, 'reason', None) or error}".upper().replace(" ", "_")
    return next((kind for word, kind in REASONS.items() if word in text), "other")


def words_of(error: BaseException) -> str:
    """Say on one line what failed, in OpenSSL's own words where it has any that a person can read."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message.rstrip('.')}"
    if isinstance(error, ssl.SSLError | ConnectionResetError | TimeoutError) and kind_of(error) == "plain":
        return "it does not speak TLS there, or not in time" if isinstance(error, TimeoutError) else "it does not speak TLS there"
    return _reason(error) if isinstance(error, ssl.SSLError) else _plain(error)


def _reason(error: BaseException) -> str:
    """Return OpenSSL's word for it, as in `key values mismatch`."""
    reason = getattr(error, "reason", None)
    return str(reason).lower().replace("_", " ") if reason else _plain(error)


def _plain(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0][:200]
