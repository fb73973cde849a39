"""The message broker and its members."""

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


@given("what the broker says about its queues and where they are kept", target_fixture="queues")
def queues_of_the_broker(trial: Session) -> tuple[Observation, ...]:
    return collect.look_at_queues(trial)


@when(phrase("the member of the broker that leads the ledger's queue is {how:Loss}"), target_fixture="disruption")
def leading_member_is_lost(
    trial: Session, how: Loss, attended: Attended, queues: tuple[Observation, ...]
) -> Disruption[Any]:
    return collect.lose_leading_member(trial, how, attended, queues)


@then("the broker is whole again within the repair budget")
def broker_is_whole_again(trial: Session, disruption: Disruption[Any]) -> None:
    collect.regain(trial, disruption)


@then("every confirmed message is still delivered")
def confirmed_messages_are_delivered(trial: Session, attended: Attended) -> None:
    collect.look_at_queues(trial)
    collect.close_ledger(attended)
    settle(trial.judge("MSG-2"))
