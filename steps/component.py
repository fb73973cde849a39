"""Components of the control plane, and their instances."""

from __future__ import annotations

from pytest_bdd import given, then

from seatrial.engine import collect
from seatrial.engine.session import Session
from seatrial.entry.settling import settle
from seatrial.model.inventory import Inventory
from seatrial.model.observation import Observation


@given("the services of the deployment", target_fixture="inventory")
def services_of_the_deployment(trial: Session) -> Inventory:
    return trial.inventory(fresh=True)


@given("what every resource says about its instances", target_fixture="instances")
def what_resources_say(trial: Session) -> tuple[Observation, ...]:
    return collect.look_at_instances(trial)


@then("every component serves from several nodes at once")
def serves_from_several_nodes(trial: Session) -> None:
    settle(trial.judge("SCALE-1"))
