"""KeystoneService and KeystoneEndpoint: what services want to have in Keystone, registered through its API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final

from seatrial_lab.operators.common.conditions import condition_of
from seatrial_lab.operators.common.kube import controller_of, hash_of
from seatrial_lab.operators.common.reconciler import Controller, Key, NotYet, Round, Watch, everyone
from seatrial_lab.operators.common.resources import (
    KEYSTONE_API,
    KEYSTONE_ENDPOINT,
    KEYSTONE_SERVICE,
    SECRET,
    Json,
)
from seatrial_lab.operators.common.secrets import plain
from seatrial_lab.operators.keystone.identity import Admin, Identity, IdentityError, log_in

API, CLIENT = "KeystoneAPIReady", "AdminServiceClientReady"
SERVICE, USER = "KeystoneServiceOSServiceReady", "KeystoneServiceOSUserReady"
ENDPOINTS: Final = "KeystoneServiceOSEndpointsReady"
LOOK_AGAIN_S: Final = 5.0


async def reconcile_service(this: Round) -> None:
    """One round for one KeystoneService."""
    spec = this.spec
    async with _admin(this) as identity:
        service = await identity.ensure(
            "services",
            {"enabled": bool(spec.get("enabled", True)), "description": str(spec.get("serviceDescription", ""))},
            type=str(spec["serviceType"]),
            name=str(spec["serviceName"]),
        )
        this.status["serviceID"] = service["id"]
        this.conditions.true(SERVICE, f"Keystone Service {service['name']} - {service['id']} ready")
        if not spec.get("serviceUser"):
            this.conditions.drop(USER)
            return
        password = await _password(this)
        known = hash_of([this.cr["metadata"]["uid"], password])
        before = (this.status.get("hash") or {}).get("password")
        user = await identity.ensure_user(str(spec["serviceUser"]), password, reset=before != known)
        this.status["hash"] = {"password": known}
        this.conditions.true(USER, f"Keystone User {user['name']} - {user['id']} ready")


async def reconcile_endpoint(this: Round) -> None:
    """One round for one KeystoneEndpoint."""
    name = str(this.spec["serviceName"])
    async with _admin(this) as identity:
        service = await identity.find("services", name=name)
        if service is None:
            raise NotYet(ENDPOINTS, f"Keystone has no service {name} yet", look_again_s=LOOK_AGAIN_S)
        region = (await _api(this))["status"]["region"]
        listed = []
        for interface, url in sorted(this.spec["endpoints"].items()):
            live = await identity.ensure(
                "endpoints",
                {"url": str(url), "region_id": region, "enabled": True},
                service_id=service["id"],
                interface=str(interface),
            )
            listed.append({"id": live["id"], "interface": live["interface"], "url": live["url"]})
    this.status["serviceID"] = service["id"]
    this.status["endpoints"] = listed
    this.status["endpointIDs"] = {entry["interface"]: entry["id"] for entry in listed}
    this.conditions.true(ENDPOINTS, f"{len(listed)} endpoints ready")


async def _api(this: Round) -> Json:
    """The KeystoneAPI of the namespace, once it has been bootstrapped and somebody answers."""
    apis = await this.kube.list(KEYSTONE_API, namespace=this.namespace)
    if not apis:
        raise NotYet(API, "there is no KeystoneAPI", look_again_s=LOOK_AGAIN_S)
    bootstrapped = condition_of(apis[0], "BootstrapReady") or {}
    if bootstrapped.get("status") != "True" or not apis[0]["status"].get("readyCount"):
        raise NotYet(API, f"KeystoneAPI {apis[0]['metadata']['name']} does not serve yet", look_again_s=LOOK_AGAIN_S)
    return apis[0]


@asynccontextmanager
async def _admin(this: Round) -> AsyncIterator[Identity]:
    """A session as administrator, by the internal endpoint; what Keystone refuses is told in the condition."""
    api = await _api(this)
    this.conditions.true(API, "KeystoneAPI is ready")
    spec = api["spec"]
    found = await this.get(SECRET, str(spec["secret"]))
    password = plain(found or {}).get(str((spec.get("passwordSelectors") or {}).get("admin", "AdminPassword")))
    if not password:
        raise NotYet(CLIENT, f"Secret {spec['secret']} has no administrator's password", severity="Warning")
    admin = Admin(
        url=str(api["status"]["apiEndpoints"]["internal"]),
        user=str(spec.get("adminUser", "admin")),
        project=str(spec.get("adminProject", "admin")),
        password=password,
    )
    try:
        async with log_in(admin) as identity:
            this.conditions.true(CLIENT, "Admin client ready")
            yield identity
    except IdentityError as problem:
        raise NotYet(
            this.conditions.first_open(), str(problem), look_again_s=LOOK_AGAIN_S, severity="Warning"
        ) from problem


async def _password(this: Round) -> str:
    secret, key = str(this.spec.get("secret", "")), str(this.spec.get("passwordSelector", ""))
    found = await this.get(SECRET, secret) if secret else None
    password = plain(found or {}).get(key)
    if not password:
        raise NotYet(USER, f"Secret {secret} with key {key} is missing", severity="Warning")
    return password


def _passwords(other: Json) -> Iterable[Key]:
    """Secrets that people make. Operators write many others, and every round is a login at Keystone."""
    if controller_of(other) is None:
        yield from everyone(other)


KEYSTONE_SERVICE_CONTROLLER: Final = Controller(
    resource=KEYSTONE_SERVICE,
    reconcile=reconcile_service,
    conditions=(API, CLIENT, SERVICE, USER),
    watches=(Watch(SECRET, _passwords),),
)

KEYSTONE_ENDPOINT_CONTROLLER: Final = Controller(
    resource=KEYSTONE_ENDPOINT,
    reconcile=reconcile_endpoint,
    conditions=(API, CLIENT, ENDPOINTS),
    watches=(Watch(KEYSTONE_SERVICE, everyone),),
)
