"""Several faults as one: at once, or one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from seatrial.faults import proof
from seatrial.journal.codec import decode, encode
from seatrial.model.errors import BadInput, Problem, Unreachable
from seatrial.model.fault import Fault, Injection, Look
from seatrial.model.inventory import Inventory
from seatrial.model.observation import Json
from seatrial.model.rights import Right, united
from seatrial.model.target import Grant

if TYPE_CHECKING:
    from seatrial.clients.deployment import Deployment


@dataclass(frozen=True, slots=True)
class Together:
    """Hurts in several ways at once; taken back in reverse order, each part for itself."""

    parts: tuple[Fault, ...]
    kind: ClassVar[str] = "together"
    grant: ClassVar[Grant] = Grant.DISRUPT
    one_way: ClassVar[bool] = False

    def parameters(self) -> Mapping[str, Json]:
        """Return what makes an equal fault."""
        return {"parts": [{"kind": part.kind, "parameters": dict(part.parameters())} for part in self.parts]}

    def rights(self) -> tuple[Right, ...]:
        """Return what it needs of the platform."""
        return united(part.rights() for part in self.parts)

    def applies(self, inventory: Inventory) -> str | None:
        """Return the first part's reason not to run."""
        return next((why for part in self.parts if (why := part.applies(inventory))), None)

    def prepare(self, deployment: Deployment, inventory: Inventory, seed: int) -> Injection:
        """Prepare every part; refuses two that touch the same subject, by name."""
        made = [part.prepare(deployment, inventory, seed + number) for number, part in enumerate(self.parts)]
        subjects = [subject for injection in made for subject in injection.subjects]
        twice = sorted({subject for subject in subjects if subjects.count(subject) > 1})
        if twice:
            problem = Problem("fault together", f"parts that touch the same: {', '.join(twice)}", "disjoint parts")
            raise BadInput([problem])
        recipe: dict[str, Json] = {"parts": [encode(injection) for injection in made]}
        return proof.new_injection(
            self.kind,
            self.parameters(),
            subjects,
            recipe,
            costs={subject: cost for injection in made for subject, cost in injection.costs.items()},
            by_hand=[line for injection in made for line in injection.by_hand],
        )

    def inject(self, deployment: Deployment, injection: Injection) -> None:
        """Hurt, part by part, without waiting between them."""
        for part, own in self._with_own(injection):
            part.inject(deployment, own)

    def holds(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell whether every part has taken hold."""
        return _all((own, part.holds(deployment, own)) for part, own in self._with_own(injection))

    def undo(self, deployment: Deployment, injection: Injection, waited_s: float) -> None:
        """Try to take every part back, last first; one that fails does not keep the others from being taken back."""
        failures: list[Exception] = []
        for part, own in reversed(self._with_own(injection)):
            try:
                part.undo(deployment, own, waited_s)
            except Exception as problem:  # whatever it is: the other parts are still there
                failures.append(problem)
        if failures:
            raise Unreachable("; ".join(f"{type(problem).__name__}: {problem}" for problem in failures))

    def gone(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell whether every part is gone."""
        return _all((own, part.gone(deployment, own)) for part, own in self._with_own(injection))

    def _with_own(self, injection: Injection) -> list[tuple[Fault, Injection]]:
        own = [decode(Injection, entry) for entry in proof.entries(injection.recipe, "parts")]
        return list(zip(self.parts, own, strict=True))


def together(*parts: Fault) -> Together:
    """Return the fault that hurts in all these ways at once."""
    return Together(parts)


def _all(looks: Iterable[tuple[Injection, Look]]) -> Look:
    seen = list(looks)
    parts: list[Json] = [
        {"fault": own.fault, "subjects": list(own.subjects), "so": look.so, **look.proof} for own, look in seen
    ]
    return Look(all(look.so for _, look in seen), {"parts": parts})
