"""The lab's own SSH keys: made when first asked for, one pair a purpose."""

from __future__ import annotations

from pathlib import Path

from seatrial_lab.host import shell

ANSIBLE, MIGRATION = "ansible", "nova-migration"


def pair(state: Path, purpose: str) -> tuple[str, str]:
    """Return the private and the public key of a purpose."""
    key = state / "pki" / f"ssh-{purpose}"
    if not key.exists():
        shell.call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", purpose, "-f", key)
    return key.read_text(), key.with_suffix(".pub").read_text().strip()


def public_key(state: Path, purpose: str = ANSIBLE) -> str:
    """Return the public key of a purpose: what a machine lets in."""
    return pair(state, purpose)[1]
