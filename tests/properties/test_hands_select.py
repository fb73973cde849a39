"""Laws of selecting: for any size of a cluster the choice stays within its bounds and is a function of the seed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.faults.select import Infeasible, resolve
from seatrial.model.errors import BadInput
from seatrial.model.fault import Pick, Selector
from seatrial.model.inventory import Component, Container, Inventory, Replica, Role, ServiceObject
from seatrial.model.target import Limits


def cluster(size: int, *, down: int = 0, desired: int | None = None, active: int | None = None) -> Inventory:
    """Return an inventory with one StatefulSet of this size; the last ``down`` instances are not ready."""
    replicas = tuple(
        Replica(
            name=f"db-{number}",
            namespace="openstack",
            uid=f"u{number}",
            node="node",
            ip="",
            ready=number < size - down,
            phase="Running",
            containers=(Container("db", True, 0),),
            labels={"app": "db", "pod-name": f"db-{number}"},
        )
        for number in range(size)
    )
    component = Component(
        "galera", "db", "StatefulSet", "openstack", Role.DATABASE, size if desired is None else desired, replicas, ()
    )
    selector = {"app": "db"} | ({"pod-name": f"db-{active}"} if active is not None else {})
    backends = (f"db-{active}",) if active is not None else tuple(r.name for r in replicas if r.ready)
    service = ServiceObject("db-clients", "openstack", "galera", "ClusterIP", "10.0.0.1", (), (), selector, backends)
    return Inventory(datetime.now(UTC), (), (component,), (service,), (), (), ())


sizes = st.integers(0, 9)
seeds = st.integers(0, 2**63)


def names(pick: Pick, inventory: Inventory, seed: int, limits: Limits | None = None) -> list[str]:
    return [one.replica.name for one in resolve(Selector("galera", pick), inventory, seed=seed, limits=limits)]


@given(sizes, seeds, st.sampled_from([Pick.ONE, Pick.MINORITY, Pick.MAJORITY, Pick.ALL]))
def test_shares_stay_within_their_bounds(size: int, seed: int, pick: Pick) -> None:
    """A minority leaves a majority standing; nobody of nobody is refused, not empty."""
    expected = {Pick.ONE: min(1, size), Pick.MINORITY: (size - 1) // 2, Pick.MAJORITY: size // 2 + 1, Pick.ALL: size}
    if size == 0 or expected[pick] <= 0:
        with pytest.raises(Infeasible):
            names(pick, cluster(size), seed)
        return
    taken = names(pick, cluster(size), seed)
    assert len(taken) == len(set(taken)) == expected[pick]
    if pick is Pick.MINORITY:
        assert size - len(taken) > size / 2


@given(st.integers(1, 9), seeds, st.sampled_from(list(Pick)))
def test_the_same_seed_chooses_the_same_and_order_does_not_matter(size: int, seed: int, pick: Pick) -> None:
    """A run can be repeated."""
    inventory = cluster(size, active=0)
    if pick is Pick.NAMED or (pick is Pick.MINORITY and size < 3):
        return
    turned = Inventory(
        inventory.taken_at,
        (),
        tuple(
            Component(c.service, c.name, c.kind, c.namespace, c.role, c.desired, tuple(reversed(c.replicas)), ())
            for c in inventory.components
        ),
        inventory.services,
        (),
        (),
        (),
    )
    assert names(pick, inventory, seed) == names(pick, turned, seed)


@given(st.integers(1, 9), st.integers(0, 9), st.integers(0, 9), seeds, st.sampled_from(list(Pick)))
def test_a_limit_counts_what_is_down_already(size: int, down: int, allowed: int, seed: int, pick: Pick) -> None:
    """Whatever is chosen, no more than the limit is down then."""
    down = min(down, size)
    inventory = cluster(size, down=down, active=0)
    if pick is Pick.NAMED:
        return
    try:
        taken = names(pick, inventory, seed, Limits({"db": allowed}))
    except Infeasible:
        return
    not_ready = {f"db-{number}" for number in range(size - down, size)}
    assert len(set(taken) | not_ready) <= allowed


@given(st.integers(2, 9), seeds)
def test_protected_instances_are_never_taken(size: int, seed: int) -> None:
    """One of N avoids them; all of N is refused."""
    limits = Limits({"*": 99}, protected=("db-0",))
    assert "db-0" not in names(Pick.ONE, cluster(size), seed, limits)
    with pytest.raises(Infeasible, match="db-0"):
        names(Pick.ALL, cluster(size), seed, limits)


@given(st.integers(2, 9), seeds)
def test_active_is_the_one_that_the_clients_service_selects(size: int, seed: int) -> None:
    """By its selector; a Service that merely has one backend left does not single anybody out."""
    assert names(Pick.ACTIVE, cluster(size, active=1), seed) == ["db-1"]
    with pytest.raises(Infeasible):
        names(Pick.ACTIVE, cluster(size, down=size - 1), seed)


def test_an_unknown_component_is_refused_with_the_nearest_name() -> None:
    """A typing mistake must not select nothing, or something else."""
    with pytest.raises(BadInput, match="did you mean 'galera'"):
        resolve(Selector("galara"), cluster(3), seed=0)
    with pytest.raises(BadInput, match="db-1"):
        resolve(Selector("galera", Pick.NAMED, "db-l"), cluster(3), seed=0)
