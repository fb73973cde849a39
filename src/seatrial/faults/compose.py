"""Several faults as one: at once, or one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from seatrial.faults import proof
from seatrial.journal.codec import decode, encode
from seatrial.model.errors import BadInput, Problem, SeatrialError, UndoFailed
from seatrial.model.fault import Fault, Injection
from seatrial.model.inventory import Inventory
from seatrial.model.observation import Json, Observation
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
        return proof.new_injection(self.kind, self.parameters(), subjects, recipe)

    def inject(self, deployment: Deployment, injection: Injection) -> None:
        """Hurt, part by part, without waiting between them."""
        for part, own in self._with_own(injection):
            part.inject(deployment, own)

    def took_hold(self, deployment: Deployment, injection: Injection) -> Observation:
        """Prove that every part took hold."""
        seen = [part.took_hold(deployment, own) for part, own in self._with_own(injection)]
        return proof.took_hold(injection, lambda: _all(seen, "held"))

    def undo(self, deployment: Deployment, injection: Injection) -> None:
        """Take every part back, last first; one that fails does not keep the others from being taken back."""
        failures: list[str] = []
        for part, own in reversed(self._with_own(injection)):
            try:
                part.undo(deployment, own)
            except SeatrialError as problem:
                failures.append(str(problem))
        if failures:
            raise UndoFailed("; ".join(failures))

    def is_gone(self, deployment: Deployment, injection: Injection) -> Observation:
        """Prove that every part is gone."""
        seen = [part.is_gone(deployment, own) for part, own in self._with_own(injection)]
        return proof.is_gone(injection, lambda: _all(seen, "gone"))

    def _with_own(self, injection: Injection) -> list[tuple[Fault, Injection]]:
        own = [decode(Injection, entry) for entry in proof.entries(injection.recipe, "parts")]
        return list(zip(self.parts, own, strict=True))


def together(*parts: Fault) -> Together:
    """Return the fault that hurts in all these ways at once."""
    return Together(parts)


def _all(seen: list[Observation], word: str) -> tuple[bool, proof.Proof]:
    parts: list[Json] = [{"value": one.value, "error": one.error, "subject": str(one.subject)} for one in seen]
    return all(isinstance(one.value, dict) and one.value.get(word) is True for one in seen), {"parts": parts}
