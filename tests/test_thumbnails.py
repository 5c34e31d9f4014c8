"""Which pictures are drawn, where, and what is refused."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from sklearn.datasets import load_digits

from skdeepclust import DeepMetricClusterer
from skdeepclust._pyplot import OKABE_ITO
from skdeepclust._thumbnails import check_images, draw_thumbnails, spread_out
from skdeepclust.plotting import EmbeddingDisplay


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_images_have_values_from_0_to_1():
    images = np.random.RandomState(0).randint(-5, 12, (6, 4, 3))
    found = check_images(images, 6)
    np.testing.assert_allclose(found, (images + 5) / 16)
    np.testing.assert_array_equal(check_images(np.full((2, 3, 3), 7), 2), 0)


@pytest.mark.parametrize(("channels", "shape"), [(1, (5, 4, 2)), (2, (5, 4, 2)), (3, (5, 4, 2, 3))])
def test_three_channels_are_colours_and_others_are_averaged(channels, shape):
    images = np.random.RandomState(0).uniform(size=(5, channels, 4, 2))
    found = check_images(images, 5)
    assert found.shape == shape
    wanted = images.transpose(0, 2, 3, 1) if channels == 3 else images.mean(axis=1)
    low, high = wanted.min(), wanted.max()
    np.testing.assert_allclose(found, (wanted - low) / (high - low))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((4, 8, 8)), r"shape \(4, 8, 8\).*\(3, h, w\)"),
        (np.zeros((3, 64)), r"shape \(3, 64\)"),
        (np.zeros((3, 0, 4)), r"shape \(3, 0, 4\)"),
        (np.full((3, 2, 2), np.nan), "images contains NaN"),
    ],
)
def test_what_is_no_picture_of_each_row_is_refused(images, message):
    with pytest.raises(ValueError, match=message):
        check_images(images, 3)


def test_drawn_points_are_apart_and_none_that_has_room_is_left_out():
    points = np.random.RandomState(0).standard_normal((300, 2)) * [1e-3, 1e3]
    kept = spread_out(points, gap=0.1, most=1000)
    places = (points - points.min(axis=0)) / np.ptp(points, axis=0)
    apart = np.abs(places[:, None] - places[kept]).max(axis=2)  # (n, kept)
    assert (apart[kept] + np.eye(len(kept)) >= 0.1).all()
    others = np.setdiff1d(np.arange(300), kept)
    assert (apart[others].min(axis=1) < 0.1).all()
    assert spread_out(points, gap=0.1, most=4) == kept[:4]


def test_equal_points_have_one_picture():
    assert spread_out(np.ones((5, 2))) == [0]


def test_pictures_lie_on_their_points():
    points = np.array([[0.0, 0.0], [1.0, 2.0], [1.0, 2.001]])
    images = np.random.RandomState(0).uniform(size=(3, 4, 4))
    ax = plt.subplots()[1]
    boxes = draw_thumbnails(ax, points, images, ["red", "blue", "green"])
    assert [box.xy for box in boxes] == [(0.0, 0.0), (1.0, 2.0)]
    for box, image, color in zip(boxes, images, ["red", "blue"], strict=False):
        np.testing.assert_array_equal(box.offsetbox.get_data(), image)
        assert box.patch.get_edgecolor() == to_rgba(color)
        assert box in ax.artists


def test_rows_that_are_images_are_shown_by_themselves():
    X, y = load_digits(return_X_y=True)
    X, y = X[:60].reshape(-1, 1, 8, 8), y[:60]
    model = DeepMetricClusterer(encoder="mlp", max_epochs=1, random_state=0).fit(X, y)
    display = EmbeddingDisplay.from_estimator(model, X, y)
    drawn = spread_out(display.points)
    assert len(display.thumbnails_) == len(drawn) > 5
    palette = list(OKABE_ITO.values())
    for box, i in zip(display.thumbnails_, drawn, strict=True):
        np.testing.assert_allclose(box.offsetbox.get_data(), X[i, 0] / 16)
        assert box.patch.get_edgecolor() == to_rgba(palette[y[i] % 8])
    flat = EmbeddingDisplay.from_estimator(model, X, y, images=X[:, 0, :4])
    assert flat.thumbnails_[0].offsetbox.get_data().shape == (4, 8)


def test_pictures_follow_the_rows_that_are_shown():
    embedding = np.arange(20.0).reshape(10, 2)
    images = np.arange(10.0)[:, None, None] * np.ones((10, 3, 3))
    display = EmbeddingDisplay.from_embedding(
        embedding, images=images, max_points=4, random_state=0
    )
    places = display.points[:, 0] - display.points[0, 0]
    np.testing.assert_allclose(display.images[:, 0, 0], places / places[-1])
    assert EmbeddingDisplay.from_embedding(embedding).thumbnails_ == []
