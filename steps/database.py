"""The database cluster and its members."""

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


@given("what the members of the database say about their cluster", target_fixture="members")
def members_of_the_database(trial: Session) -> tuple[Observation, ...]:
    return collect.look_at_members(trial)


@when("a row is written on each member", target_fixture="rows")
def row_written_on_each_member(trial: Session) -> tuple[Observation, ...]:
    return collect.write_on_every_member(trial)


@when(phrase("the active member of the database is {how:Loss}"), target_fixture="disruption")
def active_member_is_lost(trial: Session, how: Loss) -> Disruption[Any]:
    return collect.lose_active_member(trial, how)


@then("the database is whole again within the repair budget")
def database_is_whole_again(trial: Session, disruption: Disruption[Any]) -> None:
    collect.regain(trial, disruption)


@then("every member reads the rows of all others")
def every_member_reads_all_rows(trial: Session) -> None:
    settle(trial.judge("DB-4"))


@then("every acknowledged write is kept through an outage within the failover budget")
def acknowledged_writes_are_kept(trial: Session, attended: Attended) -> None:
    collect.close_ledger(attended)
    settle(trial.judge("DB-5"))
