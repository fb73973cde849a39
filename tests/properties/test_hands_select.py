"""Laws of selecting: for any size of a cluster the choice stays within its bounds and is a function of the seed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.faults.select import Infeasible, first_cluster, resolve
from seatrial.model.errors import BadInput
from seatrial.model.fault import Pick, Selector
from seatrial.model.inventory import Component, Container, Inventory, Owner, Replica, Role, ServiceObject
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


@given(st.integers(2, 9), seeds, st.sampled_from(["db-0", "pod-name=db-0", "pod/*/db-0", "d?-0"]))
def test_where_the_choice_is_free_a_protected_instance_is_not_chosen(size: int, seed: int, pattern: str) -> None:
    """However the owner wrote it: another one would do, so a trial need not be refused for it."""
    limits = Limits({"*": 99}, protected=(pattern,))
    assert "db-0" not in names(Pick.ONE, cluster(size), seed, limits)
    if size > 2:
        assert "db-0" not in names(Pick.MINORITY, cluster(size), seed, limits)
    if size == 2:  # a majority of two is both: the gate will say why not
        assert names(Pick.MAJORITY, cluster(size), seed, limits) == ["db-0", "db-1"]


def clusters(*sizes: int) -> Inventory:
    """Return an inventory with several clusters of one service, of these sizes."""
    whole = cluster(max(sizes))
    made = tuple(
        replace(
            whole.components[0],
            name=f"db{number}",
            desired=size,
            replicas=tuple(replace(r, name=f"db{number}-{r.name}") for r in whole.components[0].replicas[:size]),
        )
        for number, size in enumerate(sizes)
    )
    return replace(whole, components=made, services=())


def test_of_several_clusters_the_selector_names_the_one_that_is_meant() -> None:
    """*Active* of two clusters would be two; who is asked says which there are to choose from."""
    with pytest.raises(Infeasible, match="choose from: db0, db1"):
        names(Pick.ACTIVE, clusters(3, 1), 0)


@given(seeds, st.sampled_from([Pick.MINORITY, Pick.MAJORITY, Pick.ALL]))
def test_a_part_of_the_selection_that_yields_nobody_is_not_left_out(seed: int, pick: Pick) -> None:
    """A selection that silently means less than it says proves less than it says."""
    with_nobody = clusters(3, 2) if pick is Pick.MINORITY else clusters(3, 0)
    with_nobody = replace(
        with_nobody, components=tuple(replace(c, desired=max(2, c.desired)) for c in with_nobody.components)
    )
    with pytest.raises(Infeasible, match="db1 is nobody"):
        names(pick, with_nobody, seed)


@given(seeds)
def test_one_of_several_clusters_is_taken_where_somebody_is_left(seed: int) -> None:
    """The last instance of the small one is not chosen while the big one has some to spare."""
    assert names(Pick.ONE, clusters(1, 3), seed)[0].startswith("db1-")


def test_what_is_scaled_to_nothing_on_purpose_has_nobody_to_give() -> None:
    """All of the operators are those that there are meant to be."""
    assert len(names(Pick.ALL, clusters(3, 0), 0)) == 3


@given(st.permutations(["openstack", "openstack-cell1", "openstack-cell2"]))
def test_the_first_cluster_is_the_control_planes_own(order: list[str]) -> None:
    """Told by its resource: the workloads are named the other way round in the alphabet."""
    made = clusters(3, 3, 3)
    named = {
        name: replace(c, name=f"{name}-galera", owners=(Owner("Galera", name, name),))
        for name, c in zip(order, made.components, strict=True)
    }
    found = first_cluster(replace(made, components=tuple(named.values())), Role.DATABASE)
    assert found is not None
    assert found.name == "openstack-galera"


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
