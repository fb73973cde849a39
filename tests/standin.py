"""A deployment in miniature behind HTTP, for whole programs to talk to: a platform's API, and Keystone beside it.

Objects are kept as they are given, nothing runs, and what is deleted comes back if it ``heals``. What must be seen of a
real deployment is for the lab.
"""

from __future__ import annotations

import http.server
import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

_SPACES = ("openstack", "openstack-operators", "kube-system")
_CUSTOM = {"openstackcontrolplanes": "OpenStackControlPlane"}
_GROUP = "core.openstack.org"


class Standin(http.server.ThreadingHTTPServer):
    """One platform with one control plane, a workload of three instances, and a Keystone."""

    daemon_threads = True

    def __init__(self, *, heals: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.heals = heals
        self._uids = itertools.count(1)
        self.lock = threading.Lock()
        self.objects: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.changed: list[tuple[str, str]] = []
        """What was asked of it that was no question."""
        for space in _SPACES:
            self.put("namespaces", "", {"kind": "Namespace", "metadata": {"name": space}})
        self.put("openstackcontrolplanes", "openstack", {"metadata": {"name": "controlplane"}, "spec": {}})
        ways_in = {"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}]}}
        self.put("services", "openstack", {"metadata": {"name": "keystone-public"}, "spec": {}, "status": ways_in})
        self._workload("memcached", 3)

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def put(self, plural: str, space: str, manifest: dict[str, Any]) -> dict[str, Any]:
        """Keep an object."""
        metadata = manifest["metadata"]
        metadata["uid"] = metadata.get("uid") or f"uid-{next(self._uids)}"
        metadata["resourceVersion"] = str(next(self._uids))
        if space:
            metadata["namespace"] = space
        self.objects[plural, space, metadata["name"]] = manifest
        return manifest

    def _workload(self, name: str, count: int) -> None:
        labels = {"app": name, "service": name}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": name, "image": "i"}]}}
        spec = {"replicas": count, "selector": {"matchLabels": labels}, "template": template}
        made = self.put(
            "statefulsets",
            "openstack",
            {"metadata": {"name": name, "labels": labels}, "spec": spec, "status": {"readyReplicas": count}},
        )
        owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": name, "uid": made["metadata"]["uid"]}
        for number in range(count):
            status = {
                "phase": "Running",
                "podIP": f"10.0.0.{number + 1}",
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [{"name": name, "ready": True, "restartCount": 0, "containerID": f"c://{number}"}],
            }
            metadata = {
                "name": f"{name}-{number}",
                "labels": labels,
                "ownerReferences": [{**owner, "controller": True}],
            }
            spec = {"nodeName": f"node-{number}", "containers": [{"name": name, "image": "i"}]}
            self.put("pods", "openstack", {"metadata": metadata, "spec": spec, "status": status})

    def target(self, folder: Path, *, grant: str = "observe") -> Path:
        """Write down how it is reached, and return the target file."""
        cluster = {"name": "k", "cluster": {"server": self.url}}
        kubeconfig = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
            "clusters": [cluster],
            "users": [{"name": "u", "user": {"token": "t"}}],
        }
        auth = {"auth_url": f"{self.url}/v3", "username": "admin", "password": "p", "project_name": "admin"}
        domains = {"user_domain_name": "Default", "project_domain_name": "Default"}
        clouds = {"clouds": {"standin": {"auth": {**auth, **domains}, "region_name": "regionOne"}}}
        target = {
            "name": "standin",
            "kubernetes": {"kubeconfig": "kubeconfig", "context": "c"},
            "cloud": {"clouds_yaml": "clouds.yaml", "name": "standin"},
            "grant": grant,
            "budgets": {"repair": 1, "proof": 1, "operator_reconcile": 1},
        }
        folder.mkdir(parents=True, exist_ok=True)
        for name, document in (("kubeconfig", kubeconfig), ("clouds.yaml", clouds), ("target.yaml", target)):
            (folder / name).write_text(yaml.safe_dump(document), encoding="utf-8")
        return folder / "target.yaml"


@contextmanager
def serving(*, heals: bool = True) -> Iterator[Standin]:
    """Let one listen inside the block."""
    server = Standin(heals=heals)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Standin
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/v3"):
            self._keystone(path)
        elif path in ("/api", "/apis"):
            self._say(200, _discovery() if path == "/apis" else {"kind": "APIGroupDiscoveryList", "items": []})
        else:
            self._objects(path)

    def do_POST(self) -> None:
        body = self._body()
        if self.path.startswith("/v3/auth/tokens"):
            token = {"token": {"methods": ["password"], "expires_at": "2099-01-01T00:00:00.000000Z", **self._catalog()}}
            self._say(201, token, {"X-Subject-Token": "token"})
        elif "accessreviews" in self.path or "subjectreviews" in self.path:
            self._say(201, {**body, "status": {"allowed": True, "userInfo": {"username": "standin"}}})
        else:
            self.server.changed.append(("POST", self.path))
            plural, space, _ = _place(self.path)
            with self.server.lock:
                self._say(201, self.server.put(plural, space, body))

    def do_PATCH(self) -> None:
        self._change(self._body())

    def do_PUT(self) -> None:
        self._change(self._body())

    def do_DELETE(self) -> None:
        self._body()
        self._change(None)

    def _change(self, body: dict[str, Any] | None) -> None:
        self.server.changed.append((self.command, self.path))
        place = _place(self.path)
        with self.server.lock:
            found = self.server.objects.get(place)
            if found is None:
                self._say(404, {"message": "not found"})
                return
            if body is None:
                del self.server.objects[place]
                if self.server.heals:
                    self.server.put(*place[:2], {**found, "metadata": {**found["metadata"], "uid": None}})
            else:
                _merge(found, body)
            self._say(200, found)

    def _objects(self, path: str) -> None:
        plural, space, name = _place(path)
        with self.server.lock:
            if name:
                found = self.server.objects.get((plural, space, name))
                self._say(200 if found else 404, found or {"message": "not found"})
                return
            listed = [m for (p, s, _), m in self.server.objects.items() if p == plural and space in ("", s)]
            self._say(200, {"kind": "List", "metadata": {}, "items": listed})

    def _keystone(self, path: str) -> None:
        if path.rstrip("/") == "/v3":
            version = {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": f"{self.server.url}/v3/"}]}
            self._say(200, {"version": version})
        elif path == "/v3/auth/catalog":
            self._say(200, self._catalog())
        elif not self.headers.get("X-Auth-Token"):
            self._say(401, {"error": {"code": 401, "message": "no token"}})
        else:
            self._say(200, {path.rsplit("/", 1)[-1]: []})

    def _catalog(self) -> dict[str, Any]:
        at = {"interface": "public", "region": "regionOne", "region_id": "regionOne", "url": f"{self.server.url}/v3"}
        return {"catalog": [{"id": "s", "type": "identity", "name": "keystone", "endpoints": [{"id": "e", **at}]}]}

    def _body(self) -> dict[str, Any]:
        read = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.loads(read or b"{}")
        return body if isinstance(body, dict) else {}

    def _say(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        said = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _merge(found: dict[str, Any], patch: dict[str, Any]) -> None:
    """Merge a patch into an object (RFC 7386)."""
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, dict) and isinstance(found.get(key), dict):
            _merge(found[key], value)
        else:
            found[key] = value


def _place(path: str) -> tuple[str, str, str]:
    """Return kind, namespace and name of what a path is about; the last two are empty where it names none."""
    parts = [part for part in path.partition("?")[0].split("/") if part]
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    if rest[0] == "namespaces" and len(rest) > 2:
        return rest[2], rest[1], rest[3] if len(rest) > 3 else ""
    return rest[0], "", rest[1] if len(rest) > 1 else ""


def _discovery() -> dict[str, Any]:
    resources = [{"resource": p, "responseKind": {"kind": k}, "scope": "Namespaced"} for p, k in _CUSTOM.items()]
    group = {"metadata": {"name": _GROUP}, "versions": [{"version": "v1beta1", "resources": resources}]}
    return {"kind": "APIGroupDiscoveryList", "items": [group]}
