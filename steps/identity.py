"""The identity service, its catalogue and its tokens."""

from __future__ import annotations

from pytest_bdd import given, then, when

from seatrial.engine import collect
from seatrial.engine.session import Session
from seatrial.entry.settling import settle
from seatrial.model.observation import Observation


@given("what the catalogue says about the services", target_fixture="catalogue")
def catalogue_of_services(trial: Session) -> tuple[Observation, ...]:
    return collect.look_at_catalogue(trial)


@when("every address of every service is asked with and without a token", target_fixture="answers")
def asked_with_and_without_token(trial: Session) -> tuple[Observation, ...]:
    return collect.ask_with_and_without_token(trial)


@then("only those who show a valid token are served")
def only_tokens_are_served(trial: Session) -> None:
    settle(trial.judge("API-3"))
