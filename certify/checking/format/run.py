"""The canonical run, and what it implies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from certify.checking.descent.losses import LOSSES, linear_model, loss_constants
from certify.checking.descent.scaling import read_scaling, scaled_constants
from certify.checking.descent.steps import contraction
from certify.checking.format.assumptions import ASSUMPTIONS
from certify.checking.format.data import check_data
from certify.checking.format.rounding import (
    KAPPA_DIGITS,
    NUMBERS,
    ULPS,
    check_floats,
    numbers_of,
    unit_in_the_last_place,
)
from certify.checking.limits import MAX_BATCHES, DoesNotFollow, require
from certify.checking.numbers.elementary import profile
from certify.checking.numbers.exact import canonical, root_rounded_up
from certify.checking.numbers.intervals import Interval, decide
from certify.checking.rules import RULES
from certify.checking.work import spend


@dataclass(frozen=True)
class Run:
    """The canonical run, with the numbers that everything else is derived from."""

    samples: int
    batch_size: int
    batches: int
    epochs: int
    unlearning_epochs: tuple[int, ...]
    sizes: tuple[int, ...]
    step_size: Fraction
    noise_std: str
    radius: Fraction | None
    initial_distance: str
    loss: dict[str, Any]
    scaling: dict[str, Any] | None
    m: Fraction
    smoothness: Fraction | None
    gradient_bound: Fraction
    convex: bool
    neighbours: str
    reference: str
    release: str
    secret: bool
    adaptively: bool  # whether requests are chosen from the released models
    target: Fraction
    delta: Fraction
    execution: dict[str, str]  # what numbers it is executed in

    @cached_property
    def rounding(self) -> str | None:
        """The status of the assumption that noise is above rounding; None where it is not made."""
        return rounding_status(self) if self.execution else None

    @property
    def derived(self) -> bool:
        return self.loss["kind"] != "constants"

    @property
    def clips_records(self) -> bool:
        """Whether each record's gradient is clipped, or scaled, by itself."""
        return (self.scaling is not None or self.loss.get("clip") is not None) and not clips_batches(self.loss)

    @property
    def contracts(self) -> bool:
        """Whether every step is a contraction by C1: c ≤ 1."""
        return self.convex and self.step_size * self.smoothness <= 2

    def unlearns(self, request: int) -> bool:
        """Whether the claim on a request (0-based) is about unlearning; else it is about learning itself."""
        return any(self.unlearning_epochs[: request + 1])


def loss_theorem(loss: dict[str, Any], scaling: dict[str, Any] | None) -> str:
    """L1 to L7b, or L1u to L5u where the gradients are scaled."""
    return LOSSES[loss["kind"]][0] + ("" if scaling is None else "u") + ("b" if clips_batches(loss) else "")


def clips_batches(loss: dict[str, Any]) -> bool:
    """Whether it is the mean gradient of a batch that is clipped, and not that of a record."""
    return loss.get("clipping") == "batch"


def loss_arguments(loss: dict[str, Any], scaling: dict[str, Any] | None, radius: str | None) -> dict[str, Any]:
    """What the theorem about this loss is told."""
    keys = RULES[loss_theorem(loss, scaling)].arguments
    return {key: radius if key == "radius" else loss[key] for key in keys}


def map_arguments(scaling: dict[str, Any]) -> dict[str, Any]:
    """What T14 and T16 are told about the map."""
    return {key: scaling.get(key) for key in ("kind", "max_grad_norm", "r", "s")}


def read_run(run: dict[str, Any]) -> Run:
    """The run's numbers, and the side conditions on them. No number of the format has a sign."""
    mechanism, loss, scaling = run["mechanism"], run["loss"], run["scaling"]
    samples, batch_size, epochs = (int(mechanism[key]) for key in ("samples", "batch_size", "epochs"))
    require(1 <= batch_size <= samples, "run: needs 1 <= batch_size <= samples")
    batches = samples // batch_size
    divides = samples % batch_size == 0
    require(divides or mechanism["remainder"] == "drop", "run: batch_size does not divide samples, remainder = error")
    if scaling is not None:
        linear = loss["kind"] in LOSSES and LOSSES[loss["kind"]][0] + "u" in RULES
        require(linear and loss["clip"] is None, "run: scaling needs a loss of a linear model with one output, no clip")
        theorem = loss_theorem(loss, scaling)
        model = linear_model(theorem, loss_arguments(loss, scaling, mechanism["radius"]), RULES[theorem].name)
        constants = scaled_constants(model, read_scaling(scaling, RULES["T16"].name))
    elif loss["kind"] in LOSSES:
        told = loss_arguments(loss, None, mechanism["radius"])
        constants = loss_constants(loss_theorem(loss, None), told)
    else:
        constants = {key: Fraction(loss[key]) for key in ("smoothness", "strong_convexity", "gradient_bound")}
        constants["convex"] = loss["convex"]
    m, smoothness, rule = constants["strong_convexity"], constants["smoothness"], mechanism["step_size"]
    require(smoothness is None or m <= smoothness, "run: needs strong_convexity <= smoothness")
    if rule in ("1/L", "2/(L+m)"):
        require(smoothness is not None, f"run: step_size = {rule} needs a known smoothness")
        require(smoothness > 0, "run: step_size divides by zero")
        step_size = 1 / smoothness if rule == "1/L" else 2 / (smoothness + m)
    else:
        step_size = Fraction(rule)
    require(step_size > 0, "run: needs step_size > 0")
    require(Fraction(mechanism["noise_std"]) > 0, "run: needs noise_std > 0")
    radius = mechanism["radius"] and Fraction(mechanism["radius"])
    require(radius is None or radius > 0, "run: needs radius > 0")
    sizes = tuple(int(size) for size in run["requests"]["sizes"])
    require(all(size >= 1 for size in sizes), "run: needs requests of at least one record")
    require(sum(sizes) <= batches * batch_size, "run: the requests name more records than the batches hold")
    limits = run["requests"]
    require(sum(sizes) <= int(limits.get("max_records", sum(sizes))), "run: more records than requests.max_records")
    longest = max(int(k) for k in mechanism["unlearning_epochs"])
    require(longest <= int(limits.get("max_epochs", longest)), "run: more unlearning_epochs than requests.max_epochs")
    adaptively = "chosen" in limits
    seen = run["threat"]["release"] == "all"
    require(seen or not adaptively, "run: requests.chosen = adaptively needs release = all")
    require(sum(sizes) <= MAX_BATCHES * batch_size, f"run: more than {MAX_BATCHES} batches with differing records")
    expands = constants["convex"] and step_size * smoothness > 2
    require(not expands or radius is not None, "run: contraction > 1 (step_size > 2/L) without a radius")
    target, threat = run["target"], run["threat"]
    delta = Fraction(1, samples) if target["delta"] == "1/n" else Fraction(target["delta"])
    require(0 < delta < 1, "run: needs delta strictly between 0 and 1")
    check_floats(numbers_of(run))
    if "data" in run:
        check_data(run["data"], loss)
    return Run(
        samples, batch_size, batches, epochs, tuple(int(k) for k in mechanism["unlearning_epochs"]), sizes, step_size,
        mechanism["noise_std"], radius, mechanism["initial_distance"], loss, scaling, m, smoothness,
        constants["gradient_bound"], constants["convex"], threat["neighbours"], threat["reference"], threat["release"],
        mechanism["batch_order"] == "secret", adaptively, Fraction(target["epsilon"]), delta, numbers_of(run),
    )  # fmt: skip


def phase_epochs(run: Run, request: int, fewer: int = 0) -> list[int]:
    """Epochs of learning, and of each unlearning up to the request (0-based); 0 = no such phase.

    Retraining for T epochs is compared with the last T epochs of the history. `fewer`: at the end of the last phase.
    """
    spend(1 + request)
    epochs = [run.epochs, *run.unlearning_epochs[: request + 1]]
    left_out = sum(epochs[1:]) if run.reference == "retrain-T" else 0
    for i, count in enumerate(epochs):
        epochs[i] = max(0, count - left_out)
        left_out -= count - epochs[i]
    epochs[-1] -= fewer
    return epochs


def implied_start(run: Run, request: int) -> str:
    """How far apart the two runs are at the start of the timeline.

    A reference that is not retraining for as many epochs begins somewhere else in the ball, whatever the initial
    distance of the two runs: without a ball, nothing bounds how far.
    """
    if run.reference == "retrain" or not run.unlearns(request):
        return run.initial_distance
    require(run.radius is not None, f"run: reference = {run.reference} needs a radius")
    return canonical(max(2 * run.radius, Fraction(run.initial_distance)))


def differing(run: Run, request: int, phase: int) -> int:
    """Records that differ in a phase of the claim on a request: of all requests up to it that are not yet erased.

    Where requests are chosen from the released models, each record may be the last that is asked for.
    """
    spend(1 + (request >> 4))
    first = 0 if run.adaptively and phase <= request else phase
    return sum(run.sizes[first : request + 1])


def is_hidden(run: Run, request: int) -> bool:
    """Whether the secrecy of the batch order is what bounds this claim (T9): one record, learned from, and never again.

    Without unlearning there is but one model, whatever is released, and no reference.
    """
    one_record = request == 0 and run.sizes[0] == 1 and run.epochs > 0 and Fraction(run.initial_distance) == 0
    plain = not run.unlearns(request) or (run.release == "final" and run.reference == "retrain")
    return run.secret and one_record and plain and run.contracts


def placed_records(run: Run, count: int, first: bool) -> list[list[str]]:
    """(position, count) of the batches with differing records, where that is worst: see `implied_phases`."""
    if clips_batches(run.loss):  # one record, or more: it is all the same to a batch
        counts = [1] * min(count, run.batches)
    else:
        full, rest = divmod(count, run.batch_size)
        counts = [run.batch_size] * full + [rest] * (rest > 0)
    if first:
        return [[str(i), str(count)] for i, count in enumerate(counts)]
    return [[str(run.batches - len(counts) + i), str(count)] for i, count in enumerate(counts[::-1])]


def implied_phases(
    run: Run, request: int, among: Sequence[int], witness: bool = False, fewer: int = 0, first: Sequence[bool] = ()
) -> Iterator[dict[str, Any]]:
    """Some phases of the claim on a request (0-based): 0 is learning, i the i-th unlearning; none without epochs.

    In which batches the records are is not known. For μ they fill the last batch, then the one before: for c ≤ 1 a
    later position costs no less. For c > 1 there is one record: an earlier batch is the same history with clean steps
    appended (whatever rates a phase goes by, they hold at every step). For the excursions of T26 see `gauges`.
    For W∞ (`first`: of each of these phases) what follows a shift multiplies it: where that makes it grow, or where
    the steps drift from the first shift on, they fill the first batch, then the one after.
    """
    placed = iter(first)
    for phase, epochs in enumerate(phase_epochs(run, request, fewer)):
        if epochs and phase in among:
            spend(10 + differing(run, request, phase) // run.batch_size)
            records = placed_records(run, differing(run, request, phase), next(placed, False))
            described = {"epochs": str(epochs), "batches": str(run.batches), "step_size": canonical(run.step_size)}
            described |= {"noise_std": run.noise_std, "records": records}
            yield described | ({"batch_size": str(run.batch_size)} if witness else {})


def rounding_status(run: Run) -> str:
    """T28's rule of thumb. Steps that are c-Lipschitz, c < 1, and executed with errors of at most r ulp in each of d
    coordinates, add at most κ = 2·√d·r·ulp(X)/((1-c)τ) to μ: what the steps before the last one leave behind, and the
    last one's own rounding. Each model that is seen is the end of such a stretch.

    proved: 100·κ is a μ at which the target is met; violated: it is not, or that is not decided; attested: something is
    not known.
    """
    known = run.execution
    if len(known) < len(NUMBERS) or not run.convex or run.smoothness is None:
        return "attested"
    c = contraction(run.step_size, run.m, run.smoothness)
    if c >= 1:
        return "attested"
    error = ULPS * unit_in_the_last_place(Fraction(known["largest_coordinate"]), known["dtype"])
    variance = 2 * run.step_size * Fraction(run.noise_std) ** 2
    stretches = len(run.sizes) if run.release == "all" else 1
    kappa_squared = stretches * int(known["dimension"]) * (2 * error / (1 - c)) ** 2 / variance
    mu = root_rounded_up(10**4 * kappa_squared, KAPPA_DIGITS)
    try:
        met = decide(lambda bits: profile(run.target, Interval.of(mu, bits)) <= run.delta, "noise_above_rounding")
    except DoesNotFollow:
        met = False
    return "proved" if met else "violated"


def implied_assumptions(
    of: Run, run: dict[str, Any], theorems: set[str], execution: dict[str, Any]
) -> list[dict[str, str]]:
    """What the claim about this run takes for granted, in the order of docs/certificate.md.

    What a run does not have is `violated`: then `check_arguments` refuses every step that would rest on it.
    """
    derived = of.derived
    loss = "proved" if derived else "attested"
    status = {"convexity": loss if of.convex else "violated"}
    status |= {} if clips_batches(of.loss) else {"gradient_bound": loss}
    status["smoothness"] = "violated" if of.smoothness is None else loss
    status |= {"noise_above_rounding": of.rounding} if of.rounding else {}
    mechanism, threat = run["mechanism"], run["threat"]
    chosen = {"gaussian_noise", "starts", "batches:fixed", f"batches:{mechanism['batch_order']}"}
    chosen |= {f"neighbours:{threat['neighbours']}"}
    chosen |= {"release:adaptively" if of.adaptively else f"release:{threat['release']}"}
    chosen |= set(LOSSES[run["loss"]["kind"]][1]) if derived else set()
    chosen |= {"weight_decay"} if not of.convex or theorems & {"T22", "T23", "T23b"} else set()
    chosen |= {"batch_clipping"} if clips_batches(of.loss) else set()
    if of.clips_records:
        status["per_record_clipping"] = "checked" if "clipping" in execution else "attested"
    chosen |= {"projection"} if mechanism["radius"] is not None else set()
    chosen |= {f"reference:{threat['reference']}"} if any(int(k) for k in mechanism["unlearning_epochs"]) else set()
    listed = [name for name in ASSUMPTIONS if name in status or name in chosen]
    return [{"id": name, "status": status.get(name, "attested"), "text": ASSUMPTIONS[name]} for name in listed]
