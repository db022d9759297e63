"""Figures beside a claim."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Context, Decimal
from fractions import Fraction

import mpmath as mp

from tests.vectors.producer.numbers import Json, exact, outward, real
from tests.vectors.producer.strings import delta_of
from tests.vectors.producer.table import accepted

# fmt: off

def rejected_figures(edited: Callable, put: Callable) -> None:
    """Figures that say something better than the proof, or else than the claim at its own ε, δ and epochs."""
    base, ball, learning, curved, hidden, two, noisy, trained = (accepted(name) for name in (
        "executed", "executed_reference_of_T", "figures_of_learning", "figures_of_a_curved_witness",
        "figures_of_a_secret_order", "figures_of_two_requests", "figures_of_noise_in_a_ball", "figures_of_training"))

    def at(of: Json, *epsilons: Fraction) -> list[int]:
        shown = of["predicate"]["figures"]["profile"]["epsilon"]
        return [shown.index(exact(epsilon)) for epsilon in epsilons]

    def profiled(key: str, entries: dict[int, str | None], without: Iterable[int] = ()) -> Callable[[Json], None]:
        """Change some entries, and leave out the lower bounds at others."""

        def edit(p: Json) -> None:
            for figure, changed in ((key, entries), ("lower", dict.fromkeys(without))):
                for i, value in changed.items():
                    p["figures"]["profile"][figure][i] = value

        return edit

    def nearer(of: Json, figure: str, key: str, i: int, up: bool) -> Callable[[Json], None]:
        context = Context(prec=7)
        step = context.next_plus if up else context.next_minus
        value = Decimal(of["predicate"]["figures"][figure][key][i])
        return put("figures", figure, key, i, str(step(step(value))).replace("E", "e"))

    def between(of: Json) -> Json:
        """Points at the claim's two ε and one between, of which the claim says that δ is in doubt there."""
        known, mu = of["predicate"]["epsilon"], of["predicate"]["mu"]
        least, most = Fraction(known["lower"]), Fraction(known["upper"])
        points = [least, (least + most) / 2, most]
        upper = [outward(delta_of(real(x), mp.mpf(mu["upper"])), True) for x in points[:2]]
        return {"epsilon": [exact(x) for x in points], "upper": [*upper, "0.00001"],
                "lower": [None, "0.0000100001", None]}

    most, least = (Fraction(base["predicate"]["epsilon"][key]) for key in ("upper", "lower"))
    half, own, low = at(base, most / 2, most, least)
    for name, message, edit, of in (
        ("profile_better_than_the_claim", "the claim is epsilon =",
         profiled("upper", {low: "0.00001", own: "0.00001"}), base),
        ("profile_worse_than_the_claim", "the claim is epsilon =",
         put("figures", "profile", "upper", own, "0.00001001"), base),
        ("profile_better_than_the_claim_in_a_ball", "the claim is epsilon =",
         profiled("upper", {1: "0.00001", 2: "0.00001", 3: "0.00001"}), noisy),
        ("profile_in_a_ball_less_than_the_proof", "is less than the proof gives",
         profiled("upper", {3: "1e-300"}), noisy),
        ("profile_in_a_ball_less_than_the_proof_at_zero", "is less than the proof gives",
         profiled("upper", {0: "0.0000100001", 1: "0.0000100001"}), noisy),
        ("profile_less_than_the_proof", "is less than the proof gives",
         nearer(base, "profile", "upper", half, False), base),
        ("profile_less_than_the_proof_at_zero", "is less than the proof gives",
         profiled("upper", {0: base["predicate"]["figures"]["profile"]["upper"][half]}, [0]), base),
        ("profile_less_than_the_proof_beyond", "is less than the proof gives",
         profiled("upper", {4: "1e-300"}, [4]), base),
        ("profile_of_learning_less_than_the_proof", "is less than the proof gives",
         nearer(learning, "profile", "upper", 0, False), learning),
        ("profile_of_one_request", "is less than the proof gives",
         nearer(two, "profile", "upper", 0, False), two),
        ("profile_of_a_secret_order_less_than_the_proof", "is less than the proof gives",
         put("figures", "profile", "upper", 4, "1e-300"), hidden),
        ("profile_of_training_less_than_the_proof", "is less than the proof gives",
         nearer(trained, "profile", "upper", 0, False), trained),
        ("profile_lower_more_than_the_proof", "is more than the proof gives",
         nearer(base, "profile", "lower", 0, True), base),
        ("profile_lower_of_learning_more_than_the_proof", "is more than the proof gives", lambda p: p["figures"][
            "profile"]["lower"].__setitem__(0, p["figures"]["profile"]["upper"][0]), curved),
        ("profile_lower_of_training_more_than_the_proof", "is more than the proof gives",
         nearer(trained, "profile", "lower", 0, True), trained),
        ("profile_lower_beyond_the_claim", "lower bound is epsilon =", put("figures", "profile", between(base)), base),
        ("profile_lower_of_no_witness", "has no lower bound", put("figures", "profile", "lower", 0, "0"), ball),
        ("sweep_better_than_the_claim", "the claim is", put("figures", "sweep", "upper", 0, "1.05"), base),
        ("sweep_worse_than_the_claim", "the claim is", put("figures", "sweep", "upper", 0, "1.07"), base),
        ("sweep_leaves_the_claim_out", "the claim is", put("figures", "sweep", "upper", 0, None), base),
        ("sweep_lower_better_than_the_claim", "the claim is", nearer(base, "sweep", "lower", 0, True), base),
        ("sweep_lower_of_no_witness", "the claim is None", put("figures", "sweep", "lower", 0, "0"), ball),
        ("sweep_without_the_run", "needs the run's own unlearning_epochs, 1",
         put("figures", "sweep", "values", ["2", "3", "4"]), base),
        ("sweep_of_epochs_of_learning", "of this run unlearning_epochs varies",
         put("figures", "sweep", "parameter", "epochs"), base),
        ("sweep_of_steps", "of this run epochs varies", put("figures", "sweep", "parameter", "steps"), learning),
        ("sweep_of_epochs_of_training", "of this run steps varies",
         put("figures", "sweep", "parameter", "epochs"), trained),
        ("sweep_below_the_witness", "less than any proof can give", lambda p: p["figures"]["sweep"].update(
            upper=[base["predicate"]["epsilon"]["upper"], "0.84304", None],
            lower=[base["predicate"]["epsilon"]["lower"], None, None]), base),
        ("sweep_lower_above_the_witness", "more than the proof gives", nearer(base, "sweep", "lower", 1, True), base),
        ("sweep_of_training_understated", "less than any proof can give",
         nearer(trained, "sweep", "upper", 2, False), trained),
        ("sweep_of_training_lower_overstated", "more than the proof gives",
         nearer(trained, "sweep", "lower", 2, True), trained),
        ("sweep_of_training_falls", "is below the bound for fewer", lambda p: [
            p["figures"]["sweep"][key].__setitem__(2, value) for key, value in (("upper", "0.5"), ("lower", None))],
         trained),
        ("sweep_published_of_another_number", "not what published says",
         put("figures", "sweep", "published", 0, "3.2"), base),
        ("sweep_published_by_nobody", "has no name", put("figures", "sweep", "published_name", None), base),
        ("sweep_published_left_out", "not what published says",
         put("figures", "published", {"koloskova2025": {"epsilon": "3.1"}}), base),
    ):
        edited(name, 1, message, edit, of)
