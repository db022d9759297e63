"""The same run on a GPU: noise is drawn on the CPU, so both devices agree to rounding."""

import pytest

torch = pytest.importorskip("torch")
from learners import learn, retrain, unlearn  # noqa: E402

pytestmark = [pytest.mark.learn, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]


@pytest.mark.parametrize("changes", [{}, {"radius": "0.3"}, {"clip": "0.2", "neighbours": "remove-one"}])
def test_cpu_and_gpu_agree(changes, make_data, make_mechanism):
    mechanism, data = make_mechanism(**changes), make_data(12, 40)
    ends = []
    for device in ("cpu", "cuda"):
        state = unlearn(learn(mechanism, data, seed=1, device=device), [2], seed=1, device=device)
        assert state.parameters.dtype == torch.float64 and state.parameters.device.type == "cpu"
        assert state.record.phases[1].device.startswith(device)
        ends += [state.parameters, retrain(mechanism, data, [2], seed=1, device=device).parameters]
    assert torch.allclose(ends[0], ends[2], rtol=1e-10, atol=1e-10)
    assert torch.allclose(ends[1], ends[3], rtol=1e-10, atol=1e-10)
