"""Who owns whom: the chain of controllers above an object, as far as it can be read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from seatrial.clients.kube import Manifest
from seatrial.model.inventory import Owner

_DEEPEST = 20
"""No real chain is half as long; a ring of owners must not hang discovery."""


@dataclass(frozen=True, slots=True)
class Link:
    """One owner, with the API group that its reference names."""

    owner: Owner
    group: str


class Tree:
    """All objects that were read, by uid."""

    def __init__(self, manifests: Iterable[Manifest]) -> None:
        self._by_uid = {m["metadata"]["uid"]: m for m in manifests if m.get("metadata", {}).get("uid")}

    def find(self, uid: str) -> Manifest | None:
        """Return the object with this uid, if it was read."""
        return self._by_uid.get(uid)

    def chain(self, manifest: Manifest) -> tuple[Link, ...]:
        """Return the owners from the nearest controller to the top; an owner that was not read ends the chain."""
        links: list[Link] = []
        current: Manifest | None = manifest
        while current is not None and len(links) < _DEEPEST:
            link = _controller(current)
            if link is None or any(link.owner.uid == known.owner.uid for known in links):
                break
            links.append(link)
            current = self._by_uid.get(link.owner.uid)
        return tuple(links)


def _controller(manifest: Manifest) -> Link | None:
    references = (manifest.get("metadata") or {}).get("ownerReferences") or []
    # Only one owner may be the controller; several plain owners say nothing about who reconciles.
    chosen = next((r for r in references if r.get("controller")), references[0] if len(references) == 1 else None)
    if chosen is None:
        return None
    group = str(chosen.get("apiVersion", "")).rpartition("/")[0]
    return Link(Owner(chosen["kind"], chosen["name"], chosen["uid"]), group)
