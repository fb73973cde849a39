"""The platform's API: raw JSON in and out, errors by who must act."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

import urllib3
from kubernetes import client as kubernetes_client
from kubernetes.client.rest import ApiException

from seatrial.clients.kube_exec import ExecResult, ExecStream, Wire
from seatrial.clients.kube_exec import run as run_in_pod
from seatrial.clients.kube_login import Login
from seatrial.clients.unanswered import why
from seatrial.model.errors import NotPermitted, SeatrialError, Unreachable
from seatrial.model.known import cut
from seatrial.model.target import Secret, Target

Manifest: TypeAlias = dict[str, Any]
"""A Kubernetes object as JSON; its shape is the platform's affair, not ours."""

_CONNECT_S = 5.0
_READ_S = 30.0
_PAGE = 500


class Rejected(Unreachable):
    """Raised when the platform answered, but refused the request for a reason other than permission."""

    def __init__(self, message: str, status: int) -> None:
        self.status = status
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object and where the platform's API keeps it."""

    name: str
    group: str
    version: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """Return what manifests of this kind say in ``apiVersion``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None, name: str | None = None) -> str:
        """Return the path of the collection, or of one object in it."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        middle = f"/namespaces/{quote(namespace)}" if self.namespaced and namespace else ""
        return f"{root}{middle}/{self.plural}" + (f"/{quote(name)}" if name else "")


_KNOWN = (
    Kind("Pod", "", "v1", "pods"),
    Kind("Service", "", "v1", "services"),
    Kind("Secret", "", "v1", "secrets"),
    Kind("ConfigMap", "", "v1", "configmaps"),
    Kind("ServiceAccount", "", "v1", "serviceaccounts"),
    Kind("PersistentVolumeClaim", "", "v1", "persistentvolumeclaims"),
    Kind("Event", "", "v1", "events"),
    Kind("Node", "", "v1", "nodes", namespaced=False),
    Kind("Namespace", "", "v1", "namespaces", namespaced=False),
    Kind("PersistentVolume", "", "v1", "persistentvolumes", namespaced=False),
    Kind("Deployment", "apps", "v1", "deployments"),
    Kind("StatefulSet", "apps", "v1", "statefulsets"),
    Kind("DaemonSet", "apps", "v1", "daemonsets"),
    Kind("ReplicaSet", "apps", "v1", "replicasets"),
    Kind("Job", "batch", "v1", "jobs"),
    Kind("CronJob", "batch", "v1", "cronjobs"),
    Kind("EndpointSlice", "discovery.k8s.io", "v1", "endpointslices"),
    Kind("Lease", "coordination.k8s.io", "v1", "leases"),
    Kind("PodDisruptionBudget", "policy", "v1", "poddisruptionbudgets"),
)

_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_DISCOVERY = ",".join(
    [f"application/json;g=apidiscovery.k8s.io;v={v};as=APIGroupDiscoveryList" for v in ("v2", "v2beta1")]
    + ["application/json"]
)


class Kube:
    """Reads and changes objects of one cluster, and runs commands in its pods; safe to share between threads."""

    def __init__(self, target: Target) -> None:
        self._login = Login(target.kubernetes)
        self._client = kubernetes_client.ApiClient(configuration=self._login.configuration)
        self._wire = Wire(self._login)
        self._lock = threading.Lock()
        self._kinds: dict[str, Kind] = {kind.name: kind for kind in _KNOWN}
        self._discovered: tuple[Kind, ...] | None = None

    def close(self) -> None:
        """Drop all connections."""
        self._client.close()

    # -- objects ---------------------------------------------------------------------------------------------------

    def list(
        self,
        kind: str,
        *,
        namespace: str | None = None,
        labels: str | None = None,
        fields: str | None = None,
        content: bool = True,
    ) -> list[Manifest]:
        """Return all objects of a kind in one namespace, or in all; ``labels`` and ``fields`` are selectors.

        Without ``content`` only their metadata: what may be confidential in them is not even sent.
        """
        where = self.kind(kind)
        query: dict[str, str | int] = {"limit": _PAGE}
        if labels:
            query["labelSelector"] = labels
        if fields:
            query["fieldSelector"] = fields
        accept = "application/json" if content else _METADATA
        found: list[Manifest] = []
        while True:
            page = self._ask("GET", where.path(namespace), query=query, accept=accept) or {}
            # Items of a list come without these two, or as metadata; an object that travels on must say what it is.
            named = {"apiVersion": where.api_version, "kind": where.name}
            found.extend({**item, **named} for item in page.get("items") or [])
            following = (page.get("metadata") or {}).get("continue")
            if not following:
                return found
            query["continue"] = following

    def get(self, kind: str, name: str, *, namespace: str | None = None) -> Manifest | None:
        """Return one object, or None when there is none of that name."""
        return self._ask("GET", self.kind(kind).path(namespace, name), absent_ok=True)

    def create(self, manifest: Manifest) -> Manifest:
        """Create an object as its manifest says; ``Rejected`` with status 409 when it exists already."""
        where, namespace, _ = self._place(manifest)
        return self._ask("POST", where.path(namespace), body=manifest) or {}

    def replace(self, manifest: Manifest) -> Manifest:
        """Replace an object; with ``metadata.resourceVersion`` only if nobody changed it since it was read."""
        where, namespace, name = self._place(manifest)
        return self._ask("PUT", where.path(namespace, name), body=manifest) or {}

    def patch(self, kind: str, name: str, patch: Mapping[str, Any], *, namespace: str | None = None) -> Manifest:
        """Merge a patch into an object (RFC 7386: null removes, lists are replaced whole)."""
        path = self.kind(kind).path(namespace, name)
        return self._ask("PATCH", path, body=dict(patch), content="application/merge-patch+json") or {}

    def delete(
        self,
        kind: str,
        name: str,
        *,
        namespace: str | None = None,
        grace_s: int | None = None,
        uid: str | None = None,
    ) -> None:
        """Delete an object; absent is fine, and so is, with ``uid``, that another one has taken its name."""
        body: Manifest = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if grace_s is not None:
            body["gracePeriodSeconds"] = grace_s
        if uid is not None:
            body["preconditions"] = {"uid": uid}
        try:
            self._ask("DELETE", self.kind(kind).path(namespace, name), body=body, absent_ok=True)
        except Rejected as refused:
            if uid is None or refused.status != HTTPStatus.CONFLICT:
                raise

    def secret(self, name: str, key: str, *, namespace: str) -> Secret:
        """Return one key of a Secret, wrapped so that it can't be printed."""
        return Secret(self.public_part(name, key, namespace=namespace))

    def public_part(self, name: str, key: str, *, namespace: str) -> str:
        """Return one key of a Secret that is no secret itself: the name of an account, the type of a queue."""
        manifest = self.get("Secret", name, namespace=namespace)
        data = (manifest or {}).get("data") or {}
        if key not in data:
            what = f"key {key!r} in secret {namespace}/{name}" if manifest else f"secret {namespace}/{name}"
            raise Unreachable(f"there is no {what}")
        return base64.b64decode(data[key]).decode()

    # -- kinds -----------------------------------------------------------------------------------------------------

    def kinds(self) -> tuple[Kind, ...]:
        """Return every kind the platform serves now, custom ones included, in the version it prefers."""
        with self._lock:
            if self._discovered is None:
                self._discovered = self._discover()
            return self._discovered

    def kind(self, name: str) -> Kind:
        """Return where a kind is kept: ``Pod``, ``KeystoneAPI``, or ``Kind.group`` where a name is ambiguous."""
        known = self._kinds.get(name)
        if known is not None:
            return known
        wanted, _, group = name.partition(".")
        candidates = [k for k in self.kinds() if k.name == wanted and (not group or k.group == group)]
        if not candidates:
            with self._lock:
                # A CRD may have been added since; look again next time instead of remembering its absence.
                self._discovered = None
            raise Rejected(f"the platform serves no kind {name!r}", HTTPStatus.NOT_FOUND)
        best = min(candidates, key=lambda k: (not k.group.endswith("openstack.org"), k.group))
        self._kinds[name] = best
        return best

    def can_i(self, verb: str, resource: str, namespace: str | None, *, name: str = "") -> bool:
        """Tell whether our own account may do this; ``resource`` as in ``pods``, ``pods/exec``, ``galeras.GROUP``.

        ``name``: to that one object; without it, to any.
        """
        whole, _, subresource = resource.partition("/")
        plural, _, group = whole.partition(".")
        attributes = {"verb": verb, "resource": plural, "group": group, "subresource": subresource}
        if namespace:
            attributes["namespace"] = namespace
        if name:
            attributes["name"] = name
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        answer = self._ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=body) or {}
        return bool((answer.get("status") or {}).get("allowed"))

    # -- commands in pods ------------------------------------------------------------------------------------------

    def exec(
        self,
        pod: str,
        argv: Sequence[str],
        *,
        namespace: str,
        container: str | None = None,
        stdin: bytes | str | None = None,
        timeout_s: float = 30,
    ) -> ExecResult:
        """Run a command in a pod to its end; what ``stdin`` holds is sent and then closed. Needs ``sh`` for stdin."""
        data = stdin.encode() if isinstance(stdin, str) else stdin
        return run_in_pod(
            self._wire, pod, argv, namespace=namespace, container=container, stdin=data, timeout_s=timeout_s
        )

    def stream(self, pod: str, argv: Sequence[str], *, namespace: str, container: str | None = None) -> ExecStream:
        """Start a command in a pod and talk to it line by line until one side ends it."""
        return ExecStream(self._wire, pod, argv, namespace=namespace, container=container)

    # -- below -----------------------------------------------------------------------------------------------------

    def _place(self, manifest: Manifest) -> tuple[Kind, str | None, str]:
        kind = str(manifest["kind"])
        group = str(manifest.get("apiVersion", "")).rpartition("/")[0]
        where = self.kind(kind)
        if where.group != group and group:
            where = self.kind(f"{kind}.{group}")
        metadata = manifest["metadata"]
        return where, metadata.get("namespace"), metadata.get("name", "")

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: Manifest | None = None,
        content: str = "application/json",
        accept: str = "application/json",
        absent_ok: bool = False,
    ) -> Manifest | None:
        headers = {"Accept": accept, "User-Agent": "seatrial"}
        if body is not None:
            headers["Content-Type"] = content
        whole = path + (f"?{urlencode(query)}" if query else "")
        who = self._login.headers()
        status, raw = self._send(method, whole, {**headers, **who}, body)
        if status == HTTPStatus.UNAUTHORIZED and self._login.renew(who):
            status, raw = self._send(method, whole, {**headers, **self._login.headers()}, body)
        if status == HTTPStatus.NOT_FOUND and absent_ok:
            return None
        if status >= HTTPStatus.BAD_REQUEST:
            raise self._refusal(method, path, status, raw)
        return _object(raw, f"{method} {path}")

    def _send(self, method: str, path: str, headers: Mapping[str, str], body: Manifest | None) -> tuple[int, bytes]:
        host = self._client.configuration.host
        try:
            response = self._client.call_api(
                method, host + path, header_params=headers, body=body, _request_timeout=(_CONNECT_S, _READ_S)
            )
            return int(response.status), response.read()
        except (ApiException, urllib3.exceptions.HTTPError, OSError) as problem:
            raise Unreachable(f"{host} does not answer: {why(problem)} ({self._login.where})") from problem

    def _refusal(self, method: str, path: str, status: int, raw: bytes) -> SeatrialError:
        try:
            message = str(json.loads(raw).get("message", ""))
        except (ValueError, AttributeError):
            message = cut(raw.decode(errors="replace"), 200)
        if status == HTTPStatus.UNAUTHORIZED:
            where = self._login.where
            return NotPermitted(f"the platform does not accept the credentials of {where} (expired or revoked)")
        if status == HTTPStatus.FORBIDDEN:
            return NotPermitted(f"the platform forbids {method} {path}: {message}")
        return Rejected(f"the platform answered {status} to {method} {path}: {message}", status)

    def _discover(self) -> tuple[Kind, ...]:
        found: tuple[Kind, ...] = ()
        for root in ("/api", "/apis"):
            answer = self._ask("GET", root, accept=_DISCOVERY) or {}
            if answer.get("kind") == "APIGroupDiscoveryList":
                found += _aggregated(answer)
            elif root == "/apis":
                found += self._group_by_group(answer)
        return found

    def _group_by_group(self, groups: Manifest) -> tuple[Kind, ...]:
        """Discover as platforms before Kubernetes 1.27 need it: one question for each group."""
        found: tuple[Kind, ...] = ()
        for group in groups.get("groups") or []:
            version = group["preferredVersion"]["version"]
            answer = self._ask("GET", f"/apis/{group['name']}/{version}", absent_ok=True) or {}
            found += tuple(
                Kind(r["kind"], group["name"], version, r["name"], r["namespaced"])
                for r in answer.get("resources") or []
                if "/" not in r["name"]
            )
        return found


def _aggregated(answer: Manifest) -> tuple[Kind, ...]:
    found: list[Kind] = []
    for group in answer.get("items") or []:
        # Versions come in the platform's order of preference; the first that serves a kind is the one to use.
        taken: set[str] = set()
        for version in group.get("versions") or []:
            for resource in version.get("resources") or []:
                plural = resource["resource"]
                kind = (resource.get("responseKind") or {}).get("kind", "")
                if plural not in taken and kind:
                    taken.add(plural)
                    namespaced = resource.get("scope") == "Namespaced"
                    name = (group.get("metadata") or {}).get("name", "")
                    found.append(Kind(kind, name, version["version"], plural, namespaced))
    return tuple(found)


def _object(raw: bytes, what: str) -> Manifest:
    try:
        answer = json.loads(raw)
    except ValueError as problem:
        raise Unreachable(f"the answer to {what} is not JSON: {raw[:80]!r}") from problem
    if not isinstance(answer, dict):
        raise Unreachable(f"the answer to {what} is not an object: {raw[:80]!r}")
    return answer
