"""A compute node: a machine outside the cluster, as namespaces of its own on a disk of its own.

Its network namespace is a cabled machine's like any other (`host.network`). The rest of it lives as long as it is
switched on: mount, PID, UTS and IPC namespaces, an init, and runit's services. Its disk is a folder that outlives that.
The machine's `/usr` and the lab's programs are borrowed, read-only.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from seatrial_lab.errors import LabError
from seatrial_lab.host import process, shell
from seatrial_lab.host.supervisor import MARK
from seatrial_lab.topology import ComputeNode

BOOT = Path(__file__).parent / "boot.sh"
OWN = ("etc/boot.d", "etc/service/sshd", "etc/ssh", "root/.ssh", "home", "var/lib", "var/log", "var/tmp", "srv", "mnt")
MADE_AT_BOOT = ("usr", "proc", "sys", "dev", "run", "tmp")
INTO_USR = ("bin", "sbin", "lib", "lib64")
COPIED = (
    *("passwd", "group", "nsswitch.conf", "protocols", "services", "localtime", "alternatives", "profile"),
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ssl/openssl.cnf", "ssl/certs", "iproute2"),
)
"""What programs under /usr expect to find in /etc."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
STOP_S = 20.0
SSHD = """\
ListenAddress {address}
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PrintMotd no
MaxStartups 100
Subsystem sftp internal-sftp
"""


def disk(state: Path, node: ComputeNode) -> Path:
    """Return the folder that is a machine's disk."""
    return state / "machines" / node.name


def install(state: Path, node: ComputeNode, key: str) -> None:
    """Write a machine's disk as an installer would leave it: a root that `key` opens through sshd, and nothing else."""
    root = disk(state, node)
    for name in (*OWN, *MADE_AT_BOOT):
        (root / name).mkdir(parents=True)
    for name in INTO_USR:
        (root / name).symlink_to(f"usr/{name}")
    (root / "var/run").symlink_to("/run")
    etc = root / "etc"
    for name in COPIED:
        source = Path("/etc") / name
        if source.is_dir():
            shutil.copytree(source, etc / name, symlinks=True)
        elif source.exists():
            (etc / name).parent.mkdir(exist_ok=True)
            shutil.copy(source, etc / name)
    users = [line.split(":")[0] for line in (etc / "passwd").read_text().splitlines()]
    _write(etc / "shadow", "".join(f"{user}:*:19000:0:99999:7:::\n" for user in users), 0o600)
    _write(etc / "hostname", f"{node.name}\n")
    _write(etc / "hosts", f"127.0.0.1 localhost\n{node.address} {node.name}\n")
    _write(etc / "resolv.conf", "")
    _write(etc / "machine-id", f"{uuid.uuid4().hex}\n", 0o444)
    _write(etc / "ssh/sshd_config", SSHD.format(address=node.address))
    shell.call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", node.name, "-f", etc / "ssh/ssh_host_ed25519_key")
    _write(root / "root/.ssh/authorized_keys", f"{key}\n", 0o600)
    for folder in ("root", "root/.ssh"):
        (root / folder).chmod(0o700)
    for folder in ("var/tmp",):
        (root / folder).chmod(0o1777)
    _write(etc / "service/sshd/run", "#!/bin/sh\nexec 2>&1\nexec /usr/sbin/sshd -D -e\n", 0o755)


def _write(file: Path, text: str, mode: int = 0o644) -> None:
    file.write_text(text)
    file.chmod(mode)


def start(state: Path, node: ComputeNode, borrowed: Mapping[str, Path]) -> None:
    """Switch a machine on for the first time; from then on it comes back whenever it ends.

    ``borrowed``: where in the machine a folder of ours appears, read-only.
    """
    root = disk(state, node)
    for where in borrowed:
        (root / where[1:]).mkdir(parents=True, exist_ok=True)
    folders = [f"{what}:{where}" for where, what in borrowed.items()]
    clean = ["env", "-i", f"{MARK}={state}", f"PATH={PATH}", "LANG=C.UTF-8", "HOME=/root"]
    apart = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child=SIGKILL"]
    process.keep(
        state, node.name, [*clean, *apart, "/bin/sh", BOOT, root, node.name, *folders], namespace=node.namespace
    )


def init_of(state: Path, node: ComputeNode) -> int | None:
    """Return the machine's process 1, as the machine that hosts it numbers it; None while it is off."""
    with contextlib.suppress(OSError, ValueError):
        outer = int((state / "pids" / node.name).read_text().split()[0])
        argv = Path(f"/proc/{outer}/cmdline").read_bytes().split(b"\0")
        # Unshare outlives its child for a moment, and is there a moment before it.
        children = Path(f"/proc/{outer}/task/{outer}/children").read_text().split()
        if argv[0] == b"unshare" and children:
            return int(children[0])
    return None


def off(state: Path, node: ComputeNode) -> None:
    """Shut a machine down, cleanly; it stays off."""
    unit = state / "units" / f"{node.name}.json"
    if unit.exists():
        unit.rename(unit.with_suffix(".off"))
    reboot(state, node)
    process.look_again(state)


def on(state: Path, node: ComputeNode) -> None:
    """Switch on a machine that was shut down."""
    unit = state / "units" / f"{node.name}.json"
    with contextlib.suppress(FileNotFoundError):
        unit.with_suffix(".off").rename(unit)
    process.look_again(state)


def reboot(state: Path, node: ComputeNode) -> None:
    """Shut a machine down, cleanly: its services are stopped first. The supervisor starts it again."""
    _end(state, node, signal.SIGTERM)


def reset(state: Path, node: ComputeNode) -> None:
    """Take a machine's power away for a moment: no service is told."""
    _end(state, node, signal.SIGKILL)


def _end(state: Path, node: ComputeNode, how: signal.Signals) -> None:
    init = init_of(state, node)
    if init is None:
        return
    os.kill(init, how)
    deadline = time.monotonic() + STOP_S
    while init_of(state, node) == init:
        if time.monotonic() > deadline:
            msg = f"{node.name} did not shut down within {STOP_S:.0f} s"
            raise LabError(msg)
        time.sleep(0.05)


def entered(state: Path, node: ComputeNode) -> list[str]:
    """Return the command that runs what follows it inside a machine."""
    init = init_of(state, node)
    if init is None:
        msg = f"{node.name} is off; switch it on with: seatrial-lab node {node.name} on"
        raise LabError(msg)
    clean = [
        "env",
        "-C",
        "/root",
        "-i",
        f"PATH={PATH}",
        "HOME=/root",
        "LANG=C.UTF-8",
        f"TERM={os.environ.get('TERM', 'dumb')}",
    ]
    return [
        "nsenter",
        f"--target={init}",
        "--mount",
        "--pid",
        "--uts",
        "--ipc",
        "--net",
        "--root",
        "--wd=/root",
        *clean,
    ]
