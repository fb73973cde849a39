"""Operators and the meta-operator above them."""

from __future__ import annotations

from typing import Any

from pytest_bdd import given, then, when

from seatrial.engine import collect
from seatrial.engine.collect import Attended, Loss
from seatrial.engine.disruption import Disruption
from seatrial.engine.session import Session
from seatrial.entry.settling import settle
from seatrial.model.observation import Observation
from steps.phrases import phrase


@given("what the meta-operator says about its children", target_fixture="operators")
def what_the_meta_operator_says(trial: Session) -> tuple[Observation, ...]:
    return collect.look_at_operators(trial)


@when("somebody changes and deletes objects behind the operators' backs", target_fixture="drifts")
def objects_changed_and_deleted(trial: Session) -> tuple[Observation, ...]:
    return collect.make_drift(trial)


@when(phrase("all operators, the meta-operator included, are {how:Loss}"), target_fixture="disruption")
def all_operators_are_lost(trial: Session, how: Loss) -> Disruption[Any]:
    return collect.lose_operators(trial, how)


@then("the operators work again within the repair budget")
def operators_work_again(trial: Session, disruption: Disruption[Any]) -> None:
    collect.regain(trial, disruption)


@then("every service has its operator and every operator its owner")
def one_family(trial: Session) -> None:
    settle(trial.judge("OPS-1"))


@then("every resource tells the truth, as soon as it had time to")
def conditions_tell_the_truth(trial: Session) -> None:
    collect.give_time_to_tell(trial)
    settle(trial.judge("OPS-2"))


@then("the operators have put everything right within the reconcile budget")
def everything_put_right(trial: Session) -> None:
    settle(trial.judge("OPS-2"))


@then("no request was held up meanwhile")
def no_request_held_up(trial: Session, attended: Attended) -> None:
    collect.close_ledger(attended)
    settle(trial.judge("OPS-3"))
