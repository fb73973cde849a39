"""The catalogue and the users, as Keystone's own API lists them."""

from __future__ import annotations

from typing import cast

from seatrial.clients.deployment import Deployment
from seatrial.clients.looking import look
from seatrial.model.observation import Json, Observation


def catalog(deployment: Deployment) -> tuple[Observation, ...]:
    """Return one ``keystone.catalog`` Observation: services with their endpoints, and the names of all users."""

    def ask() -> Json:
        cloud = deployment.openstack
        endpoints = cloud.endpoints()
        services: list[Json] = [
            {
                "name": str(service.get("name", "")),
                "type": str(service["type"]),
                "enabled": bool(service.get("enabled", True)),
                "endpoints": [
                    {"interface": str(e["interface"]), "url": str(e["url"])}
                    for e in endpoints
                    if e["service_id"] == service["id"] and e.get("enabled", True)
                ],
            }
            for service in cloud.services()
        ]
        users = cast("list[Json]", sorted(str(u["name"]) for u in cloud.users() if u.get("enabled", True)))
        return {"services": services, "service_users": users}

    return (look("keystone.catalog", f"cloud/{deployment.target.cloud.name}", ask),)
