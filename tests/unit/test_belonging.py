"""Cloud and platform are shown to be one deployment, or nothing is changed: the two files may not agree."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from seatrial.clients.kube import Kind
from seatrial.engine import belonging as module
from seatrial.engine import preflight
from seatrial.engine.belonging import belonging
from seatrial.engine.preflight import State
from seatrial.model.errors import NotPermitted, Unreachable
from seatrial.model.target import Cloud, Grant, Kubernetes, Target

SVC = "https://keystone-internal.openstack.svc:5000"


def catalogue(*urls: str, identity: str = "svc-1") -> list[dict[str, Any]]:
    interfaces = ("public", "internal")
    ends = [{"interface": which, "url": url} for which, url in zip(interfaces, urls, strict=False)]
    return [{"type": "identity", "id": identity, "endpoints": ends}, {"type": "image", "id": "svc-image"}]


def service(name: str, **spec: Any) -> dict[str, Any]:
    ingress = spec.pop("ingress", [])
    return {"metadata": {"name": name}, "spec": spec, "status": {"loadBalancer": {"ingress": ingress}}}


def deployment(
    catalog: list[dict[str, Any]] | Exception,
    *,
    services: tuple[dict[str, Any], ...] = (),
    routes: tuple[str, ...] = (),
    registered: tuple[str, ...] = (),
) -> Any:
    """A platform with these Services, hosts of Routes and KeystoneServices, and a cloud with this catalogue."""
    named = {"Service": list(services), "Route.route.openshift.io": [_route(host) for host in routes]}
    named["KeystoneService"] = [
        {"metadata": {"name": "glance"}, "status": {"serviceID": identity} if identity else {}}
        for identity in registered
    ]
    kinds = [Kind("KeystoneService", "keystone.openstack.org", "v1", "keystoneservices")] if registered else []
    kinds += [Kind("Route", "route.openshift.io", "v1", "routes")] if routes else []

    def told() -> list[dict[str, Any]]:
        if isinstance(catalog, Exception):
            raise catalog
        return catalog

    kube = SimpleNamespace(kinds=lambda: kinds, list=lambda kind, namespace: named[kind])
    target = Target(
        "t", Kubernetes((Path("kubeconfig"),), "admin"), Cloud(Path("clouds.yaml"), "prod"), budgets={"proof": 0.1}
    )
    return SimpleNamespace(kube=kube, openstack=SimpleNamespace(catalog=told), target=target)


def _route(host: str) -> dict[str, Any]:
    return {"metadata": {"name": "keystone-public"}, "spec": {"host": host}}


@pytest.mark.parametrize(
    "found",
    [
        deployment(catalogue("http://192.0.2.80:5000", SVC), services=(service("k", ingress=[{"ip": "192.0.2.80"}]),)),
        deployment(catalogue("http://192.0.2.80:5000"), services=(service("k", externalIPs=["192.0.2.80"]),)),
        deployment(catalogue(SVC, "http://172.30.0.9:5000"), services=(service("k", clusterIP="172.30.0.9"),)),
        deployment(catalogue("http://[fd00::0:9]:5000"), services=(service("k", clusterIPs=["fd00::9"]),)),
        deployment(
            catalogue("https://k.example.com"), services=(service("k", ingress=[{"hostname": "k.example.com"}]),)
        ),
        deployment(catalogue("https://k.apps.example.com"), routes=("k.apps.example.com",)),
        deployment(catalogue("https://localhost/v3"), services=(service("k", externalIPs=["127.0.0.1"]),)),
        deployment(catalogue("https://proxy.invalid"), registered=("", "svc-image")),
    ],
    ids=["ingress", "external", "cluster", "v6", "hostname", "route", "resolved", "registered"],
)
def test_what_shows_that_they_are_one(found: Any) -> None:
    """An address, a Route, a name that leads to an address, or what Keystone gave to an operator."""
    assert belonging(found).shown, belonging(found).how


@pytest.mark.parametrize(
    "found",
    [
        deployment(
            catalogue("http://192.0.2.81:5000", SVC), services=(service("keystone-internal", clusterIP="None"),)
        ),
        deployment(catalogue(SVC, SVC), services=(service("keystone-internal", clusterIP="172.30.0.9"),)),
        deployment(catalogue("https://k.apps.a.example.com"), routes=("k.apps.b.example.com",)),
        deployment([], services=(service("k", clusterIP="172.30.0.9"),)),
        deployment(
            catalogue("http://192.0.2.80:5000"),
            services=(service("k", externalIPs=["192.0.2.80"]),),
            registered=("svc-of-another",),
        ),
    ],
    ids=["address", "the same name", "route", "empty", "ids decide"],
)
def test_what_does_not_show_it_refuses_to_change_anything(found: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are named; who only looks is told what limits the trial."""
    monkeypatch.setattr(module, "_resolved", lambda host: iter(()))
    assert not belonging(found).shown
    for grant in (Grant.MUTATE, Grant.DISRUPT):
        finding = preflight._belonging(found, grant)
        assert finding.state is State.WRONG
        assert finding.problem is not None
        assert "prod" in str(finding.problem)
        assert "admin" in str(finding.problem)
    assert preflight._belonging(found, Grant.OBSERVE).state is State.LIMITED


def test_a_cloud_that_is_silent_limits_who_looks_and_stops_who_changes() -> None:
    """Nobody can tell whose it is."""
    silent = deployment(Unreachable("no answer"))
    assert preflight._belonging(silent, Grant.OBSERVE).state is State.LIMITED
    assert preflight._belonging(silent, Grant.MUTATE).state is State.UNREACHABLE


def test_what_may_not_be_read_leaves_the_rest_to_show_it() -> None:
    """An account without the operators' resources is not taken for one of another deployment."""
    found = deployment(
        catalogue("http://192.0.2.80:5000"),
        services=(service("k", externalIPs=["192.0.2.80"]),),
        registered=("svc-of-another",),
    )
    listed = found.kube.list

    def denied(kind: str, namespace: str) -> Any:
        if kind == "KeystoneService":
            raise NotPermitted("no")
        return listed(kind, namespace)

    found.kube.list = denied
    assert belonging(found).shown
