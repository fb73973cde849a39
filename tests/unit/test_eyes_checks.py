"""Each check says *conforms*, *violates* (naming the culprit) and *inconclusive* where it should, and only there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from seatrial.checks import CHECKS
from seatrial.engine.judging import merged
from seatrial.model.inventory import Component, Inventory, Resource, Role
from seatrial.model.observation import Evidence, Observation
from seatrial.model.requirement import RequirementId
from seatrial.model.verdict import Outcome, Verdict
from tests.unit import eyes_evidence as eyes
from tests.unit.eyes_evidence import GALERA, KEYSTONE, RABBIT, pod


def judge(evidence: Evidence) -> Verdict:
    return CHECKS[evidence.requirement](evidence)


def judged(requirement: str, observations: list[Observation], *, of: Inventory | None = None) -> Verdict:
    return judge(eyes.evidence(requirement, observations, of=of))


def change(inventory: Inventory, edit: Callable[[Component], Component]) -> Inventory:
    return replace(inventory, components=tuple(edit(c) for c in inventory.components))


def with_replicas(kind: str, replicas: int) -> Inventory:
    def edit(resource: Resource) -> Resource:
        return replace(resource, replicas=replicas) if resource.kind == kind else resource

    full = eyes.inventory()
    return replace(full, resources=tuple(edit(r) for r in full.resources))


@pytest.mark.parametrize("requirement", sorted(CHECKS))
def test_a_conforming_deployment_conforms_and_the_verdict_names_what_was_seen(requirement: RequirementId) -> None:
    verdict = judged(requirement, eyes.conforming(requirement))
    assert verdict.outcome is Outcome.CONFORMS, verdict.because
    assert verdict.conforming
    assert verdict.seen


@pytest.mark.parametrize("requirement", sorted(CHECKS))
def test_no_evidence_is_never_a_pass(requirement: RequirementId) -> None:
    assert judged(requirement, []).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("requirement", sorted(CHECKS))
def test_a_probe_that_could_not_see_makes_its_check_inconclusive(requirement: RequirementId) -> None:
    whole = eyes.conforming(requirement)
    for probe in {o.probe for o in whole}:
        blinded = [eyes.blind(o) if o.probe == probe else o for o in whole]
        verdict = judged(requirement, blinded)
        # API answers are only one of SCALE-1's two ways to see an instance serve.
        accepted = Outcome.CONFORMS if (requirement, probe) == ("SCALE-1", "keystone.answer") else Outcome.INCONCLUSIVE
        if (requirement, probe) != ("OPS-3", "census"):
            assert verdict.outcome is accepted, (probe, verdict)


@pytest.mark.parametrize(("requirement", "kind"), [("DB-4", "Galera"), ("DB-5", "Galera"), ("MSG-2", "RabbitMq")])
def test_a_kind_that_could_not_be_listed_is_not_taken_for_absent(requirement: str, kind: str) -> None:
    assert judged(requirement, eyes.conforming(requirement), of=eyes.with_gap(kind)).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("requirement", ["DB-4", "DB-5", "MSG-2"])
def test_a_deployment_without_the_component_is_not_judged(requirement: str) -> None:
    bare = replace(eyes.inventory(), resources=())
    assert judged(requirement, [], of=bare).outcome is Outcome.NOT_APPLICABLE


def reader_of_foreign_tables() -> tuple[Inventory, list[Observation]]:
    spy = Component("glance", "spy", "Pod", "openstack", Role.OTHER, 1, (eyes.replica("spy", "node-1"),), ())
    full = eyes.inventory()
    session = {"user": "keystone_1a2b", "host": "10.128.1.99", "db": "keystone", "peer": pod("spy")}
    call = eyes.edge(eyes.side("glance", "spy", "spy"), eyes.galera(0), 3306, "mysql")
    census = eyes.census(call)
    return replace(full, components=(*full.components, spy)), [census, eyes.sessions(session)]


def test_api_1_names_the_pod_that_reads_another_services_tables() -> None:
    inventory, observations = reader_of_foreign_tables()
    verdict = judged("API-1", observations, of=inventory)
    assert verdict.outcome is Outcome.VIOLATES
    assert verdict.violating == (pod("spy"),)
    assert "keystone_1a2b of keystone" in verdict.because


@pytest.mark.parametrize("requirement", sorted(set(CHECKS) - {"API-1"}))
def test_a_reader_of_foreign_tables_turns_nothing_else_red(requirement: RequirementId) -> None:
    inventory, observations = reader_of_foreign_tables()
    rest = [o for o in eyes.conforming(requirement) if o.probe not in ("census", "galera.sessions")]
    assert judged(requirement, [*rest, *observations], of=inventory).outcome is Outcome.CONFORMS


def test_api_1_names_a_service_that_calls_into_another_one() -> None:
    conductor = eyes.side("nova", "nova-conductor", "nova-conductor-0", "worker")
    call = eyes.edge(eyes.keystone(0), conductor, 8999, "http")
    verdict = judged("API-1", [eyes.census(call), eyes.sessions()])
    assert verdict.violating == (pod(KEYSTONE[0]),)


def test_api_1_does_not_pass_a_database_client_whose_account_nobody_saw() -> None:
    call = eyes.edge(eyes.side("glance", "glance", "glance-0"), eyes.galera(0), 3306, "mysql")
    verdict = judged("API-1", [eyes.census(call), eyes.sessions()])
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "with which account" in verdict.because


def test_api_1_is_inconclusive_when_a_pod_that_matters_was_not_read() -> None:
    unread = judged("API-1", [eyes.census(unread=[pod(KEYSTONE[1])]), eyes.sessions()])
    assert unread.outcome is Outcome.INCONCLUSIVE
    assert KEYSTONE[1] in unread.because
    harmless = judged("API-1", [eyes.census(unread=[pod(GALERA[1])]), eyes.sessions()])
    assert harmless.outcome is Outcome.CONFORMS


def test_api_1_is_inconclusive_on_an_api_whose_protocol_was_not_proven() -> None:
    call = eyes.edge(eyes.side("glance", "glance", "glance-0"), eyes.keystone(0), 5000, "unknown")
    assert judged("API-1", [eyes.census(call), eyes.sessions()]).outcome is Outcome.INCONCLUSIVE


def test_api_3_names_the_instance_that_lets_anybody_in() -> None:
    open_door = eyes.answer(pod("rogue"), 200)
    verdict = judged("API-3", [*eyes.conforming("API-3"), open_door])
    assert verdict.violating == (pod("rogue"),)
    assert open_door.id in verdict.seen


def test_api_3_blames_the_instance_not_the_service_in_front_of_it() -> None:
    doors = [eyes.answer(s, 200) for s in (pod("rogue"), "service/openstack/keystone-internal")]
    assert judged("API-3", [*eyes.conforming("API-3"), *doors]).violating == (pod("rogue"),)
    alone = judged("API-3", [*eyes.conforming("API-3"), doors[1]])
    assert alone.violating == ("service/openstack/keystone-internal",)


def test_api_3_is_inconclusive_about_an_instance_that_was_not_asked() -> None:
    kept = [o for o in eyes.conforming("API-3") if o.subject != pod(KEYSTONE[1])]
    assert judged("API-3", kept).outcome is Outcome.INCONCLUSIVE


def test_api_3_names_the_instance_that_takes_any_token_for_a_good_one() -> None:
    verdict = judged("API-3", [*eyes.conforming("API-3"), eyes.answer(pod("rogue"), 200, "a made-up token")])
    assert verdict.violating == (pod("rogue"),)
    assert "made-up" in verdict.because


@pytest.mark.parametrize(("status", "outcome"), [(401, Outcome.VIOLATES), (503, Outcome.INCONCLUSIVE)])
def test_api_3_names_the_public_address_that_turns_a_valid_token_away(status: int, outcome: Outcome) -> None:
    kept = [o for o in eyes.answers() if o.subject != "catalog/identity"]
    shut = eyes.answer("catalog/identity", status, "a valid token")
    assert judged("API-3", [eyes.catalog("identity"), *kept, shut]).outcome is outcome


def test_api_3_is_inconclusive_about_a_service_that_was_shown_no_valid_token() -> None:
    kept = [o for o in eyes.conforming("API-3") if o.subject != "catalog/identity"]
    assert "no valid token" in judged("API-3", kept).because


def test_api_3_still_reads_what_older_runs_wrote() -> None:
    def as_before(look: Observation) -> Observation:
        value = dict(cast("dict[str, Any]", look.value))
        return replace(look, value={**value, "with_token": value.pop("shown") != "nothing"})

    subjects = [*(pod(name) for name in KEYSTONE), "cloud/test"]
    shown = [(401, "nothing"), (200, "a valid token")]
    before = [as_before(eyes.answer(s, status, token)) for s in subjects for status, token in shown]
    assert judged("API-3", [eyes.catalog("identity"), *before]).outcome is Outcome.CONFORMS


def test_api_3_names_a_service_that_the_catalogue_lacks() -> None:
    verdict = judged("API-3", [eyes.catalog("image"), *eyes.answers()])
    assert verdict.violating == ("service/keystone",)


@pytest.mark.parametrize(
    "wrong",
    [
        {"wsrep_on": "OFF"},
        {"wsrep_cluster_status": "non-Primary"},
        {"wsrep_cluster_size": "1"},
        {"wsrep_cluster_state_uuid": "uuid-2"},
        {"wsrep_local_state_comment": "Disconnected"},
    ],
)
def test_db_4_names_the_member_that_is_not_of_the_cluster(wrong: dict[str, Any]) -> None:
    others = [o for o in eyes.conforming("DB-4") if not (o.probe == "galera.status" and o.subject == pod(GALERA[1]))]
    verdict = judged("DB-4", [*others, eyes.wsrep(1, **wrong)])
    assert verdict.violating == (pod(GALERA[1]),)


def test_db_4_blames_the_member_that_is_cut_off_not_those_who_miss_it() -> None:
    rows = [eyes.row(0, m2=False), eyes.row(1, m2=False), eyes.row(2, m0=False, m1=False)]
    verdict = judged("DB-4", [*(eyes.wsrep(i) for i in range(3)), *rows])
    assert verdict.violating == (pod(GALERA[2]),)


def test_db_4_waits_for_a_member_that_is_being_brought_up_to_date() -> None:
    status = [eyes.wsrep(0), eyes.wsrep(1), eyes.wsrep(2, wsrep_local_state_comment="Joining")]
    verdict = judged("DB-4", [*status, *(eyes.row(i) for i in range(3))])
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_db_4_conforms_on_a_whole_cluster_of_one() -> None:
    one = with_replicas("Galera", 1)
    one = change(one, lambda c: replace(c, replicas=c.replicas[:1]) if c.service == "galera" else c)
    only_row = eyes.seen(
        "galera.replication", pod(GALERA[0]), {"written": True, "row": "row-0", "read": {GALERA[0]: True}}
    )
    verdict = judged("DB-4", [eyes.wsrep(0, wsrep_cluster_size="1"), only_row], of=one)
    assert verdict.outcome is Outcome.CONFORMS


def test_db_5_names_a_database_with_a_single_member() -> None:
    verdict = judged("DB-5", [eyes.wsrep(0)], of=with_replicas("Galera", 1))
    assert verdict.violating == ("galera/openstack/openstack",)


def test_db_5_names_what_was_lost_and_where() -> None:
    lost = eyes.ledger("sql_row", lost=[{"id": 17, "where": pod(GALERA[2]), "at": None}])
    others = [o for o in eyes.conforming("DB-5") if o.subject != "ledger/sql_row"]
    verdict = judged("DB-5", [*others, lost])
    assert verdict.violating == ("ledger/sql_row",)
    assert "17" in verdict.because
    assert GALERA[2] in verdict.because


def test_db_5_names_the_path_that_was_out_for_longer_than_the_budget() -> None:
    verdict = judged("DB-5", [*eyes.conforming("DB-5"), eyes.outage("sql", 31.0)])
    assert verdict.violating == ("path/sql",)


@pytest.mark.parametrize(
    "instead",
    [
        eyes.seen("fault.took_hold", pod(GALERA[0]), {"held": False}),
        eyes.took_hold(pod(RABBIT[0])),
    ],
)
def test_db_5_is_inconclusive_without_a_proven_loss_of_a_database_instance(instead: Observation) -> None:
    others = [o for o in eyes.conforming("DB-5") if o.probe != "fault.took_hold"]
    assert judged("DB-5", [*others, instead]).outcome is Outcome.INCONCLUSIVE


def test_db_5_finds_the_lost_instance_in_the_proof_of_a_composed_fault() -> None:
    nested = {"held": True, "parts": [{"value": {"pods": [{"pod": GALERA[1]}]}}]}
    others = [o for o in eyes.conforming("DB-5") if o.probe != "fault.took_hold"]
    proof = eyes.seen("fault.took_hold", "injection/i-1", nested)
    assert judged("DB-5", [*others, proof]).outcome is Outcome.CONFORMS


def test_db_5_is_inconclusive_when_nothing_was_acknowledged_or_the_client_was_blind() -> None:
    others = [o for o in eyes.conforming("DB-5") if o.subject not in ("ledger/sql_row", "path/sql")]
    silent = [eyes.ledger("sql_row", acknowledged=0), eyes.outage("sql")]
    assert judged("DB-5", [*others, *silent]).outcome is Outcome.INCONCLUSIVE
    stuck = [eyes.ledger("sql_row"), eyes.outage("sql", 26.0, blind_s=5.0)]
    assert judged("DB-5", [*others, *stuck]).outcome is Outcome.INCONCLUSIVE
    harmless = [eyes.ledger("sql_row"), eyes.outage("sql", 4.0, blind_s=5.0)]
    assert judged("DB-5", [*others, *harmless]).outcome is Outcome.CONFORMS


@pytest.mark.parametrize(
    "queue",
    [
        eyes.queue("orders", "classic", 1),
        eyes.queue("orders", "quorum", 1),
        eyes.queue("orders", "quorum", 3, online=["rabbit@rabbitmq-server-0"]),
    ],
)
def test_msg_2_names_a_queue_that_the_loss_of_one_broker_would_take(queue: dict[str, Any]) -> None:
    others = [o for o in eyes.conforming("MSG-2") if o.probe != "rabbitmq.queues"]
    verdict = judged("MSG-2", [*others, eyes.queues(eyes.queue("info"), queue)])
    assert verdict.violating == ("queue/openstack/rabbitmq/orders",)


@pytest.mark.parametrize("kind", [{"exclusive": True}, {"auto_delete": True}, {"durable": False}])
def test_msg_2_exempts_queues_that_live_with_one_connection(kind: dict[str, bool]) -> None:
    others = [o for o in eyes.conforming("MSG-2") if o.probe != "rabbitmq.queues"]
    reply = eyes.queue("reply_1", "classic", 1, **kind)
    assert judged("MSG-2", [*others, eyes.queues(eyes.queue("info"), reply)]).outcome is Outcome.CONFORMS


def test_msg_2_accepts_a_mirrored_classic_queue() -> None:
    others = [o for o in eyes.conforming("MSG-2") if o.probe != "rabbitmq.queues"]
    mirrored = eyes.queue("info", "classic", 2, policy="ha-all")
    assert judged("MSG-2", [*others, eyes.queues(mirrored)]).outcome is Outcome.CONFORMS


def test_msg_2_names_a_broker_that_misses_its_peers() -> None:
    others = [o for o in eyes.conforming("MSG-2") if o.subject != pod(RABBIT[2])]
    verdict = judged("MSG-2", [*others, eyes.broker(2, running=1)])
    assert verdict.violating == (pod(RABBIT[2]),)


def test_scale_1_names_the_component_whose_instances_share_a_node() -> None:
    def edit(component: Component) -> Component:
        if component.name != "keystone":
            return component
        return replace(component, replicas=tuple(replace(r, node="node-0") for r in component.replicas))

    verdict = judged("SCALE-1", eyes.conforming("SCALE-1"), of=change(eyes.inventory(), edit))
    assert verdict.violating == ("deployment/openstack/keystone",)
    assert "node-0" in verdict.because


def test_scale_1_names_a_component_with_one_instance() -> None:
    inventory = change(
        eyes.inventory(), lambda c: replace(c, replicas=c.replicas[:1]) if c.service == "memcached" else c
    )
    assert judged("SCALE-1", eyes.conforming("SCALE-1"), of=inventory).violating == ("statefulset/openstack/memcached",)


def test_scale_1_does_not_pass_an_instance_that_nobody_saw_at_work() -> None:
    census = eyes.census()
    assert isinstance(census.value, dict)
    listeners = [
        entry
        for entry in census.value["listeners"]  # type: ignore[union-attr]
        if entry["replica"] != RABBIT[1]  # type: ignore[index,call-overload]
    ]
    idle = replace(census, value={**census.value, "listeners": listeners})
    verdict = judged("SCALE-1", [idle])
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert RABBIT[1] in verdict.because


def test_ops_1_names_an_operator_that_nobody_owns() -> None:
    verdict = judged("OPS-1", [eyes.operators(orphan="glance")])
    assert verdict.violating == ("deployment/openstack-operators/glance-operator-controller-manager",)


def test_ops_1_names_a_meta_operator_that_miscounts_and_a_service_without_operator() -> None:
    assert judged("OPS-1", [eyes.operators(deployed=3)]).violating == ("openstack/openstack-operators/openstack",)
    placement = replace(eyes.inventory().components[3], service="placement", name="placement")
    full = eyes.inventory()
    more = replace(full, components=(*full.components, placement))
    assert judged("OPS-1", [eyes.operators()], of=more).violating == ("service/placement",)


@pytest.mark.parametrize("drift", [eyes.drifted(restored=False), eyes.drifted(61.0)])
def test_ops_2_names_drift_that_stays_or_is_corrected_too_late(drift: list[Observation]) -> None:
    for others in ([], [eyes.conditions("keystone", "True")], [eyes.drift_not_tried()]):
        verdict = judged("OPS-2", [*drift, *others])
        assert verdict.violating == ("deployment/openstack/keystone",)


def test_ops_2_says_which_half_was_not_tried() -> None:
    """True conditions show nothing of drift, and corrected drift nothing of conditions; both together show both."""
    calm, drift = eyes.conditions("keystone", "True"), eyes.drifted()
    alone = judged("OPS-2", [calm])
    assert alone.outcome is Outcome.CONFORMS
    assert alone.because == (
        "no resource of 1 says Ready while its workload is not; drift was not tried in this scenario"
    )
    disturbed = judged("OPS-2", drift)
    assert disturbed.outcome is Outcome.CONFORMS
    assert disturbed.because == (
        "all 1 drifts were corrected, the slowest in 3.0 s (budget 60 s); conditions were not judged in this scenario"
    )
    assert not set(alone.conforming) & set(disturbed.conforming)
    assert "not tried" not in judged("OPS-2", [calm, *drift]).because


@pytest.mark.parametrize("others", [[], [eyes.conditions("keystone", "True")]])
def test_ops_2_does_not_conform_where_all_drift_was_refused(others: list[Observation]) -> None:
    """A limit that allows nothing leaves nothing to judge, however true the conditions are."""
    verdict = judged("OPS-2", [eyes.drift_not_tried(), *others])
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "service/openstack/keystone-internal (2 of keystone would be down at once" in verdict.because


def test_ops_2_gives_no_credit_for_drift_that_never_was() -> None:
    """An object that nobody changed is right all the time."""
    verdict = judged("OPS-2", [eyes.drift()])
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "never seen to be made" in verdict.because


def test_ops_2_names_the_drift_that_was_left_out() -> None:
    """It does not make the rest inconclusive, and it is not passed over in silence."""
    verdict = judged("OPS-2", [*eyes.drifted(), eyes.drift_not_tried("the limit is 1")])
    assert verdict.outcome is Outcome.CONFORMS
    assert "not tried: service/openstack/keystone-internal (the limit is 1)" in verdict.because


def test_ops_2_is_as_bad_as_its_worse_half_over_a_whole_run() -> None:
    """Scenarios of one run are merged by the worst: a lie is not made good by corrected drift, nor the reverse."""
    lies = judged("OPS-2", [eyes.conditions("keystone", "True", have=0, after_s=s) for s in (0, 65)])
    stays = judged("OPS-2", eyes.drifted(restored=False))
    fine = [judged("OPS-2", eyes.drifted()), judged("OPS-2", [eyes.conditions("keystone", "True")])]
    blind = judged("OPS-2", [eyes.blind(o) for o in eyes.drifted()])
    requirement = RequirementId("OPS-2")
    assert merged(requirement, [lies, fine[0]]).violating == ("keystoneapi/openstack/keystone",)
    assert merged(requirement, [fine[1], stays]).violating == ("deployment/openstack/keystone",)
    assert merged(requirement, [fine[1], blind]).outcome is Outcome.INCONCLUSIVE
    whole = merged(requirement, fine)
    assert whole.outcome is Outcome.CONFORMS
    assert "all 1 drifts were corrected" in whole.because
    assert "no resource of 1 says Ready" in whole.because


def test_ops_2_names_a_resource_that_goes_on_saying_ready_without_its_workload() -> None:
    series = [eyes.conditions("keystone", "True", have=0, after_s=s) for s in (0, 30, 65)]
    verdict = judged("OPS-2", [*eyes.drifted(), *series])
    assert verdict.violating == ("keystoneapi/openstack/keystone",)


def test_ops_2_blames_the_resource_that_lies_not_the_one_that_repeats_it() -> None:
    series = [eyes.conditions("keystone", "True", have=0, after_s=s) for s in (0, 65)]
    repeated = [eyes.parent(child, "True") for child in series]
    assert judged("OPS-2", [*eyes.drifted(), *series, *repeated]).violating == ("keystoneapi/openstack/keystone",)
    honest = [eyes.conditions("keystone", "False", have=0, after_s=s) for s in (0, 65)]
    alone = [eyes.parent(child, "True") for child in honest]
    verdict = judged("OPS-2", [*eyes.drifted(), *honest, *alone])
    assert verdict.violating == ("openstackcontrolplane/openstack/controlplane",)


def test_ops_2_accepts_a_galera_that_is_ready_with_one_member() -> None:
    series = [eyes.conditions("openstack", "True", desired=3, have=1, after_s=s, kind="Galera") for s in (0, 65)]
    assert judged("OPS-2", [*eyes.drifted(), *series]).outcome is Outcome.CONFORMS


def test_ops_2_does_not_call_a_moment_a_lie() -> None:
    moment = eyes.conditions("keystone", "True", have=1)
    assert judged("OPS-2", [*eyes.drifted(), moment]).outcome is Outcome.INCONCLUSIVE
    healed = eyes.conditions("keystone", "True", after_s=5)
    assert judged("OPS-2", [*eyes.drifted(), moment, healed]).outcome is Outcome.CONFORMS
    honest = eyes.conditions("keystone", "False", have=0)
    assert judged("OPS-2", [*eyes.drifted(), honest]).outcome is Outcome.CONFORMS


def test_ops_3_names_a_path_that_stops_with_the_operators() -> None:
    others = [o for o in eyes.conforming("OPS-3") if o.subject != "path/http"]
    assert judged("OPS-3", [*others, eyes.outage("http", 6.0)]).violating == ("path/http",)


def test_ops_3_counts_short_outages_together() -> None:
    """One of three instances that waits for its operator fails every third request, each for a moment."""
    others = [o for o in eyes.conforming("OPS-3") if o.subject != "path/http"]
    third = eyes.outage("http", 0.06, total_s=9.0, fail=330)
    assert judged("OPS-3", [*others, third]).violating == ("path/http",)


def test_ops_3_names_a_server_that_calls_an_operator() -> None:
    operator = eyes.side("operator", "keystone-operator-controller-manager", "x")
    call = eyes.edge(eyes.keystone(1), operator, 8080, "http")
    others = [o for o in eyes.conforming("OPS-3") if o.probe != "census"]
    assert judged("OPS-3", [*others, eyes.census(call)]).violating == (pod(KEYSTONE[1]),)


def test_ops_3_is_inconclusive_while_one_operator_was_not_proven_down() -> None:
    others = [o for o in eyes.conforming("OPS-3") if o.probe != "fault.took_hold"]
    verdict = judged("OPS-3", [*others, eyes.took_hold(*eyes.all_operator_pods()[:-1])])
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "keystone-operator" in verdict.because


def test_ops_3_counts_only_operators_that_run_and_says_nothing_without_any() -> None:
    """A meta-operator keeps the operators of disabled services, without a replica."""
    full = eyes.inventory()
    resting = tuple(replace(o, component=replace(o.component, desired=0)) for o in full.operators)
    one = judged("OPS-3", eyes.conforming("OPS-3"), of=replace(full, operators=(*full.operators[1:], resting[0])))
    assert f"all {len(full.operators) - 1} operators" in one.because
    none = judged("OPS-3", eyes.conforming("OPS-3"), of=replace(full, operators=resting))
    assert none.outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("requirement", ["DB-5", "MSG-2", "OPS-3"])
def test_a_hold_that_ended_early_is_no_evidence_of_a_whole_one(requirement: str) -> None:
    """A frozen container that its liveness probe has started anew was lost for less than is claimed."""
    whole = eyes.conforming(RequirementId(requirement))
    [proof] = [o for o in whole if o.probe == "fault.took_hold"]

    def again(after_s: float, *, held: bool) -> Observation:
        return replace(
            eyes.still_held(held=held), subject=proof.subject, asked_at=proof.asked_at + timedelta(seconds=after_s)
        )

    assert judged(requirement, [*whole, again(10, held=True)]).outcome is Outcome.CONFORMS
    later = judged(requirement, [*whole, again(10, held=True), again(30, held=False)])
    assert later.outcome is Outcome.CONFORMS
    assert "back before the hold ended" in later.because
    for ended in (again(10, held=False), again(9, held=True), eyes.blind(again(10, held=True))):
        verdict = judged(requirement, [*whole, ended])
        assert verdict.outcome is Outcome.INCONCLUSIVE
        assert ended.id in verdict.seen
