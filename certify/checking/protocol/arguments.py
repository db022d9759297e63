"""Side conditions: every step has the arguments and premises that the run implies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from certify.checking.format.run import (
    Run,
    clips_batches,
    differing,
    implied_phases,
    implied_start,
    is_hidden,
    loss_theorem,
    map_arguments,
    phase_epochs,
)
from certify.checking.limits import require
from certify.checking.numbers.exact import canonical
from certify.checking.rules import RULES
from certify.checking.work import spend

RATES = ("C1", "T22", "T23", "T23b")  # of a noiseless step
DRIFTS = {"T23", "T23b"}  # those by which runs that are apart drift at every step


@dataclass(frozen=True)
class Proof:
    """The steps of a proof, what the run implies of an argument by its name, and which steps something refers to."""

    steps: list[dict[str, Any]]
    implied: dict[str, Any]
    used: set[int] = field(default_factory=set)

    def theorem_of(self, index: str) -> str:
        require(int(index) < len(self.steps), f"there is no step {index}")
        return self.steps[int(index)]["theorem"]

    def premises(
        self, index: str, theorem: str, count: int, free: Iterable[str] | None = None, **here: Any
    ) -> list[str]:
        """The premises of a step that must be this theorem, with what the run implies `here`, or else anywhere."""

        def agree(found: Any, implied: Any) -> bool:  # a generator is compared entry by entry, as far as they agree
            if not isinstance(implied, Iterator):
                return found == implied
            return all(entry == next(implied, None) for entry in found) and next(implied, None) is None

        spend(5)
        found, rule = self.theorem_of(index), RULES[theorem]
        require(found == theorem, f"step {index}: {theorem} is needed here, got {found}")
        step, name = self.steps[int(index)], f"step {index} ({rule.name})"
        for key in rule.arguments:
            if key not in (RULES[theorem].free if free is None else free):
                value = here[key] if key in here else self.implied[key]
                require(agree(step["args"][key], value), f"{name}: {key} is not what the run implies")
        require(len(step["premises"]) == count, f"{name}: needs {count} premises")
        self.used.add(int(index))
        return step["premises"]

    def check_order(self) -> None:
        """Every premise is an earlier step."""
        for i, step in enumerate(self.steps):
            earlier = all(int(premise) < i for premise in step["premises"])
            require(earlier, f"step {i}: a premise is not an earlier step")

    def check_use(self) -> None:
        """Something refers to every step."""
        unused = sorted(set(range(len(self.steps))) - self.used)
        require(not unused, f"step {unused[0] if unused else ''}: nothing refers to it")


def implied_arguments(run: Run) -> dict[str, Any]:
    """What the run implies of an argument by its name, wherever a step has it."""
    known = {
        "step_size": run.step_size, "strong_convexity": run.m, "smoothness": run.smoothness, "radius": run.radius,
        "gradient_bound": run.gradient_bound, "diameter": run.radius and 2 * run.radius, "delta": run.delta,
    }  # fmt: skip
    texts = {"batch_size": str(run.batch_size), "neighbours": run.neighbours, "start": run.initial_distance}
    texts |= {key: None if value is None else canonical(value) for key, value in known.items()}
    return run.loss | ({} if run.scaling is None else map_arguments(run.scaling)) | texts


def check_arguments(run: Run, steps: list[dict[str, Any]], claims: list[dict[str, Any]], first: int = 0) -> None:
    """Every step has the arguments and premises that the run implies. `first`: the request of the first claim.

    Free, besides what each rule names as `free`, are the rates that a phase goes by (C1, T22 or T23: as far as the run
    has what they rest on), the theorem that bounds μ, and the epochs left to T24.
    """
    proof = Proof(steps, implied_arguments(run))
    premises, theorem_of = proof.premises, proof.theorem_of

    def with_constants(index: str, theorem: str, **here: Any) -> None:
        for premise in premises(index, theorem, int(run.derived), **here):
            if run.scaling is not None:
                (premise,) = premises(premise, "T16", 1)
            premises(premise, loss_theorem(run.loss, run.scaling), 0)

    def check_rate(index: str) -> bool:  # of one noiseless step; whether it may be an expansion
        batch, kind = clips_batches(run.loss), theorem_of(index) if theorem_of(index) in RATES else "C1"
        name = f"step {index} ({RULES[kind].name})"
        require((kind == "T23b") == batch, f"{name}: batches are clipped, or records, not both")
        require(run.convex or kind != "C1", f"{name}: this loss is not convex")
        require(run.smoothness is not None or kind in DRIFTS, f"{name}: this loss has no smoothness")
        with_constants(index, kind)
        return not run.contracts if kind == "C1" else kind == "T22" and run.smoothness > 0

    def check_timeline(
        index: str, start: str, request: int, among: Sequence[int], fewer: int = 0, tracked: bool = False
    ) -> set[str]:
        epochs = [(i, count) for i, count in enumerate(phase_epochs(run, request, fewer)) if count and i in among]
        given = premises(index, "T10", 2 * len(epochs), RULES["T10"].arguments)  # the arguments hang on these
        expands = [check_rate(premise) for premise in given[::2]]
        name = f"step {index} (requests)"
        if any(expands):  # the worst batch is proved for one record and equal starts only
            require(run.radius is not None, f"{name}: contraction > 1 without a radius")
            few = differing(run, request, epochs[0][0]) <= 1
            require(few, f"{name}: contraction > 1 with more than one differing record")
            require(Fraction(start) == 0, f"{name}: contraction > 1 from unequal starts")
        for rate, shift in zip(given[::2], given[1::2], strict=True):
            if theorem_of(rate) == "T23b":
                require(shift == rate, f"{name}: a batch_clipped_step stands for both")
            else:
                with_constants(shift, "C2")
        drifts = [theorem_of(rate) in DRIFTS for rate in given[::2]]
        placed = [tracked and (x or y) for x, y in zip(expands, drifts, strict=True)]
        phases = implied_phases(run, request, among, fewer=fewer, first=placed)
        premises(index, "T10", 2 * len(epochs), start=start, phases=phases)
        return {theorem_of(rate) for rate in given[::2]}

    def check_string(index: str, start: str, request: int, among: Sequence[int], fewer: int = 0) -> None:
        kind = theorem_of(index) if RULES[theorem_of(index)].string else "T3"
        name = f"step {index}: {RULES[kind].name}"
        require(run.radius is not None or kind not in ("T5", "T26r"), f"{name} needs a radius")
        (timeline,) = premises(index, kind, 1)
        rates = check_timeline(timeline, start, request, among, fewer)
        require(kind in ("T26", "T26r") or not rates & DRIFTS, f"{name} is not for steps that drift")

    def check_range(index: str, start: str, request: int, epochs: list[int]) -> None:
        last, name = int(steps[int(index)]["args"]["phase"]["epochs"]), f"claim {request}: range_before_noise"
        require(run.radius is not None, f"{name} needs a radius")
        require(run.reference != "retrain-T", f"{name} is not for retrain-T")
        require(1 <= last <= epochs[-1], f"{name} needs the last epochs of unlearning")  # on equal data
        require(sum(epochs) > last, f"{name} needs epochs before the last ones")
        alike = {"epochs": str(last), "batches": str(run.batches), "step_size": proof.implied["step_size"]}
        before, rate = premises(index, "T24", 2, phase=alike | {"noise_std": run.noise_std, "records": []})
        check_string(before, start, request, range(request + 2), last)
        check_rate(rate)

    def check_witness(index: str, request: int, among: Sequence[int], hidden: bool) -> None:
        phases, kind = implied_phases(run, request, among, witness=True), theorem_of(index)
        if hidden:
            with_constants(index, "T6m", phases=phases)
        elif kind == "T6c" and (run.release == "final" or not run.unlearns(request)):
            require(run.convex, f"step {index} (curved_witness): this loss is not convex")
            with_constants(index, "T6c", phases=phases)
        else:
            (witness,) = premises(index, "T11", 1)
            with_constants(witness, "T6", phases=phases)

    proof.check_order()
    for request, claim in enumerate(claims, first):
        epochs, every = phase_epochs(run, request), range(request + 2)
        start, string, bound = implied_start(run, request), None, claim["bound"]
        retrain = run.reference == "retrain" or not run.unlearns(request)
        require(any(epochs), f"claim {request}: needs at least one step")
        composed = theorem_of(bound) == "T11" and any(theorem_of(i) == "T7" for i in steps[int(bound)]["premises"])
        composed = run.release == "all" and (run.unlearns(request) or composed)  # one release may be called final
        hidden = is_hidden(run, request) and not composed
        if composed:  # one stretch between releases after the other; the last one is on equal data
            require(retrain, f"claim {request}: release = all needs reference = retrain")
            require(run.epochs > 0 or Fraction(start) == 0, f"claim {request}: unequal starts would be released")
            stretches = [i for i in every[:-1] if epochs[i]]
            (string,) = premises(bound, "T11", 1)
            for i, premise in zip(stretches, premises(string, "T7", len(stretches)), strict=True):
                check_string(premise, start if i == 0 else "0", request, (i,))
        elif hidden:
            (timeline,) = premises(bound, "T9", 1)
            require(check_timeline(timeline, start, request, every) == {"C1"}, "secret_order: needs steps by C1")
        elif theorem_of(bound) == "T24":
            check_range(bound, start, request, epochs)
        else:
            (string,) = premises(bound, "T11", 1)
            check_string(string, start, request, every)
        # below: not under projection. A secret order takes a witness that does not know it, drawn over all the records
        possible = run.radius is None and retrain and (run.epochs > 0 or not composed)
        possible &= not run.secret or (hidden and run.samples % run.batch_size == 0)
        possible &= run.smoothness is not None
        if claim["lower"] is None:
            require(not possible or run.secret, f"claim {request}: needs a witness (lower)")
        else:
            require(possible, f"claim {request}: no witness (lower) is valid for this run")
            check_witness(claim["lower"], request, (0,) if composed else every, hidden)
        mixed = hidden and theorem_of(claim["renyi"]) == "T9r"
        require(("mu" in claim) == mixed, f"claim {request}: mu is named for a renyi by T9r, and only there")
        (found,) = premises(claim["renyi"], "T9r" if mixed else "T2", 1)
        alike = steps[int(claim["renyi"])]["args"]["orders"] == steps[int(claims[0]["renyi"])]["args"]["orders"]
        require(alike, f"claim {request}: renyi needs the orders of the first claim")
        if mixed:
            require(check_timeline(found, start, request, every) == {"C1"}, "secret_renyi: needs steps by C1")
            found = claim["mu"]
        require(string in (None, found), f"claim {request}: renyi_curve: not of the string that bounds epsilon")
        if string is None:  # of the record in the worst batch
            check_string(found, start, request, every)
        for key, leading in (("learned", int(epochs[0] > 0)), ("released", sum(map(bool, epochs)))):
            (timeline,) = premises(claim[key], "T1", 1, phases=str(leading))
            check_timeline(timeline, start, request, every, tracked=True)
    proof.check_use()
