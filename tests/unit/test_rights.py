"""What each grant needs of the platform: one table, asked, printed and granted alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from seatrial.clients.kube import Kind
from seatrial.engine import preflight
from seatrial.engine.preflight import State
from seatrial.engine.rbac import document
from seatrial.engine.rights import EVERY_FAULT, lacking_of_need, missing_rights, namespace_of, needs, told
from seatrial.entry.cli import main
from seatrial.entry.exit_status import Exit
from seatrial.faults import KINDS
from seatrial.faults.drift import DeleteObject
from seatrial.faults.pod import DeletePod
from seatrial.faults.select import OPERATORS
from seatrial.model.errors import Unreachable
from seatrial.model.fault import Fault, Selector
from seatrial.model.rights import Right, Where, rights
from seatrial.model.target import Cloud, Grant, Kubernetes, Namespaces, Target

DEPLOY = Path(__file__).parents[2] / "deploy/rbac"
TARGET = Target(
    "t", Kubernetes((Path("kubeconfig"),), "admin"), Cloud(Path("clouds.yaml"), "prod"), grant=Grant.DISRUPT
)
SERVED = (
    Kind("OpenStackControlPlane", "core.openstack.org", "v1beta1", "openstackcontrolplanes"),
    Kind("Galera", "mariadb.openstack.org", "v1beta1", "galeras"),
    Kind("MariaDBDatabase", "mariadb.openstack.org", "v1beta1", "mariadbdatabases"),
    Kind("Pod", "", "v1", "pods"),
)


class Kube:
    """A platform that answers what an account may do."""

    def __init__(self, may: Callable[[str, str, str | None, str], bool], served: tuple[Kind, ...] = SERVED) -> None:
        self._may, self._served = may, served
        self.asked: list[tuple[str, str, str | None, str]] = []

    def kinds(self) -> tuple[Kind, ...]:
        return self._served

    def can_i(self, verb: str, resource: str, namespace: str | None, *, name: str = "") -> bool:
        self.asked.append((verb, resource, namespace, name))
        return self._may(verb, resource, namespace, name)


class Deployment:
    """A deployment of which only the platform is asked."""

    def __init__(self, kube: Kube) -> None:
        self.kube, self.target = kube, TARGET


def deployment(may: Callable[[str, str, str | None, str], bool], served: tuple[Kind, ...] = SERVED) -> Any:
    return Deployment(Kube(may, served))


def without(*lacking: Right) -> Any:
    """A deployment whose account has every right but these."""
    denied = {(r.verb, r.resource, namespace_of(r, TARGET), r.name) for r in lacking}
    return deployment(lambda *asked: asked not in denied)


def everything(grant: Grant) -> list[Right]:
    return [right for need in needs(grant) for right in need.rights]


def rules(text: str) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """Yield (namespace, rule) of a document; rules that no binding gives to its account do not count."""
    parts = list(yaml.safe_load_all(text))
    accounts = [p["metadata"] for p in parts if p["kind"] == "ServiceAccount"]
    for binding in (p for p in parts if p["kind"].endswith("Binding")):
        assert [(s["name"], s["namespace"]) for s in binding["subjects"]] == [
            (a["name"], a["namespace"]) for a in accounts
        ]
        namespace = binding["metadata"].get("namespace")
        wanted = (binding["roleRef"]["kind"], binding["roleRef"]["name"], namespace)
        for role in parts:
            if (role["kind"], role["metadata"]["name"], role["metadata"].get("namespace")) == wanted:
                yield from ((namespace, rule) for rule in role["rules"])


def authorizer(text: str) -> Callable[[str, str, str | None, str], bool]:
    """Return how Kubernetes rules on what a document grants (RBAC authorizer, rule matching)."""
    granted = list(rules(text))

    def may(verb: str, resource: str, namespace: str | None, name: str) -> bool:
        right = Right(verb, resource)
        return any(
            (place is None or place == namespace)
            and right.group in rule["apiGroups"]
            and ("*" in rule["resources"] or right.plural in rule["resources"])
            and verb in rule["verbs"]
            and (not rule.get("resourceNames") or name in rule["resourceNames"])
            for place, rule in granted
        )

    return may


@pytest.mark.parametrize("grant", list(Grant))
def test_the_documents_to_apply_are_what_the_command_prints(grant: Grant, capsys: pytest.CaptureFixture[str]) -> None:
    """And the command prints what the table says."""
    assert main(["rbac", "--grant", grant.value]) == Exit.CONFORMS
    printed = capsys.readouterr().out
    assert printed == document(grant, Namespaces()) == (DEPLOY / f"{grant.value}.yaml").read_text()


@pytest.mark.parametrize("grant", list(Grant))
def test_an_account_with_nothing_else_has_all_that_its_grant_needs(grant: Grant) -> None:
    """Doctor finds nothing missing, and no fault of this grant lacks anything."""
    there = deployment(authorizer(document(grant, Namespaces())))
    findings = list(preflight._permissions(there, grant))
    assert [f for f in findings if f.state is not State.OK] == []
    assert len(findings) == len(needs(grant))
    for fault in EVERY_FAULT:
        if grant.includes(fault.grant):
            assert missing_rights(there, fault) == (), fault


def test_a_weaker_grant_has_none_of_what_only_a_stronger_one_needs() -> None:
    """An account to observe can change nothing: it has no verb that does, but for commands in pods."""
    for weak, strong in ((Grant.OBSERVE, Grant.MUTATE), (Grant.MUTATE, Grant.DISRUPT)):
        may = authorizer(document(weak, Namespaces()))
        more = [right for right in everything(strong) if right not in everything(weak)]
        assert more
        assert [r for r in more if may(r.verb, r.resource, namespace_of(r, TARGET), r.name)] == []
    changing = [r for r in everything(Grant.OBSERVE) if r.verb not in ("get", "list")]
    assert {(r.verb, r.resource) for r in changing} == {("create", "pods/exec")}


@pytest.mark.parametrize("grant", list(Grant))
def test_the_documents_grant_nothing_that_the_table_does_not_name(grant: Grant) -> None:
    """Rule by rule, verb by verb."""
    named = {(r.verb, r.group, r.plural, namespace_of(r, TARGET), r.name) for r in everything(grant)}
    cluster = {(v, g, p, None, n) for v, g, p, _, n in named if n} | {one for one in named if one[3] is None}
    for place, rule in rules(document(grant, Namespaces())):
        known = named if place else cluster
        for group in rule["apiGroups"]:
            for plural in rule["resources"]:
                for verb in rule["verbs"]:
                    [name] = rule.get("resourceNames", [""])
                    assert (verb, group, plural, place, name) in known


@pytest.mark.parametrize("lacking", everything(Grant.DISRUPT), ids=str)
def test_each_right_that_is_missing_is_named(lacking: Right) -> None:
    """Taken away in turn: one finding is limited, and says which verb on what, and where."""
    group = lacking.group if lacking.plural == "*" else "core.openstack.org"
    served = (*SERVED, Kind("Thing", group, "v1", "things"), Kind("Route", "route.openshift.io", "v1", "routes"))
    single = Right(lacking.verb, f"things.{group}", lacking.where)
    hidden = {lacking, single} if lacking.plural == "*" else {lacking}
    denied = {(r.verb, r.resource, namespace_of(r, TARGET), r.name) for r in hidden}
    findings = list(preflight._permissions(deployment(lambda *asked: asked not in denied, served), Grant.DISRUPT))
    [limited] = [f for f in findings if f.state is not State.OK]
    shown = single if lacking.plural == "*" else lacking
    assert told([shown], TARGET) in limited.message
    assert limited.state is State.LIMITED


def test_every_kind_of_fault_is_in_the_table() -> None:
    """A new one that nobody has told of would be refused on an account with the least rights."""
    assert {fault.kind for fault in EVERY_FAULT} == set(KINDS) - {"together"}


@pytest.mark.parametrize("fault", EVERY_FAULT, ids=lambda fault: fault.kind)
def test_what_a_fault_lacks_is_known_before_it_begins(fault: Fault) -> None:
    """Each of its rights, those of undo too; asked for once a run."""
    for right in fault.rights():
        there = without(right)
        assert missing_rights(there, fault) == (right,)
        asked = len(there.kube.asked)
        assert missing_rights(there, fault) == (right,)
        assert len(there.kube.asked) == asked == len(set(fault.rights()))


def test_who_may_delete_but_not_create_may_not_delete_for_a_trial() -> None:
    """The right that only undo needs is asked for, in the namespace that the fault names."""
    fault = DeleteObject("Service", "keystone-internal", "openstack")
    [lacking] = missing_rights(without(*rights("create", "services")), fault)
    assert (lacking.verb, lacking.resource, lacking.namespace) == ("create", "services", "openstack")
    assert told([lacking], TARGET) == "create services in openstack"


def test_operators_are_hurt_where_operators_are() -> None:
    """And nothing else is asked for there."""
    assert {r.where for r in DeletePod(Selector(OPERATORS)).rights()} == {Where.OPERATORS}
    assert {r.where for r in DeletePod(Selector("galera")).rights()} == {Where.CONTROL_PLANE}


def test_exec_is_a_get_and_from_kubernetes_1_35_on_a_create() -> None:
    """Both are asked for and granted: nobody knows the version of tomorrow."""
    [look] = [need for need in needs(Grant.OBSERVE) if "inside pods" in need.what]
    assert {right.verb for right in look.rights} == {"get", "create"}
    assert lacking_of_need(without(*rights("get", "pods/exec")), look) == rights("get", "pods/exec")


def test_kinds_that_are_not_served_need_no_right_and_new_ones_do() -> None:
    """Groups that this version has not heard of are asked about, because discovery reads them."""
    [custom] = [need for need in needs(Grant.OBSERVE) if "resources say" in need.what]
    there = deployment(lambda *_: True)
    assert lacking_of_need(there, custom) == ()
    assert {asked[1] for asked in there.kube.asked} == {"*.core.openstack.org", "*.mariadb.openstack.org"}
    new = (*SERVED, Kind("Zephyr", "zephyr.openstack.org", "v1", "zephyrs"))
    blind = deployment(lambda _, resource, *__: "zephyr" not in resource, new)
    assert {str(right) for right in lacking_of_need(blind, custom)} == {
        "get zephyrs.zephyr.openstack.org",
        "list zephyrs.zephyr.openstack.org",
    }


def test_a_platform_that_does_not_say_is_not_taken_for_a_yes() -> None:
    """Nothing is remembered of it either."""

    def silent(*_: object) -> bool:
        raise Unreachable("no answer")

    there = deployment(silent)
    for _ in range(2):
        with pytest.raises(Unreachable):
            missing_rights(there, DeletePod(Selector("galera")))
    known = [finding.what for finding in preflight._permissions(there, Grant.DISRUPT) if finding.state is State.OK]
    assert known == ["may find the cloud's addresses among the platform's Routes"]  # which this one does not serve


def test_one_namespace_for_both_gets_one_role(capsys: pytest.CaptureFixture[str]) -> None:
    """With what is needed in either."""
    assert main(["rbac", "--grant", "disrupt", "--namespace", "all", "--operators", "all", "--name", "mate"]) == 0
    printed = capsys.readouterr().out
    kinds = [part["kind"] for part in yaml.safe_load_all(printed)]
    assert kinds == ["ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"]
    names = {part["metadata"]["name"] for part in yaml.safe_load_all(printed)}
    assert names == {"mate", "mate-all"}
    may = authorizer(printed)
    assert all(may(r.verb, r.resource, r.where and "all", r.name) for r in everything(Grant.DISRUPT) if not r.name)


def test_bad_options_are_told_all_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """With what is accepted, and the nearest."""
    assert main(["rbac", "--grant", "obsrve", "--name", "A_", "--namespace", "x", "--target", "t"]) == Exit.BAD_INPUT
    told_lines = capsys.readouterr().err.splitlines()
    assert len(told_lines) == 3
    assert "did you mean 'observe'" in "".join(told_lines)


def test_namespaces_come_from_a_target(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same document as with its namespaces by hand."""
    from tests.unit.test_engine_preflight import target_file  # noqa: PLC0415

    path = target_file(tmp_path, 1)
    path.write_text(path.read_text() + "namespaces: {control_plane: rhoso, operators: rhoso-operators}\n")
    assert main(["rbac", "--grant", "mutate", "--target", str(path)]) == Exit.CONFORMS
    assert capsys.readouterr().out == document(Grant.MUTATE, Namespaces("rhoso", "rhoso-operators"))
