"""Users and clients: their work, their paths, and what they were promised."""

from __future__ import annotations

from pytest_bdd import given

from seatrial.engine import collect
from seatrial.engine.collect import Attended
from seatrial.engine.session import Session


@given("a control plane that users are working with")
@given("users keep creating projects")
def users_at_work(trial: Session) -> None:
    collect.let_users_work(trial)


@given("a ledger of everything that users and clients were promised", target_fixture="attended")
def ledger_of_promises(trial: Session) -> Attended:
    return collect.keep_ledger(trial)


@given("a ledger of every message that clients had confirmed", target_fixture="attended")
def ledger_of_messages(trial: Session) -> Attended:
    return collect.keep_message_ledger(trial)


@given("every path that users and clients take is being measured", target_fixture="attended")
def paths_being_measured(trial: Session) -> Attended:
    return collect.measure_paths(trial)
