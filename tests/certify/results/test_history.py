"""Certifying over a history of requests: what `learn` and `unlearn` promise before anything is run."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accountant import derive_upper, enclose
from certify import checker
from certify.errors import OutOfReach, UsageError
from certify.results.history import certify_learning, certify_request, max_epochs, with_history
from certify.runfile.read import Run, read_run
from certify.trust.certificate import certificate_bytes

F = Fraction


def run(release: str = "all", noise: Any = 2, **requests: Any) -> Run:
    """Three batches of ten, four epochs, c < 1."""
    return read_run(
        {
            "mechanism": {
                "kind": "pnsgd",
                "samples": 30,
                "batch_size": 10,
                "epochs": 4,
                "noise_std": noise,
                "step_size": "1/2",
            },
            "loss": {"kind": "constants", "smoothness": 1, "strong_convexity": "1/10", "gradient_bound": 1},
            "requests": requests,
            "target": {"epsilon": 2, "delta": "1e-5"},
            "threat": {"release": release},
        }
    )


def epsilon(of: Run, request: int) -> Fraction:
    return enclose(derive_upper(of.mechanism, of.target_delta, request)).upper


def honour(of: Run, sizes: list[int]) -> tuple[tuple[int, ...], tuple[int, ...], list[Any]]:
    done: tuple[int, ...] = ()
    epochs: tuple[int, ...] = ()
    found = []
    for size in sizes:
        found.append(certify_request(of, done, epochs, size))
        done, epochs = (*done, size), (*epochs, found[-1].epochs)
    return done, epochs, found


def test_all_models_seen_takes_one_epoch_and_counts_the_records_one_by_one() -> None:
    of = run(max_records=2)
    learning = certify_learning(of)
    assert learning.epochs == 1 and learning.records == 2 and learning.covered >= 2
    covered, of = learning.covered, run()
    assert epsilon(with_history(of, (1,) * covered, (1,) * covered), covered - 1) <= 2
    more = covered + 1
    assert epsilon(with_history(of, (1,) * more, (1,) * more), more - 1) > 2
    assert str(covered) in learning.sentence()


def test_no_order_of_the_covered_records_misses_the_target() -> None:
    """One by one is the worst: each request more is a stretch more that counts."""
    of = run()
    covered = certify_learning(of).covered
    for sizes in ([covered], [1] * covered, [covered - 1, 1], [1, covered - 1]):
        for found in honour(of, sizes)[2]:
            assert Fraction(found.result.epsilon["upper"]) <= 2


def test_more_records_than_the_target_covers_train_nothing() -> None:
    with pytest.raises(OutOfReach, match=r"is met for 5 records, not for 8; batch_size = 30 would do .*plumbline plan"):
        certify_learning(run(max_records=8))


def test_the_final_model_alone_takes_the_least_epochs() -> None:
    of = run("final", noise="0.3", max_epochs=40)
    sizes, epochs, found = honour(of, [1, 2, 1])
    for request, (k, claim) in enumerate(zip(epochs, found, strict=True)):
        assert k >= 1 and Fraction(claim.result.epsilon["upper"]) <= 2
        history = with_history(of, sizes[: request + 1], epochs[: request + 1])
        assert epsilon(history, request) <= 2
        if k > 1:
            fewer = with_history(of, sizes[: request + 1], (*epochs[:request], k - 1))
            assert epsilon(fewer, request) > 2
    assert max(epochs) > 1


def test_no_epochs_up_to_the_limit() -> None:
    with pytest.raises(OutOfReach, match=r"with K up to 4, not for 1; requests\.max_epochs = 16 would do"):
        certify_learning(run("final", noise="0.05"))
    assert max_epochs(run("final")) == 4 and max_epochs(run("final", max_epochs=9)) == 9


def test_what_a_caller_asks_for_is_held_to_the_certified_and_the_limits() -> None:
    of = run("final", noise="0.15", max_epochs=40)
    least = certify_request(of, (), (), 1).epochs
    assert least > 1
    with pytest.raises(UsageError, match=f"--epochs: {least - 1} is below the certified {least}"):
        certify_request(of, (), (), 1, at_least=least - 1)
    with pytest.raises(UsageError, match=r"above requests\.max_epochs = 40"):
        certify_request(of, (), (), 1, at_least=41)
    assert certify_request(of, (), (), 1, at_least=least + 2).epochs == least + 2
    assert "retraining (4 epochs) costs no more" in (certify_request(of, (), (), 1, at_least=9).note or "")
    with pytest.raises(UsageError, match="max_records: 3, and with this request there are 4; 1 are left"):
        certify_request(run(max_records=3), (1, 1), (1, 1), 2)


def test_requests_chosen_from_the_models_count_until_the_last() -> None:
    chosen, fixed = run(chosen="adaptively"), run()
    sizes, epochs = (1, 2, 1), (1, 1, 1)
    for request in range(3):
        two = [
            epsilon(with_history(of, sizes[: request + 1], epochs[: request + 1]), request) for of in (chosen, fixed)
        ]
        assert two[0] == two[1] if request == 0 else two[0] > two[1]
    # Each record until the last request: as if all of them were asked for in the third.
    composed = with_history(chosen, sizes, epochs)
    seen = [phase.records for phase in _phases(composed)]
    assert seen == [((2, 4),), ((2, 4),), ((2, 4),), ()]
    assert "release:adaptively" in {a["id"] for a in certify_request(chosen, (1,), (1,), 1).result.assumptions}
    with pytest.raises(UsageError, match=r'requests\.chosen: "adaptively" .* write release = "all"'):
        run("final", chosen="adaptively")


def _phases(of: Run) -> Any:
    from accountant.mechanisms.timeline import phases

    return phases(of.mechanism, len(of.mechanism.requests) - 1)


@settings(max_examples=15)
@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=3),
    st.sampled_from(["final", "all", "adaptively"]),
    st.fractions(F(1), F(6), max_denominator=4),
)
def test_the_checker_follows_the_certificate_of_the_last_request(sizes: list[int], how: str, noise: Fraction) -> None:
    if sum(sizes) > 30:
        sizes = sizes[:1]
    more = {"chosen": "adaptively"} if how == "adaptively" else {"max_records": 30}
    of = run("final" if how == "final" else "all", noise=noise, max_epochs=9, **more)
    try:
        _, epochs, found = honour(of, sizes)
    except OutOfReach:
        return
    last = found[-1].result
    data = certificate_bytes(last, predecessor="0" * 64)
    report = checker.verify(data)
    assert report.exit_code == 0 and len(last.claims) == 1
    assert any("claims the last request alone" in note for note in report.notes)
    assert json.loads(data)["digest"]["sha256"] and last.requests[0]["epochs"] == epochs[-1]
