"""Connections between components."""

from __future__ import annotations

from pytest_bdd import given, then

from seatrial.engine import collect
from seatrial.engine.session import Session
from seatrial.entry.settling import settle
from seatrial.model.observation import Observation


@given("the connections of all its components have been watched", target_fixture="connections")
def connections_watched(trial: Session) -> tuple[Observation, ...]:
    return collect.look_at_connections(trial)


@then("every service reaches the others through their public APIs only")
def reached_through_public_apis(trial: Session) -> None:
    settle(trial.judge("API-1"))
