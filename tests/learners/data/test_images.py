"""MNIST's IDX files and CIFAR-10's binary ones, made here by their published formats."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("pyarrow")
from learners.data import InvalidTable, read_records, read_table  # noqa: E402
from learners.data import read as read_module  # noqa: E402
from tests.learners.data.files import columns, write_idx  # noqa: E402

pytestmark = pytest.mark.learn
DIGITS = tuple("0123456789")


def mnist(folder, n=7, *, prefix="train", images=None, labels=None):
    """Images of 3 × 2 pixels and their labels."""
    rng = np.random.default_rng(n)
    images = rng.integers(0, 256, (n, 3, 2), dtype=np.uint8) if images is None else images
    labels = rng.integers(0, 10, n, dtype=np.uint8) if labels is None else labels
    path = write_idx(folder / f"{prefix}-images-idx3-ubyte", images, 0x08)
    write_idx(folder / f"{prefix}-labels-idx1-ubyte", labels, 0x08)
    return path, images, labels


def said(width, **more):
    return columns(numeric={"images": (0, 255, width)}, target="labels", classes=DIGITS, **more)


def test_mnist(tmp_path, monkeypatch):
    path, images, labels = mnist(tmp_path)
    monkeypatch.setattr(read_module, "NUMBERS_AT_ONCE", 12)  # two images at once
    for where in (path, tmp_path):
        dataset = read_table(where, said(6))
        assert dataset.labels.tolist() == labels.tolist() and dataset.ids == tuple("0123456")
        assert torch.allclose(dataset.features, torch.from_numpy(images.reshape(7, 6) / 127.5 - 1), atol=1e-15)


def test_mnist_compressed(tmp_path):
    path, _, labels = mnist(tmp_path)
    packed = tmp_path / "packed"
    packed.mkdir()
    for file in tmp_path.glob("*ubyte"):
        (packed / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
    assert read_table(packed, said(6)).fingerprint == read_table(path, said(6)).fingerprint
    assert read_table(packed / f"{path.name}.gz", said(6)).labels.tolist() == labels.tolist()


def test_one_digit_against_the_others(tmp_path):
    labels = np.array([3, 8, 3], dtype=np.uint8)
    path, _, _ = mnist(tmp_path, 3, labels=labels)
    chosen = columns(numeric={"images": (0, 255, 6)}, target="labels", positive=("3",))
    assert read_table(path, chosen).labels.tolist() == [1, -1, 1]


def test_idx_of_other_numbers(tmp_path):
    images = np.array([[[0.5]], [[-0.25]]], dtype=np.float32)
    path = write_idx(tmp_path / "my-images-idx3-float", images, 0x0D)
    write_idx(tmp_path / "my-labels-idx1-float", np.array([1, 2], dtype=np.int32), 0x0C)
    records = read_records(path, columns(numeric={"images": (-1, 1, 1)}, target="labels", classes=DIGITS), partial=True)
    assert records.features.tolist() == [[0.5], [-0.25]] and records.labels.tolist() == [1, 2]


def test_images_alone_are_enough_to_predict(tmp_path):
    path, _, _ = mnist(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    assert read_records(path, said(6), partial=True).labels is None
    with pytest.raises(InvalidTable, match="has no column labels; its columns: 'images'"):
        read_table(path, said(6))


def test_a_label_that_is_none(tmp_path):
    path, _, _ = mnist(tmp_path, 3, labels=np.array([3, 10, 3], dtype=np.uint8))
    with pytest.raises(InvalidTable, match=r"row 2, column labels: '10' is an unknown class; the run file lists '0'"):
        read_table(path, said(6))


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda data: data[:-1], r"images-idx3-ubyte: is cut off: it names 7 records"),
        (lambda data: data + b"\0", r"goes on after its 7 records"),
        (lambda data: data[:10], r"is cut off in its header"),
        (lambda data: b"\x1f\x8b" + data[2:], r"begins with 1f 8b 08 03, as no IDX file does; decompress it"),
        (lambda data: data[:2] + b"\x07" + data[3:], r"begins with 00 00 07 03"),
        (lambda data: data[:7] + b"\x06" + data[8:], r"7 labels and 6 images; give a label for each image"),
        (lambda data: data[:11] + b"\0" + data[12:], r"has records of the shape \(0, 2\)"),
    ],
)
def test_damaged_idx_is_refused(tmp_path, change, message):
    path, _, _ = mnist(tmp_path)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(InvalidTable, match=message):
        read_table(path, said(6))


def test_a_damaged_compressed_file_is_refused(tmp_path):
    path, _, _ = mnist(tmp_path)
    packed = gzip.compress(path.read_bytes())
    path.with_name(f"{path.name}.gz").write_bytes(packed[: len(packed) // 2])
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\0\x07" + b"\0" * 7))
    with pytest.raises(InvalidTable, match=r"is not read as IDX: .*; write it again"):
        read_table(path.with_name(f"{path.name}.gz"), said(6))


def cifar(folder, batches=2, n=3):
    rng = np.random.default_rng(batches)
    records = rng.integers(0, 256, (batches, n, 3073), dtype=np.uint8)
    records[:, :, 0] %= 10
    for i, batch in enumerate(records):
        (folder / f"data_batch_{i + 1}.bin").write_bytes(batch.tobytes())
    return records.reshape(-1, 3073)


def test_cifar(tmp_path):
    records = cifar(tmp_path)
    dataset = read_table(tmp_path, said(3072, normalise="row", intercept=True))
    assert dataset.labels.tolist() == records[:, 0].tolist() and dataset.features.shape == (6, 3073)
    pixels = dataset.features[:, :-1] / dataset.features[:, -1:]
    assert torch.allclose(pixels, torch.from_numpy(records[:, 1:] / 127.5 - 1), atol=1e-12)
    one = read_table(tmp_path / "data_batch_2.bin", said(3072, normalise="row", intercept=True))
    assert torch.equal(one.features, dataset.features[3:])


@pytest.mark.parametrize("content", [b"", b"\0" * 3072, b"\0" * 6147])
def test_what_is_no_cifar_is_refused(tmp_path, content):
    cifar(tmp_path)
    (tmp_path / "data_batch_2.bin").write_bytes(content)
    with pytest.raises(
        InvalidTable, match=rf"data_batch_2\.bin: {len(content)} bytes; CIFAR-10's binary version has 3073"
    ):
        read_table(tmp_path, said(3072))
