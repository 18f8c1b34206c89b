"""Which images are drawn, in which order, and what is said of them."""

import numpy as np
import pytest

from handgrad.errors import HandgradError
from handgrad.pictures.gallery import gallery

NAMES = ["cat", "dog", "猫 $x_1$"]
# Called:          cat               dog               cat              猫               dog
P = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.5, 0.1, 0.4], [0.0, 0.1, 0.9], [0.1, 0.9, 0.0]])
LABELS = [1, 1, 0, 0, 1]  # wrong, right, right, wrong, right
FILES = [f"folder/photo {i}.jpg" for i in range(5)]


def _numbered(n):
    """Images that say their place by their grey."""
    return np.arange(n, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 1), np.uint8)


def _drawn(figure):
    return [int(image.get_array()[0, 0]) for image in figure.axes[0].get_images()]


@pytest.mark.parametrize(
    ("kind", "order"),
    [
        ("most wrong", [3, 0]),
        ("least sure", [2, 0, 1, 3, 4]),  # gaps of 0.1, 0.3, 0.5, 0.8, 0.8
        ("most typical", [2, 4, 1]),
    ],
)
def test_the_choice_is_drawn_in_its_order(kind, order, texts_apart):
    figure = gallery(_numbered(5), LABELS, P, NAMES, kind, file_names=FILES)
    assert _drawn(figure) == order
    assert [row[0] for row in figure.numbers[1:]] == [FILES[i] for i in order]
    texts_apart(figure)


def test_each_has_name_truth_prediction_and_probability():
    figure = gallery(_numbered(5), LABELS, P, NAMES, "most wrong", file_names=FILES)
    texts = [text.get_text() for text in figure.axes[0].texts]
    # What no installed font has is written as its code.
    assert texts[0] == "is cat"
    assert texts[1].startswith("✗ ")
    assert texts[1].endswith(" 90.0 %")
    assert texts[2:] == [FILES[3], "is dog", "✗ cat 60.0 %", FILES[0]]
    assert figure.numbers == [
        ["image", "truth", "prediction", "probability"],
        [FILES[3], "cat", "猫 $x_1$", "0.900000"],
        [FILES[0], "dog", "cat", "0.600000"],
    ]
    assert figure.alt == (
        "The 2 images of 5 that the network is most wrong about; "
        "first cat, called 猫 $x_1$ with 90.0 %."
    )


def test_without_files_the_place_in_the_set_is_the_name():
    figure = gallery(_numbered(5), LABELS, P, NAMES, "least sure", most=2)
    assert [row[0] for row in figure.numbers[1:]] == ["2", "0"]
    assert {"2", "0"} < {text.get_text() for text in figure.axes[0].texts}
    assert figure.alt.endswith("least sure of; first cat, rightly called so with 50.0 %.")
    typical = gallery(_numbered(5), LABELS, P, NAMES, "most typical", most=1)
    assert typical.alt == (
        "The 1 image of 5 most typical of their classes to the network; "
        "first cat, rightly called so with 50.0 %."
    )


def test_nothing_to_show_is_a_sentence():
    right = gallery(_numbered(5), P.argmax(axis=1), P, NAMES, "most wrong")
    assert right.alt == "None of 5 images is called wrong."
    assert [text.get_text() for text in right.texts] == [right.alt]
    assert right.numbers is None
    wrong = gallery(_numbered(5), (P.argmax(axis=1) + 1) % 3, P, NAMES, "most typical")
    assert wrong.alt == "None of 5 images is called right."


def test_a_hundred_classes_and_long_names(texts_apart):
    p = np.eye(100)
    names = [f"class number {i} with a name that is far too long for its place" for i in range(100)]
    figure = gallery(_numbered(100), np.arange(100), p, names, "most typical")
    assert _drawn(figure) == list(range(20))
    texts_apart(figure)


def test_what_a_page_embeds_of_large_photographs_is_bounded():
    from handgrad.pictures.page import svg

    images = np.zeros((30, 400, 300, 3), np.uint8)
    figure = gallery(images, [0] * 30, np.ones((30, 1)), ["a"], "least sure")
    # 20 images, each within half of its place of 130 x 173 dots.
    shapes = {image.get_array().shape for image in figure.axes[0].get_images()}
    assert shapes == {(86, 65, 3)}
    assert len(figure.axes[0].get_images()) == 20
    drawn = svg(figure, "x")
    assert drawn.count("<image") == 20
    assert len(drawn) < 60_000


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"kind": "most wrogn"},
            "gallery 'most wrogn' is unknown; did you mean 'most wrong'",
        ),
        ({"labels": [0, 1]}, r"probabilities: found shape \(5, 3\); expected \(2, 3\)"),
        ({"labels": [0, 1, 2, 3, 0]}, r"found labels 0\.\.3; expected 0\.\.2"),
        ({"images": _numbered(4)}, "found 4 images, 5 names and 5 labels"),
        ({"file_names": ["a"]}, "found 5 images, 1 names and 5 labels"),
        ({"most": 0}, "0 at most"),
        ({"probabilities": np.full((5, 3), np.nan)}, "not finite, for 5 of 5 images"),
        ({"probabilities": P * 2}, r"found probabilities from 0 to 1.8; expected 0\.\.1"),
        ({"probabilities": -P}, r"expected 0\.\.1"),
        ({"images": np.ones((5, 4, 4, 1)) * 2}, r"found images from 2 to 2; expected 0\.\.1"),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence(change, sentence):
    given = {
        "images": _numbered(5),
        "labels": LABELS,
        "probabilities": P,
        "class_names": NAMES,
        "kind": "least sure",
    }
    with pytest.raises(HandgradError, match=sentence):
        gallery(**given | change)


def test_the_same_arrays_are_the_same_bytes(tmp_path):
    """Of all pictures of this part."""
    from handgrad.pictures.contact import contact_sheet
    from handgrad.pictures.reliability import reliability
    from handgrad.pictures.saving import save
    from handgrad.pictures.scoreboard import scoreboard

    for draw in (
        lambda: gallery(_numbered(5), LABELS, P, NAMES, "least sure"),
        lambda: reliability(LABELS, P),
        lambda: scoreboard([("net", 9, 10), ("a", 3, 10)]),
        lambda: contact_sheet([np.zeros((8, 8, 3), np.uint8)], ["a"], [1.0], ["x.jpg"]),
    ):
        for ending in (".png", ".svg"):
            files = [tmp_path / f"{i}{ending}" for i in range(2)]
            for file in files:
                save(draw(), file)
            assert files[0].read_bytes() == files[1].read_bytes()
