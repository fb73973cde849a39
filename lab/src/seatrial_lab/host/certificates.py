"""The lab's own certificate authority, and a certificate for each of its programs."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PEM = serialization.Encoding.PEM
LIFE = dt.timedelta(days=30)


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only root may read, at no moment otherwise."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)


class Authority:
    """A certificate authority in a folder: ``NAME.crt`` and ``NAME.key`` for each name that is asked for."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self.name = name
        self._key = self._new_key(name)
        self._subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"seatrial-lab {name}")])
        self._write(name, self._subject, self._key, [], is_authority=True)

    @property
    def certificate(self) -> Path:
        """Return the authority's own certificate file."""
        return self.folder / f"{self.name}.crt"

    def issue(self, name: str, *, user: str, group: str | None = None, hosts: Iterable[str] = ()) -> None:
        """Issue a certificate and its key; ``user`` and ``group`` are who Kubernetes takes its holder for."""
        names = [x509.NameAttribute(NameOID.COMMON_NAME, user)]
        if group:
            names.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
        self._write(name, x509.Name(names), self._new_key(name), list(hosts), is_authority=False)

    def _new_key(self, name: str) -> ec.EllipticCurvePrivateKey:
        key = ec.generate_private_key(ec.SECP256R1())
        clear = serialization.NoEncryption()
        form = serialization.PrivateFormat.PKCS8
        write_private(self.folder / f"{name}.key", key.private_bytes(PEM, form, clear))
        return key

    def _write(
        self, name: str, subject: x509.Name, key: ec.EllipticCurvePrivateKey, hosts: list[str], *, is_authority: bool
    ) -> None:
        now = dt.datetime.now(dt.UTC)
        built = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=5))
            .not_valid_after(now + LIFE)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if not is_authority:
            uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            built = built.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        if hosts:
            built = built.add_extension(x509.SubjectAlternativeName([_host(h) for h in hosts]), critical=False)
        (self.folder / f"{name}.crt").write_bytes(built.sign(self._key, hashes.SHA256()).public_bytes(PEM))


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def signing_pair(folder: Path, name: str) -> None:
    """Write a key pair (``NAME.key``, ``NAME.pub``) for service account tokens."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_private(folder / f"{name}.key", private)
    public = key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (folder / f"{name}.pub").write_bytes(public)
