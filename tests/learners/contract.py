"""What every learner keeps, whatever it learns: a suite to inherit. A subclass gives a mechanism and data that fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from accountant import NoisySGD
from learners import (
    Dataset,
    LearnerRefused,
    RunCheckFailed,
    State,
    StateMismatch,
    learn,
    load,
    mechanism_fingerprint,
    retrain,
    save,
    unlearn,
)
from learners.models import Network
from learners.record import mechanism_from_json


class LearnerContract:
    """Inherit it, and say `loss`, `data` (12 records in 3 features), and what else the mechanism and learner need."""

    loss: Any
    mechanism_fields: dict[str, Any] = {}  # noqa: RUF012
    network: Network | None = None

    def data(self, n: int = 12, seed: int = 0) -> Dataset:
        raise NotImplementedError

    def mechanism(self, **changes: Any) -> NoisySGD:
        fields = {"samples": 12, "batch_size": 4, "epochs": 3, "noise_std": "0.1", "loss": self.loss}
        requests = {"requests": (1, 2), "unlearning_epochs": (1, 2)}
        return NoisySGD(**(fields | requests | self.mechanism_fields | changes))

    def learned(self, mechanism: NoisySGD | None = None, **arguments: Any) -> State:
        return learn(mechanism or self.mechanism(), self.data(), model=self.network, **arguments)

    def test_the_mechanism_is_in_the_record_with_its_digest(self) -> None:
        mechanism = self.mechanism()
        record = self.learned(mechanism).record
        assert record.mechanism_digest == mechanism_fingerprint(mechanism)
        assert mechanism_from_json(record.mechanism) == mechanism
        assert self.learned(mechanism, mechanism_digest="ab" * 32).record.mechanism_digest == "ab" * 32
        louder = self.mechanism(noise_std="0.2")
        assert mechanism_fingerprint(louder) != record.mechanism_digest

    def test_a_mechanism_that_is_not_the_states_is_refused(self) -> None:
        state = unlearn(self.learned(), [1])
        for changes, key in (
            ({"noise_std": "0.2"}, "noise_std"),
            ({"epochs": 4}, "epochs"),
            ({"unlearning_epochs": (2, 2)}, "unlearning_epochs"),
            ({"requests": (2, 2)}, "requests"),
            ({"neighbours": "remove-one"}, "neighbours"),
        ):
            with pytest.raises(LearnerRefused, match=rf"^mechanism\.{key}: not that of the state, of which 1 request"):
                unlearn(state, [2, 3], mechanism=self.mechanism(**changes))
        longer = self.mechanism(requests=(1, 3), unlearning_epochs=(1, 1))
        after = unlearn(state, [2, 3, 4], mechanism=longer, mechanism_digest="cd" * 32)
        assert after.record.phases[2].steps == 3 and after.record.mechanism_digest == "cd" * 32
        assert after.mechanism == longer == mechanism_from_json(after.record.mechanism)
        with pytest.raises(LearnerRefused, match="mechanism_digest: of no mechanism"):
            unlearn(state, [2, 3], mechanism_digest="cd" * 32)

    def test_steps_are_counted(self) -> None:
        seen: list[tuple[int, int]] = []
        state = self.learned(progress=lambda done, total: seen.append((done, total)))
        state = unlearn(unlearn(state, [0]), [5, 7])
        assert [(p.kind, p.epochs, p.steps, p.erased) for p in state.record.phases] == [
            ("learn", 3, 9, 0), ("unlearn", 1, 3, 1), ("unlearn", 2, 6, 2),
        ]  # fmt: skip
        assert seen == [(1, 3), (2, 3), (3, 3)] and state.erased == (0, 5, 7)
        reference = retrain(self.mechanism(), self.data(), [0, 5, 7], model=self.network)
        assert reference.record.phases[0].steps == 3 * (3 + 1 + 2)

    def test_a_state_goes_on_exactly_where_it_stopped(self, tmp_path) -> None:
        whole = unlearn(unlearn(self.learned(seed=1), [4], seed=2), [8, 9], seed=3)
        state = self.learned(seed=1)
        for request, seed in (([4], 2), ([8, 9], 3)):
            state = load(save(state, tmp_path / "state"), model=self.network)
            state = unlearn(state, request, seed=seed)
        assert torch.equal(state.parameters, whole.parameters) and torch.equal(state.released, whole.released)
        assert state.dataset.fingerprint == whole.dataset.fingerprint
        assert [p.parameters_after for p in state.record.phases] == [p.parameters_after for p in whole.record.phases]

    def test_a_state_that_was_changed_is_refused(self, tmp_path) -> None:
        folder = save(self.learned(), tmp_path / "state")
        content = (folder / "features.npy").read_bytes()
        (folder / "features.npy").write_bytes(content[:-8] + bytes(7) + b"\x40")  # a 2 for the last number
        with pytest.raises((StateMismatch, ValueError), match=r"features\.npy"):
            load(folder)

    def test_a_state_of_another_version_is_refused(self, tmp_path) -> None:
        folder = save(self.learned(), tmp_path / "state")
        text = (folder / "state.json").read_text()
        (folder / "state.json").write_text(text.replace("plumbline-arrays/", "plumbline-arrays/9"))
        with pytest.raises(StateMismatch, match=r"state\.json: .*of version plumbline-arrays/92, this reads"):
            load(folder)

    def test_batches_are_never_empty(self) -> None:
        """Dividing by batch_size stays, whoever is erased: a batch of nobody is a step of the regulariser and noise."""
        mechanism = self.mechanism(requests=(4,), unlearning_epochs=(1,))
        state = unlearn(self.learned(mechanism), [0, 1, 2, 3])
        assert state.parameters.isfinite().all() and state.record.phases[1].steps == 3
        with pytest.raises(ValueError, match="batch_size"):
            self.mechanism(batch_size=0)

    def test_noise_below_rounding_is_refused(self) -> None:
        """The line names the number to write."""
        with pytest.raises((RunCheckFailed, LearnerRefused), match=r"^noise_above_rounding: noise_std = \S+ is below"):
            self.learned(self.mechanism(noise_std="1e-19"))

    def test_noise_is_new_every_time_but_with_a_seed(self) -> None:
        free = [self.learned() for _ in range(2)]
        assert not torch.equal(free[0].parameters, free[1].parameters) and not free[0].record.reproducible
        assert "computational assumption" in free[0].record.phases[0].noise
        fixed = [self.learned(seed=5) for _ in range(2)]
        assert torch.equal(fixed[0].parameters, fixed[1].parameters) and fixed[0].record.reproducible

    def test_too_large_a_step_is_refused(self) -> None:
        """Where there is neither smoothness nor a ball there is 1/m; else 2/L; in a ball any step is one."""
        with pytest.raises(ValueError, match="step_size: 1000"):
            self.mechanism(step_size=1000, radius=None)

    def test_records_must_be_there_and_not_erased(self) -> None:
        state = unlearn(self.learned(), [3])
        with pytest.raises(LearnerRefused, match="records: 3 is erased already, or named twice"):
            unlearn(state, [3, 4])
        with pytest.raises(
            LearnerRefused, match="records: 12 is not the index of a record; write a number from 0 to 11"
        ):
            unlearn(state, [12, 4])
        with pytest.raises(LearnerRefused, match="request 2 is certified for 2 records, got 1"):
            unlearn(state, [4])

    def test_other_data_than_certified_are_refused(self) -> None:
        data = self.data(9)
        with pytest.raises(LearnerRefused, match="samples: the data hold 9 records, the mechanism says 12"):
            learn(self.mechanism(), data, model=self.network)

    def test_an_erased_record_leaves_no_trace_in_the_reference(self) -> None:
        data = self.data()
        other = replace(data, features=data.features.clone())
        other.features[6] *= -0.5
        ends = [retrain(self.mechanism(), d, [6], seed=1, model=self.network).parameters for d in (data, other)]
        assert torch.equal(*ends)

    def test_order_and_devices(self) -> None:
        secret = self.learned(self.mechanism(batch_order="secret"))
        assert secret.record.order == "secret" and sorted(secret.order.tolist()) == list(range(12))
        public = self.learned(order_seed=4)
        assert public.record.order == "public, seed 4" and self.learned().record.order == "given"
        assert self.learned(device="auto").record.phases[0].device.split(":")[0] in ("cpu", "cuda")
        with pytest.raises(LearnerRefused, match="device: 'abacus' is unknown; take auto, cpu or cuda"):
            self.learned(device="abacus")


class LinearContract(LearnerContract):
    """And what the data of linear models must keep."""

    def test_a_longer_record_than_certified_is_refused(self) -> None:
        data = self.data()
        long = Dataset("long", data.features * 1.5, data.labels, 2)
        with pytest.raises(ValueError, match=r"record \d+: norm 1\.\d+ > feature_norm = 1; scale its features"):
            learn(self.mechanism(), long)
