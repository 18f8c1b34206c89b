"""The published lines, exactly; and those that stand in for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from handgrad.datasets import load, random_lines
from handgrad.datasets.lines import VALIDATION, published_lines, read_csv
from handgrad.errors import DataError

HEADER = "0,1,2,3,4,5,6,7,8,class\n"


def rows_of(path: Path) -> tuple[np.ndarray, list[int]]:
    """The file as NumPy reads it, which this library does not ask."""
    table = np.loadtxt(path, delimiter=",", skiprows=1, encoding="utf-8-sig")
    return table[:, :9], table[:, 9].astype(int).tolist()


def columns_of(images: np.ndarray) -> np.ndarray:
    """Each picture column by column: a row of the origin, which draws it as reshape(3, 3).T."""
    return images.swapaxes(1, 2).reshape(-1, 9)


def test_the_training_images_are_the_published_file(data: Path) -> None:
    pixels, labels = rows_of(data / "lines" / "lines_3x3_train.csv")
    lines = published_lines()
    np.testing.assert_array_equal(columns_of(lines.images), pixels)
    assert lines.labels.tolist() == labels


def test_the_training_images_without_the_file() -> None:
    lines = published_lines()
    assert lines.images.shape == (24, 3, 3, 1)
    assert lines.images.dtype == np.float64
    assert lines.labels.tolist() == [0] * 12 + [1] * 12
    rows = columns_of(lines.images).tolist()
    assert rows[2] == [0, 0, 0, 0, 0, 0, 1, 1, 1]
    assert rows[7] == [0, 0, 0, 0.8, 0.9, 0.7, 0, 0, 0]  # class 0, position 2, second line
    assert rows[13] == [0, 1, 0, 0, 1, 0, 0, 1, 0]
    assert rows[20] == [0, 0, 0.8, 0, 0, 0.95, 0, 0, 0.9]  # class 1, position 3, second turn


def test_the_class_names_are_what_one_sees() -> None:
    lines = published_lines()
    assert lines.class_names[lines.labels[0]] == "vertical"
    assert lines.images[0, :, 0, 0].tolist() == [1, 1, 1]  # a full column
    assert lines.class_names[lines.labels[12]] == "horizontal"
    assert lines.images[12, 0, :, 0].tolist() == [1, 1, 1]  # a full row


def test_the_validation_sets_are_the_published_files(data: Path) -> None:
    splits = load("lines")
    assert splits.test is not None
    assert splits.note == ""
    for dataset, name in zip((splits.test, splits.others["validation 2"]), VALIDATION, strict=True):
        pixels, labels = rows_of(data / "lines" / name)
        np.testing.assert_array_equal(columns_of(dataset.images), pixels)
        assert dataset.labels.tolist() == labels


def test_without_the_files_generated_sets_stand_in_and_it_is_said(nowhere: Path) -> None:
    splits = load("lines")
    assert "were generated to the published description" in splits.note
    assert splits.test is not None
    assert splits.test.counts().tolist() == [9, 9]
    for image, label in zip(splits.test.images[..., 0], splits.test.labels, strict=True):
        lines = image.T if label == 0 else image
        assert sorted(lines.sum(axis=1).tolist()) == [0, 0, 2.4]
        assert sorted(lines.max(axis=0).tolist()) == [0.4, 1, 1]
    noisy = splits.others["validation 2"]
    assert noisy.labels.tolist() == splits.train.labels.tolist()
    noise = noisy.images - splits.train.images
    inside = (noisy.images > 0) & (noisy.images < 1)
    assert 0.1 < noise[inside].std() < 0.3
    assert load("lines").others["validation 2"].fingerprint() == noisy.fingerprint()


def test_one_published_image_differs_from_its_description(data: Path, nowhere: Path) -> None:
    published = read_csv(data / "lines" / VALIDATION[0])
    generated = load("lines").test
    assert generated is not None
    differing = np.any(published.images != generated.images, axis=(1, 2, 3))
    assert np.flatnonzero(differing).tolist() == [14]
    assert published.images[14, :, 1, 0].tolist() == [0, 0, 0.4]  # beside the line in row 2


def test_random_lines_are_lines() -> None:
    lines = random_lines(200, np.random.default_rng(0))
    assert lines.images.shape == (200, 3, 3, 1)
    seen = set()
    for image, label in zip(lines.images[..., 0], lines.labels, strict=True):
        lying = image.T if label == 0 else image
        (position,) = np.flatnonzero(lying.any(axis=1))
        assert lying[position].min() >= 0.7
        assert lying[position].max() <= 1
        seen.add((int(label), int(position)))
    assert len(seen) == 6
    again = random_lines(200, np.random.default_rng(0))
    assert again.fingerprint() == lines.fingerprint()
    assert random_lines(200, np.random.default_rng(1)).fingerprint() != lines.fingerprint()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "an empty file; expected a header"),
        ("1,0,0,1,0,0,1,0,0,1\n", "a first row '1,0,0"),
        (HEADER, "no images"),
        (HEADER + "1,0,0,1,0,0,1,0,1\n", "in row 2; expected nine pixels and a class"),
        (HEADER + "1,0,0,1,0,0,1,0,0,1\n1,0,0,one,0,0,1,0,0,1\n", "in row 3"),
        (HEADER + "1,0,0,1,0,0,1,0,0,0.5\n", "in row 2"),
        (HEADER + "1,0,0,1,0,0,1,0,0,nan\n", "in row 2"),
        (HEADER + "1,0,0,1,0,0,1,0,0,2\n", "in row 2; expected nine pixels and a class (0 or 1)"),
        (HEADER + "1,0,0,nan,0,0,1,0,0,1\n", "NaN or infinity in image 0"),
        (HEADER + "1,0,0,1.5,0,0,1,0,0,1\n", "floats from 0 to 1.5"),
    ],
)
def test_a_bad_file_is_a_sentence(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content)
    with pytest.raises(DataError) as refusal:
        read_csv(path)
    assert str(refusal.value).startswith(f"{path}: found ")
    assert words in str(refusal.value)


def test_a_file_that_is_no_text_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for content in (b"\xff\xfe\xfa", None):
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)
        with pytest.raises(DataError, match="cannot be read"):
            read_csv(path)
