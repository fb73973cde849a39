"""What a person writes wrong in a target is told before anything is contacted, all of it at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from seatrial.entry.target import load_target
from seatrial.model.errors import BadInput
from seatrial.model.target import Grant


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a folder with a kubeconfig and a clouds.yaml beside each other."""
    certificate(tmp_path / "admin.pem", days=30)
    kubeconfig = {
        "current-context": "lab",
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "admin"}}],
        "clusters": [{"name": "lab", "cluster": {"server": "https://192.0.2.1:6443"}}],
        "users": [{"name": "admin", "user": {"client-certificate": "admin.pem"}}],
    }
    clouds = {"clouds": {"lab": {"auth": {"auth_url": "http://192.0.2.2:5000/v3"}}}}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    (tmp_path / "clouds.yaml").write_text(yaml.safe_dump(clouds))
    return tmp_path


def certificate(path: Path, *, days: int) -> None:
    """Write a self-signed certificate that expires this many days from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "admin")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))


def written(place: Path, text: str) -> Path:
    """Write a target file and return its path."""
    path = place / "target.yaml"
    path.write_text(text)
    return path


GOOD = """\
name: lab
kubernetes: {kubeconfig: kubeconfig}
cloud: {clouds_yaml: clouds.yaml, name: lab}
"""


def told(place: Path, text: str) -> list[str]:
    """Return what is said about a target that is not accepted, one line a problem."""
    with pytest.raises(BadInput) as caught:
        load_target(written(place, text))
    return [str(problem) for problem in caught.value.problems]


def test_a_small_target_is_enough(place: Path) -> None:
    """Three lines say all that is needed; the rest has careful defaults, and paths are relative to the file."""
    target = load_target(written(place, GOOD))
    assert target.grant is Grant.OBSERVE
    assert target.kubernetes.kubeconfig == ((place / "kubeconfig").resolve(),)
    assert target.limits.allowed("anything") == 1


def test_everything_wrong_is_told_at_once_with_line_and_nearest_name(place: Path) -> None:
    """Each problem has its own line, in the file's order, and names what was probably meant."""
    lines = told(
        place,
        "name: Lab One\n"
        "kubernetes: {kubeconfig: kubeconfig, contxt: lab}\n"
        "cloud: {clouds_yaml: clouds.yaml, name: laf}\n"
        "grant: disupt\n"
        "budgets: {failver: 3, repair: -1}\n"
        "limits: {max_down: {galera: many}}\n",
    )
    assert len(lines) == 7
    wanted = ["line 1", "contxt", "'lab'", "'disrupt'", "'failover'", "repair", "max_down.galera"]
    assert all(word in line for word, line in zip(wanted, lines, strict=True))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "empty document"),
        ("- a\n- b\n", "a mapping"),
        ("name: [\n", "line 2"),
        ("name: lab\nname: lab\n", "again"),
        (GOOD.replace("kubeconfig: kubeconfig", "kubeconfig: nowhere"), "No such file"),
        (GOOD.replace("kubeconfig: kubeconfig", "kubeconfig: kubeconfig, context: lob"), "did you mean 'lab'"),
        (GOOD.replace("clouds.yaml,", "kubeconfig,"), "no clouds in it"),
        (GOOD + "waivers: [{requirement: DB-55, reason: r, owner: o, expires: 2030-01-01}]\n", "DB-5"),
        (GOOD + "budgets: {failover: .inf}\n", "seconds, more than 0"),
        (GOOD + "grant: true\n", "observe, mutate, disrupt"),
    ],
)
def test_bad_targets_are_refused_in_one_clear_line(place: Path, text: str, word: str) -> None:
    """Each says where, what was found and what is accepted."""
    assert any(word in line for line in told(place, text)), told(place, text)


def test_an_expired_client_certificate_is_found_without_contact(place: Path) -> None:
    """The address in the kubeconfig leads nowhere: only the file was looked at."""
    certificate(place / "admin.pem", days=-1)
    [line] = told(place, GOOD)
    assert "expired on" in line


def test_a_certificate_that_is_not_one_is_told(place: Path) -> None:
    """A torn certificate file is no reason for a traceback."""
    (place / "admin.pem").write_text("-----BEGIN CERTIFICATE-----\nabc")
    [line] = told(place, GOOD)
    assert "no certificate" in line


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """The message says what to do."""
    with pytest.raises(BadInput, match="seatrial-lab target"):
        load_target(tmp_path / "none.yaml")
