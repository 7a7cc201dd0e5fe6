"""An authority of a test's own, and the certificates that it signs: good ones, expired ones, ones for another name."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _other(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write_key(key: ec.EllipticCurvePrivateKey, path: Path, passphrase: bytes = b"") -> None:
    shut = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, shut))


class Authority:
    """Signs certificates in a folder; `ca` is its own, which others are told to believe."""

    def __init__(self, folder: Path, name: str = "gates of a test") -> None:
        self.folder, self._name = folder, _name(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.ca = folder / f"{name.replace(' ', '-')}.crt"
        self._public = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        self.ca.write_bytes(self._signed(self._name, self._key.public_key(), (-1, 30), authority=True))

    def issue(
        self, name: str, *others: str, days: tuple[float, float] = (-1, 30), client: bool = False, passphrase: bytes = b""
    ) -> tuple[Path, Path]:
        """Return the files of a certificate for a name and its other names, good from and until so many days from now, and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate, secret = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        certificate.write_bytes(self._signed(_name(name), key.public_key(), days, others, client=client))
        _write_key(key, secret, passphrase)
        return certificate, secret

    def _signed(
        self,
        subject: x509.Name,
        public: ec.EllipticCurvePublicKey,
        days: tuple[float, float],
        others: tuple[str, ...] = (),
        *,
        client: bool = False,
        authority: bool = False,
    ) -> bytes:
        now = datetime.now(UTC)
        usage = x509.KeyUsage(not authority, False, False, False, False, authority, authority, False, False)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + days[0] * DAY)
            .not_valid_after(now + days[1] * DAY)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self._public), critical=False)
        )
        if others:
            builder = builder.add_extension(x509.SubjectAlternativeName([_other(name) for name in others]), critical=False)
        if not authority:
            purpose = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
