"""Data: norms decided exactly, labels finite, a split and a scaling that depend on no data."""

import hashlib
import sys
from fractions import Fraction
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
from learners import Dataset, FeatureNormExceeded, InvalidDataset, embedded, normalise  # noqa: E402
from learners.data import RowFile, UnknownId, permutation  # noqa: E402

pytestmark = pytest.mark.learn


@pytest.mark.parametrize(
    "name, train, test, dimension", [("digits-3-8", 256, 101, 65), ("breast-cancer", 448, 121, 31)]
)
def test_embedded_sets_fit_the_certificate(name, train, test, dimension):
    pytest.importorskip("sklearn")
    one, other = embedded(name)
    assert (one.features.shape, other.features.shape) == ((train, dimension), (test, dimension))
    for dataset in (one, other):
        assert dataset.features.dtype == torch.float64 and set(dataset.labels.tolist()) == {-1.0, 1.0}
        norms = torch.linalg.vector_norm(dataset.features, dim=1)
        assert norms.min() > 1 - 1e-11
        for row in dataset.features.tolist():
            assert sum(Fraction(v) ** 2 for v in row) <= 1  # exactly, in rationals
    assert embedded(name)[0].fingerprint == one.fingerprint != other.fingerprint
    assert not {tuple(r) for r in one.features.tolist()} & {tuple(r) for r in other.features.tolist()}


def test_an_unknown_set_is_refused():
    with pytest.raises(ValueError, match=r"'mnist' is not embedded; take digits-3-8 or breast-cancer"):
        embedded("mnist")


def test_norm_is_decided_exactly():
    """0.6² + 0.8² in doubles is so close to 1 that only rationals can tell; one ulp more than 1 is one too many."""
    for row in (
        [0.6, 0.8],
        [1.0, 0.0],
        [torch.nextafter(torch.tensor(1.0, dtype=torch.float64), torch.tensor(2.0)).item(), 0.0],
    ):
        within = sum(Fraction(v) ** 2 for v in row) <= 1
        features = torch.tensor([[0.0, 0.1], row], dtype=torch.float64)
        if within:
            assert len(Dataset("edge", features, torch.ones(2))) == 2
        else:
            with pytest.raises(
                FeatureNormExceeded, match=r"record 1: norm 1\S* > feature_norm = 1; scale its features"
            ):
                Dataset("edge", features, torch.ones(2))


def test_tiny_bounds_do_not_underflow():
    features = torch.tensor([[3e-200, 0.0]], dtype=torch.float64)
    assert len(Dataset("tiny", features, torch.ones(1), Fraction(1, 10**199)))
    with pytest.raises(FeatureNormExceeded, match=r"norm (3|2\.9+\d*|3\.0+\d*)e-200 > feature_norm"):
        Dataset("tiny", features, torch.ones(1), Fraction(1, 10**200))


@pytest.mark.parametrize(
    "features, labels, message",
    [
        ([[0.1], [0.2]], [1.0, float("nan")], r"record 1: labels not finite; drop or repair"),
        ([[0.1], [float("inf")]], [1.0, 1.0], r"record 1: features not finite; drop or repair"),
        ([[0.1]], [1.0, 1.0], r"features \(1, 1\), labels \(2,\)"),
        ([0.1], [1.0], r"features \(1,\)"),
        ([[]], [1.0], r"n, d ≥ 1|need \(n, d\)"),
    ],
)
def test_what_no_learner_can_use_is_refused(features, labels, message):
    with pytest.raises(InvalidDataset, match=message):
        Dataset("bad", torch.tensor(features), torch.tensor(labels))


def test_labels_are_any_finite_numbers_and_absent_records_are_zero_rows():
    assert Dataset("counts", torch.zeros(3, 1), torch.tensor([0.0, 7.0, -2.5]), absent=(2,)).absent == (2,)
    for absent in ((1,), (3,), (-1,)):
        with pytest.raises(InvalidDataset, match=rf"absent: {absent[0]} is not a record without features"):
            Dataset("bad", torch.tensor([[0.0], [0.1], [0.0]]), torch.ones(3), absent=absent)


def test_a_dataset_is_a_copy():
    features = torch.zeros(2, 2, dtype=torch.float64)
    dataset = Dataset("copy", features, torch.ones(2))
    features[0, 0] = 7.0
    assert dataset.features[0, 0] == 0


def test_replaced_overwrites_and_leaves_the_rest(make_data):
    data, other = make_data(), make_data(2, 3, 1)
    for by in (None, other):
        changed = data.replaced((4, 1), by)
        kept = [i for i in range(12) if i not in (1, 4)]
        assert torch.equal(changed.features[kept], data.features[kept])
        assert torch.equal(changed.features[[4, 1]], torch.zeros(2, 3) if by is None else other.features)
        assert changed.fingerprint != data.fingerprint
        assert changed.absent == ((1, 4) if by is None else ())
        assert changed.replaced((1,), make_data(1, 3, 2)).absent == ((4,) if by is None else ())


def test_ids_are_found_again_and_number_the_records_by_default():
    rows, labels = torch.zeros(3, 1), torch.ones(3)
    assert Dataset("n", rows, labels).ids == ("0", "1", "2")
    dataset = Dataset("n", rows, labels, 1, ("007", "7", "x,y"))
    assert dataset.index_of(["x,y", "007"]) == (2, 0)
    assert dataset.replaced((1,)).ids == dataset.ids
    with pytest.raises(UnknownId, match=r"id '07' is that of no record of n"):
        dataset.index_of(["7", "07"])


@pytest.mark.parametrize(
    "ids, message",
    [
        (("a", "b"), "ids: 2 of them for 3 records"),
        (("a", "b", "a"), "ids: record 2 has the id of record 0"),
        (("a", "", "b"), "ids: that of record 1 is empty"),
    ],
)
def test_ids_that_name_no_one_record_are_refused(ids, message):
    with pytest.raises(InvalidDataset, match=message):
        Dataset("n", torch.zeros(3, 1), torch.ones(3), 1, ids)


def written(path: Path, features) -> RowFile:
    path.write_bytes(features.to(torch.float64).numpy().astype("<f8").tobytes())
    return RowFile(path, *features.shape)


def test_features_may_stay_in_their_file(tmp_path, make_data):
    data, other = make_data(), make_data(2, 3, 1)
    mapped = Dataset(data.name, written(tmp_path / "rows.f64", data.features), data.labels, data.feature_norm)
    assert torch.equal(mapped.features, data.features) and mapped.fingerprint == data.fingerprint
    once, same = mapped.replaced((4, 1)), data.replaced((4, 1))
    twice, again = once.replaced((4, 7), other), same.replaced((4, 7), other)
    for here, there in ((mapped, data), (once, same), (twice, again)):
        assert torch.equal(here.features, there.features) and torch.equal(here.labels, there.labels)
        assert here.absent == there.absent
    assert (tmp_path / "rows.f64").read_bytes() == data.features.numpy().tobytes()


def test_records_go_back_to_their_places(tmp_path, make_data):
    data = make_data(5)
    names = Dataset("n", data.features, data.labels, 1, tuple("abcde"), absent=())
    whole = names.replaced((1, 3))
    left = [0, 4, 2]  # in another order, too
    mapped = Dataset("n", written(tmp_path / "rows.f64", data.features[left]), data.labels[left], 1, ("a", "e", "c"))
    kept = Dataset("n", data.features[left], data.labels[left], 1, ("a", "e", "c"))
    for rest in (kept, mapped):
        again = rest.placed(left, 5)
        assert torch.equal(again.features, whole.features) and torch.equal(again.labels, whole.labels)
        assert again.absent == whole.absent == (1, 3) and again.index_of(["e", "a"]) == (4, 0)
        assert again.placed([1, 2, 3, 4, 5], 6).absent == (0, 2, 4)
        for places in ([0, 4], [0, 4, 4], [0, 4, 5], [-1, 0, 1]):
            with pytest.raises(
                InvalidDataset, match=rf"places: {len(places)} for 3 records; give each another one below 5"
            ):
                rest.placed(places, 5)


def test_a_file_of_another_size_and_a_row_beyond_the_norm_are_refused(tmp_path):
    features = torch.zeros(5, 2)
    file = written(tmp_path / "rows.f64", features)
    with pytest.raises(ValueError, match=r"80 bytes; 6 rows of 2 numbers are 96 bytes"):
        Dataset("n", RowFile(file.path, 6, 2), torch.ones(6))
    features[3] = 1
    with pytest.raises(FeatureNormExceeded, match=r"record 3: norm 1\.414"):
        Dataset("n", written(tmp_path / "rows.f64", features), torch.ones(5))


@pytest.mark.skipif(not Path("/proc/self/status").exists() or sys.byteorder != "little", reason="reads /proc")
def test_what_stays_in_a_file_is_not_in_memory(tmp_path):
    rows, dimension = 20_000, 1_000  # 160 MB of holes
    with (tmp_path / "rows.f64").open("wb") as file:
        file.truncate(rows * dimension * 8)

    def anonymous() -> int:
        return int(Path("/proc/self/status").read_text().split("RssAnon:")[1].split()[0]) * 1024

    labels, before = torch.ones(rows), anonymous()
    dataset = Dataset("holes", RowFile(tmp_path / "rows.f64", rows, dimension), labels).replaced((7, 19_999))
    assert dataset.features[7].sum() == 0 and anonymous() - before < rows * dimension * 8 / 2


def test_fingerprint_is_of_the_bytes(make_data):
    data = make_data(2, 1)
    content = b"2x1;" + data.features.numpy().tobytes() + data.labels.numpy().tobytes()
    assert data.fingerprint == hashlib.sha256(content).hexdigest()


def test_normalise_takes_each_row_by_itself():
    rows = torch.tensor([[3.0, 4.0], [0.0, 0.0], [1e-9, 0.0]])
    once = normalise(rows, "2.5")
    assert torch.linalg.vector_norm(once, dim=1).tolist() == pytest.approx([2.5, 0.0, 2.5])
    assert torch.equal(normalise(rows[:1], "2.5"), once[:1])
    Dataset("n", once, torch.ones(3), "2.5")


def test_permutation_depends_on_its_key_alone():
    assert sorted(permutation(50, "a")) == list(range(50))
    assert permutation(50, "a") == permutation(50, "a") != permutation(50, "b")
    assert permutation(6, "order 7") == sorted(
        range(6), key=lambda i: hashlib.sha256(f"order 7/{i}".encode()).hexdigest()
    )
