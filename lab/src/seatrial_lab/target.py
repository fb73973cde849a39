"""The documents that tell a harness how to reach the lab: its only contract with the lab, besides the wire."""

from __future__ import annotations

import base64
from pathlib import Path

import yaml

from seatrial_lab.host.certificates import write_private
from seatrial_lab.platform.apply import Kubectl


def write(state: Path, kubectl: Kubectl) -> None:
    """Write ``clouds.yaml`` and ``target.yaml`` from what the deployment publishes of itself."""
    secret = kubectl.get("secret", "osp-secret", "-n", "openstack")["data"]["AdminPassword"]
    service = kubectl.get("service", "keystone-public", "-n", "openstack")
    address = service["status"]["loadBalancer"]["ingress"][0]["ip"]
    port = service["spec"]["ports"][0]["port"]
    entry = {
        "auth": {
            "auth_url": f"http://{address}:{port}/v3",
            "username": "admin",
            "password": base64.b64decode(secret).decode(),
            "project_name": "admin",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        },
        "region_name": "regionOne",
        "interface": "public",
        "identity_api_version": 3,
    }
    write_private(state / "clouds.yaml", yaml.safe_dump({"clouds": {"seatrial-lab": entry}}).encode())
    document = {
        "name": "lab",
        "kubernetes": {"kubeconfig": str(state / "admin.kubeconfig"), "context": "seatrial-lab"},
        "cloud": {"clouds_yaml": str(state / "clouds.yaml"), "name": "seatrial-lab"},
        "grant": "disrupt",
        "namespaces": {"control_plane": "openstack", "operators": "openstack-operators"},
        "profile": "production",
        "limits": {"max_down": {"*": 1}, "protected": []},
    }
    head = "# How to reach the lab on this machine. A person writes the same by hand for a cloud of their own.\n"
    (state / "target.yaml").write_text(head + yaml.safe_dump(document, sort_keys=False))
