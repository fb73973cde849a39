"""The first contact tells apart who has to act; a small server on this machine gives the platform's answers."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from seatrial.clients.deployment import Deployment
from seatrial.engine.preflight import State, examine, require
from seatrial.engine.session import Session
from seatrial.entry.cli import main
from seatrial.entry.exit_status import Exit
from seatrial.entry.target import load_target
from seatrial.model.errors import BadInput, Unreachable
from seatrial.model.target import Grant

_GROUPS = "/apis"
pytestmark = pytest.mark.filterwarnings("ignore:Support for InfluxDB")  # openstacksdk, about its own future


class Platform(http.server.ThreadingHTTPServer):
    """Answers as a platform's API does, from a table of paths."""

    def __init__(self) -> None:
        self.status = 200
        self.allowed = True
        self.kinds = [("core.openstack.org", "OpenStackControlPlane", "openstackcontrolplanes")]
        self.namespaces = ["openstack", "openstack-operators"]
        self.control_planes = ["controlplane"]
        super().__init__(("127.0.0.1", 0), Answers)

    def answer(self, path: str) -> tuple[int, dict[str, Any]]:
        """Return status and body for a path."""
        path, _, _ = path.partition("?")
        if self.status != 200:
            return self.status, {"message": "no"}
        if path.endswith("selfsubjectaccessreviews"):
            return 201, {"status": {"allowed": self.allowed}}
        if path == "/api/v1/namespaces":
            return 200, {"items": [{"metadata": {"name": name}} for name in self.namespaces]}
        if path.startswith("/api/v1/namespaces/"):
            return (200 if path.rpartition("/")[2] in self.namespaces else 404), {"message": "not found"}
        if path in ("/api", _GROUPS):
            return 200, {"kind": "APIGroupDiscoveryList", "items": self.groups() if path == _GROUPS else []}
        return 200, {"items": [{"metadata": {"name": name}} for name in self.control_planes]}

    def groups(self) -> list[dict[str, Any]]:
        """Return the custom kinds in the form of aggregated discovery."""
        return [
            {
                "metadata": {"name": group},
                "versions": [
                    {
                        "version": "v1beta1",
                        "resources": [{"resource": plural, "responseKind": {"kind": kind}, "scope": "Namespaced"}],
                    }
                ],
            }
            for group, kind, plural in self.kinds
        ]


class Answers(http.server.BaseHTTPRequestHandler):
    """Sends what the platform answers."""

    server: Platform

    def do_GET(self) -> None:
        status, body = self.server.answer(self.path)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def platform() -> Iterator[Platform]:
    """Return a platform that has an OpenStack on it."""
    with Platform() as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield web
        web.shutdown()


def target_file(folder: Path, port: int, grant: str = "observe") -> Path:
    """Write a target that leads to this port; its cloud leads nowhere."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        closed = nobody.getsockname()[1]
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {"token": "t0p-s3cret"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    auth = {"auth_url": f"http://127.0.0.1:{closed}/v3", "username": "a", "password": "s3cret-pw", "project_name": "p"}
    (folder / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    (folder / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {"lab": {"auth": auth}}}))
    path = folder / "target.yaml"
    document = {
        "name": "lab",
        "kubernetes": {"kubeconfig": "kubeconfig", "context": "x"},
        "cloud": {"clouds_yaml": "clouds.yaml", "name": "lab"},
        "grant": grant,
        "budgets": {"proof": 0.1},
    }
    path.write_text(yaml.safe_dump(document))
    return path


def refusal(path: Path, needed: Grant = Grant.OBSERVE) -> str:
    """Return what a trial of this target is refused with."""
    with Deployment(load_target(path)) as deployment, pytest.raises(BadInput) as caught:
        require(deployment, needed)
    return str(caught.value)


def test_a_platform_that_does_not_answer_is_unreachable(
    tmp_path: Path, platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing could be seen: that is the environment's fault, and the status for it is 2."""
    path = target_file(tmp_path, platform.server_address[1])
    platform.shutdown()
    platform.server_close()
    with Deployment(load_target(path)) as deployment, pytest.raises(Unreachable, match="kubeconfig"):
        require(deployment, Grant.OBSERVE)
    assert main(["discover", "--target", str(path)]) == Exit.INCONCLUSIVE
    told = capsys.readouterr().err
    assert "Traceback" not in told
    assert "t0p-s3cret" not in told


def test_refused_credentials_are_the_targets_fault(tmp_path: Path, platform: Platform) -> None:
    """A platform that does not accept the kubeconfig's account: its writer must act."""
    platform.status = 401
    assert "does not accept the credentials" in refusal(target_file(tmp_path, platform.server_address[1]))


def test_a_missing_grant_is_told_before_the_platform_is_asked(tmp_path: Path, platform: Platform) -> None:
    """What the plan needs and what the owner grants, side by side."""
    told = refusal(target_file(tmp_path, platform.server_address[1], grant="mutate"), Grant.DISRUPT)
    assert "grant: found mutate; accepted: disrupt" in told


def test_a_missing_namespace_is_told_with_the_nearest(tmp_path: Path, platform: Platform) -> None:
    """The namespaces that there are, and the one that was probably meant."""
    platform.namespaces = ["openstack-1", "openstack-operators"]
    told = refusal(target_file(tmp_path, platform.server_address[1]))
    assert "no namespace 'openstack'" in told
    assert "did you mean 'openstack-1'" in told


def test_a_cluster_without_openstack_is_told(tmp_path: Path, platform: Platform) -> None:
    """A kubeconfig for something else gets a message that says so."""
    platform.kinds = []
    assert "no OpenStack" in refusal(target_file(tmp_path, platform.server_address[1]))
    platform.kinds = [("core.openstack.org", "OpenStackControlPlane", "openstackcontrolplanes")]
    platform.control_planes = []
    assert "no OpenStackControlPlane in namespace" in refusal(target_file(tmp_path, platform.server_address[1]))


def test_what_may_not_be_read_limits_a_trial_but_does_not_stop_it(tmp_path: Path, platform: Platform) -> None:
    """Missing permissions and a silent cloud are told; what needs them will be inconclusive."""
    platform.allowed = False
    with Deployment(load_target(target_file(tmp_path, platform.server_address[1]))) as deployment:
        findings = {finding.what: finding for finding in examine(deployment, Grant.OBSERVE)}
    denied = findings["may look inside pods (sockets, database, broker)"]
    assert denied.state is State.LIMITED
    assert "get, create pods/exec in openstack; get, create pods/exec in openstack-operators" in denied.message
    assert findings["cloud"].state is State.LIMITED
    assert "s3cret-pw" not in findings["cloud"].message
    assert findings["control plane"].state is State.OK


def test_a_refused_trial_leaves_no_folder(tmp_path: Path, platform: Platform) -> None:
    """Nothing is written before the target was looked at."""
    target = load_target(target_file(tmp_path, platform.server_address[1]))
    with pytest.raises(BadInput):
        Session.open(target, suite="resilience", seed=1, out=tmp_path / "reports", grant=Grant.DISRUPT)
    assert not (tmp_path / "reports").exists()
