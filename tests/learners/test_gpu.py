"""The same run on a GPU: noise is drawn on the CPU, so both devices agree to rounding."""

import pytest

torch = pytest.importorskip("torch")
from accountant import ClippedLoss, NoisySGD  # noqa: E402
from learners import batches, learn, predict, retrain, unlearn  # noqa: E402
from learners.baselines import METHODS  # noqa: E402
from tests.learners.cases import CASES, data_of, mechanism_of  # noqa: E402

pytestmark = [pytest.mark.learn, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]


def check(mechanism, data, **arguments):
    """Learned, unlearned and retrained, on either device."""
    ends = []
    for device in ("cpu", "cuda"):
        state = unlearn(learn(mechanism, data, seed=1, device=device, **arguments), [2], seed=1, device=device)
        assert state.parameters.dtype == torch.float64 and state.parameters.device.type == "cpu"
        assert state.released.device.type == "cpu" and state.record.phases[1].device.startswith(device)
        reference = retrain(mechanism, data, [2], seed=1, device=device, **arguments)
        ends.append((state.parameters, reference.parameters, state))
    assert torch.allclose(ends[0][0], ends[1][0], rtol=1e-10, atol=1e-10)
    assert torch.allclose(ends[0][1], ends[1][1], rtol=1e-10, atol=1e-10)
    for phases in zip(ends[0][2].record.phases, ends[1][2].record.phases, strict=True):
        assert phases[0].rounding == phases[1].rounding
    return ends


@pytest.mark.parametrize("changes", [{}, {"radius": "0.3"}, {"clip": "0.2", "neighbours": "remove-one"}])
def test_cpu_and_gpu_agree(changes, make_data, make_mechanism):
    check(make_mechanism(**changes), make_data(12, 40))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_they_agree_for_every_loss(case):
    check(mechanism_of(case), data_of(case, 12, 40))


@pytest.mark.parametrize("clipping", ["per-record", "batch"])
def test_they_agree_for_a_network(clipping):
    torch.manual_seed(1)
    module = torch.nn.Sequential(torch.nn.Linear(40, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    mechanism = NoisySGD(12, 4, 3, "0.1", ClippedLoss("0.1", "0.3", clipping), unlearning_epochs=(1,), step_size="0.1")
    data = data_of(CASES["softmax"], 12, 40)
    state = check(mechanism, data, model=module)[1][2]
    assert predict(state.released, mechanism, data.features, model=module).labels.shape == (12,)


def test_batches_that_are_read_anew_and_the_device_that_is_taken_by_itself(make_data, make_mechanism, monkeypatch):
    mechanism, data = make_mechanism(), make_data(12, 40)
    kept = learn(mechanism, data, seed=1)
    assert kept.record.phases[0].device.startswith("cuda")
    monkeypatch.setattr(batches, "KEEP", 0)
    assert torch.equal(learn(mechanism, data, seed=1).parameters, kept.parameters)


def test_float32_on_a_gpu_is_as_close_as_is_foreseen(make_data, make_mechanism):
    mechanism, data = make_mechanism(noise_std=1), make_data(12, 40)
    narrow, wide = (learn(mechanism, data, seed=1, device="cuda", dtype=dtype) for dtype in ("float32", "float64"))
    foreseen = float(narrow.record.phases[0].rounding["accumulated_error"])
    assert 0 < torch.linalg.vector_norm(narrow.parameters - wide.parameters) <= foreseen * 1.1


def test_baselines_run_there_too(make_data, make_mechanism):
    mechanism, data = make_mechanism(batch_size=12, epochs=60), make_data(12, 5)
    for method in METHODS.values():
        ends = [
            method.unlearn(method.learn(mechanism, data, seed=1, device=device), [2], device=device).parameters
            for device in ("cpu", "cuda")
        ]
        assert torch.allclose(*ends, rtol=1e-10, atol=1e-10)
