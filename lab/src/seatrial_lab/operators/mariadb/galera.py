"""Galera clusters: everything a `Galera` resource owns, its bootstrap, and what its status says."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from seatrial_lab.operators.common.kube import KubeError, hash_of
from seatrial_lab.operators.common.reconciler import Controller, Key, NotYet, Round, Watch
from seatrial_lab.operators.common.resources import (
    CONFIG_MAP,
    GALERA,
    MARIADB_ACCOUNT,
    POD,
    ROLE,
    ROLE_BINDING,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
    Json,
)
from seatrial_lab.operators.common.secrets import plain
from seatrial_lab.operators.common.templates import render, render_text
from seatrial_lab.operators.mariadb import bootstrap

TEMPLATES: Final = Path(__file__).parent / "templates"
POD_LABEL: Final = "statefulset.kubernetes.io/pod-name"
MYSQL_UID: Final = 42434  # as in RHOSO's images
ROOT_PASSWORD_KEY: Final = "DbRootPassword"  # noqa: S105 - the name of a key
LOOK_AGAIN_S: Final = 3.0  # while members wait: not every change inside a pod makes an event

INPUT, TLS, ACCOUNT = "InputReady", "TLSInputReady", "MariaDBAccountReady"
SERVICE_ACCOUNT_READY, ROLE_READY, BINDING = "ServiceAccountReady", "RoleReady", "RoleBindingReady"
CONFIG, SERVICES, DEPLOYMENT = "ServiceConfigReady", "CreateServiceReady", "DeploymentReady"


def root_secret(galera: str) -> str:
    """The Secret with a cluster's root password, in its key `DatabasePassword`."""
    return f"{galera}-mariadb-root-db-secret"


def labels_of(galera: str) -> dict[str, str]:
    """The labels of a cluster's pods, and of all that belongs to it."""
    return {
        "app": "galera",
        "cr": f"galera-{galera}",
        "galera/name": galera,
        "owner": "mariadb-operator",
        "service": f"{galera}-galera",
    }


def pod_names(galera: str, replicas: int) -> list[str]:
    """The names of a cluster's pods."""
    return [f"{galera}-galera-{index}" for index in range(replicas)]


async def reconcile(this: Round) -> None:
    """One round for one cluster."""
    await _root_account(this)
    this.conditions.true(TLS, "Input data complete")
    await _objects(this)
    pods = await this.list(POD, {"app": "galera", "cr": f"galera-{this.name}"})
    members = bootstrap.members_of(pods, pod_names(this.name, int(this.spec["replicas"])))
    await _client_service(this, members)
    await _steer(this, members)
    await _deployment(this, members)


async def _root_account(this: Round) -> None:
    """Root's password, taken from the control plane's secret, and the account that stands for it."""
    source, account = this.spec["secret"], f"{this.name}-mariadb-root"
    secret = await this.get(SECRET, source)
    if secret is None:
        raise NotYet(INPUT, f"Input data resources missing: secret/{source}")
    password = (secret.get("data") or {}).get(ROOT_PASSWORD_KEY)
    if not password:
        raise NotYet(INPUT, f"Input data: secret/{source} has no key {ROOT_PASSWORD_KEY}", severity="Error")
    this.conditions.true(INPUT, "Input data complete")
    this.status |= {"rootDatabaseAccount": account, "rootDatabaseSecret": root_secret(this.name)}
    if await this.get(SECRET, root_secret(this.name)) is None:
        await this.create(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": root_secret(this.name), "labels": labels_of(this.name)},
                "data": {"DatabasePassword": password},
            }
        )
    await this.apply(
        {
            "apiVersion": MARIADB_ACCOUNT.api_version,
            "kind": MARIADB_ACCOUNT.kind,
            "metadata": {"name": account, "labels": {"dbName": this.name}},
            "spec": {"userName": "root", "secret": root_secret(this.name), "accountType": "System"},
        }
    )
    this.conditions.true(ACCOUNT, "MariaDBAccount System account 'root' creation complete")


async def _objects(this: Round) -> None:
    """Everything that follows from the resource alone."""
    config = {"galera.cnf": _config(this.name, str(this.spec.get("customServiceConfig") or "").strip())}
    scripts = {path.name: path.read_text() for path in sorted((TEMPLATES / "scripts").iterdir()) if path.is_file()}
    manifests = render(
        TEMPLATES,
        "galera.yaml.j2",
        name=this.name,
        namespace=this.namespace,
        labels=labels_of(this.name),
        config=config,
        scripts=scripts,
        # Members read the scripts when they next start; a changed configuration must restart them.
        config_hash=hash_of(config),
        # So must a new service account of the same name: the pods' tokens are the old one's, and open nothing any more.
        account=await _service_account(this),
        replicas=int(this.spec["replicas"]),
        image=this.spec["containerImage"],
        uid=MYSQL_UID,
        node_selector=this.spec.get("nodeSelector"),
        root_secret=root_secret(this.name),
        storage_class=this.spec["storageClass"],
        storage_request=this.spec["storageRequest"],
    )
    established = {
        "Role": (ROLE_READY, "Role created"),
        "RoleBinding": (BINDING, "RoleBinding created"),
        "ConfigMap": (CONFIG, "Service config create completed"),
    }
    for manifest in manifests:
        await this.apply(manifest)
        if manifest["kind"] in established:
            this.conditions.true(*established[manifest["kind"]])


async def _service_account(this: Round) -> str:
    """The account of the pods; returns its uid."""
    metadata = {"name": f"galera-{this.name}", "labels": labels_of(this.name)}
    account = await this.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    this.conditions.true(SERVICE_ACCOUNT_READY, "ServiceAccount created")
    return str(account["metadata"]["uid"])


def _config(name: str, custom: str) -> str:
    return render_text(TEMPLATES, "galera.cnf.j2", name=name, custom=custom)


async def _client_service(this: Round, members: list[bootstrap.Member]) -> None:
    """The Service that clients use. Which pod it selects is decided here when it is made, and then by the pods."""
    names = pod_names(this.name, int(this.spec["replicas"])) or pod_names(this.name, 1)
    fixed = {"app": "galera", "cr": f"galera-{this.name}"}
    manifest: Json = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": this.name, "labels": labels_of(this.name)},
        "spec": {
            "type": "ClusterIP",
            "ports": [{"name": "mysql", "port": 3306, "protocol": "TCP", "targetPort": 3306}],
        },
    }
    first = next((member.name for member in members if member.ready), names[0])
    live = await this.get(SERVICE, this.name)
    if live is None:
        selector = fixed | {POD_LABEL: first}
        await this.create({**manifest, "spec": {**manifest["spec"], "selector": selector}})
    live = await this.apply(manifest)
    selector = live["spec"].get("selector") or {}
    # Empty means that the pods let nobody through for now. Anything else that is no member is nobody's decision.
    selected = selector.get(POD_LABEL, "")
    if selected and selected not in names:
        selected = first
    if selector != fixed | {POD_LABEL: selected}:
        wanted = dict.fromkeys(selector) | fixed | {POD_LABEL: selected}
        version = live["metadata"]["resourceVersion"]  # if a pod has moved it meanwhile, the next round looks again
        patch = {"metadata": {"resourceVersion": version}, "spec": {"selector": wanted}}
        await this.kube.patch(SERVICE, this.name, patch, namespace=this.namespace)
    this.conditions.true(SERVICES, "Create service completed")


async def _steer(this: Round, members: list[bootstrap.Member]) -> None:
    """Tell the members that wait what to do, as far as that can be known by now."""
    known = bootstrap.from_attributes(this.status.get("attributes") or {})
    reports = await bootstrap.gather_reports(this.kube, members, known, namespace=this.namespace)
    expected = int(this.spec["replicas"])
    hosts = (f"{name}.{this.name}-galera.{this.namespace}.svc" for name in pod_names(this.name, expected))
    for pod, order in bootstrap.orders(members, reports, expected=expected, join="gcomm://" + ",".join(hosts)).items():
        if await bootstrap.tell(this.kube, pod, order, namespace=this.namespace):
            reports[pod] = dataclasses.replace(reports[pod], told=order)
        else:
            del reports[pod]  # it is asked again, and says what it has been told
    this.status["attributes"] = bootstrap.as_attributes(reports)
    if bootstrap.unrecoverable(reports, expected=expected):
        raise NotYet(DEPLOYMENT, "The data of no member can be recovered; a person must decide", severity="Error")
    safe = next((name for name, report in sorted(reports.items()) if report.safe and not report.told), None)
    if safe:
        this.status["safeToBootstrap"] = safe
    else:
        this.status.pop("safeToBootstrap", None)
    if any(not member.ready for member in members) or len(members) < expected:
        this.look_again(LOOK_AGAIN_S)


async def _deployment(this: Round, members: list[bootstrap.Member]) -> None:
    """Whether clients are served: as in RHOSO, one available member is enough for that."""
    wanted = int(this.spec["replicas"])
    available = sum(member.ready for member in members)
    this.status["bootstrapped"] = available > 0
    if wanted == 0 or available > 0:
        this.conditions.true(DEPLOYMENT, "Deployment completed")
    else:
        waiting = sum(1 for member in members if member.container)
        this.conditions.waiting(
            DEPLOYMENT, f"Deployment in progress: {waiting} of {wanted} members run, none is synced"
        )


def _cluster_of_pod(pod: Json) -> Iterable[Key]:
    name = (pod["metadata"].get("labels") or {}).get("galera/name")
    if name:
        yield pod["metadata"]["namespace"], name


CONTROLLER: Final = Controller(
    resource=GALERA,
    reconcile=reconcile,
    conditions=(INPUT, TLS, ACCOUNT, SERVICE_ACCOUNT_READY, ROLE_READY, BINDING, CONFIG, SERVICES, DEPLOYMENT),
    owns=(STATEFUL_SET, SERVICE, CONFIG_MAP, SECRET, SERVICE_ACCOUNT, ROLE, ROLE_BINDING, MARIADB_ACCOUNT),
    watches=(Watch(POD, _cluster_of_pod),),
)


async def run_sql(this: Round, galera: str, sql: Iterable[str]) -> None:
    """Run statements as root on the member that clients are sent to; KubeError if it refuses one.

    Password and statements go through stdin, each on a line: neither appears in an argument list.
    """
    service = await this.get(SERVICE, galera)
    pod = ((service or {}).get("spec", {}).get("selector") or {}).get(POD_LABEL)
    password = plain(await this.get(SECRET, root_secret(galera))).get("DatabasePassword")
    if not pod or not password:
        raise KubeError(f"{galera} has no active member now")
    script = (
        "IFS= read -r MYSQL_PWD; IFS= read -r SQL; export MYSQL_PWD; "
        'printf "%s\\n" "$SQL" | exec mysql --no-defaults --socket=/run/mysqld/mysqld.sock -uroot --batch'
    )
    answer = await this.kube.exec(
        pod,
        ["/bin/sh", "-c", script],
        namespace=this.namespace,
        container=bootstrap.CONTAINER,
        stdin=f"{password}\n{' '.join(sql)}\n",
    )
    if answer.status:
        raise KubeError(f"SQL on {pod} failed: {answer.stderr.strip()[:300]}")
