"""The one image of the lab, made by hand: no registry and no image build is needed."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

from seatrial_lab.topology import IMAGE

MOUNTED = ("opt/lab/bin", "opt/lab/pods", "opt/lab/openstack", "opt/lab/ansible", "opt/lab/src")
SYSTEM = ("usr", "etc", "lib", "lib64", "bin", "sbin", "proc", "sys", "dev", "tmp", "run", "root")
FOLDERS = (*SYSTEM, "var", "var/lib", "var/log", "var/tmp", "opt", "opt/lab", *MOUNTED)
COPIED = ("/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/alternatives")
"""Accounts, and the links by which Debian chooses between programs of one name (awk, ovs-vswitchd)."""
SEARCH = "/opt/lab/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def write(to: Path) -> None:
    """Write an image archive with empty folders, the machine's account names, and a static init as pause program."""
    layer = _layer()
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Entrypoint": ["/pause", "-P"], "Env": [f"PATH={SEARCH}", "LANG=C.UTF-8"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }
    ).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [IMAGE], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(to, "w") as archive:
        for name, data in (("layer.tar", layer), (config_name, config), ("manifest.json", manifest)):
            item = tarfile.TarInfo(name)
            item.size = len(data)
            archive.addfile(item, io.BytesIO(data))


def _layer() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as layer:
        for folder in FOLDERS:
            item = tarfile.TarInfo(folder)
            item.type = tarfile.DIRTYPE
            item.mode = 0o1777 if folder in ("tmp", "var/tmp") else 0o755
            layer.addfile(item)
        for source in COPIED:
            layer.add(source, arcname=source[1:])
        layer.add("/usr/bin/catatonit", arcname="pause")
    return buffer.getvalue()
