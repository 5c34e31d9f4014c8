"""Tests of the glyph data set: reproducible, class-disjoint by script, legible and not trivial."""

import random
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from skdeepclust.datasets import GLYPH_SCRIPTS, _glyphs, make_glyphs

MIN_CLASSES = {
    "latin": 90,
    "greek": 25,
    "cyrillic": 70,
    "armenian": 38,
    "georgian": 60,
    "hebrew": 20,
    "arabic": 45,
    "nko": 28,
    "lao": 35,
    "tifinagh": 26,
    "canadian": 150,
    "symbols": 170,
}


@pytest.fixture(scope="module")
def everything():
    """One image of every class."""
    return make_glyphs(1, random_state=0)


@pytest.fixture(scope="module")
def armenian():
    """Twenty images of each class of one script."""
    return make_glyphs(20, scripts="armenian", random_state=0)


# ---------------------------------------------------------------- shape of the answer


@pytest.mark.parametrize("image_size", [16, 28, 37, 64])
def test_shapes_ranges_and_types(image_size):
    glyphs = make_glyphs(3, scripts="greek", n_classes=7, image_size=image_size, random_state=0)
    assert glyphs.images.shape == (21, 1, image_size, image_size)
    assert glyphs.images.dtype == np.float32
    assert glyphs.images.flags.c_contiguous and glyphs.images.flags.writeable
    assert 0 <= glyphs.images.min() < 0.01 < 0.7 < glyphs.images.max() <= 1
    assert glyphs.data.shape == (21, image_size**2)
    assert np.shares_memory(glyphs.data, glyphs.images)
    assert glyphs.target.dtype == np.int64
    assert np.array_equal(np.bincount(glyphs.target), np.full(7, 3))
    assert glyphs.script.shape == glyphs.face.shape == (21,)
    assert glyphs.characters.shape == glyphs.class_script.shape == (7,)
    assert len(glyphs.target_names) == 7
    assert all(name.startswith("GREEK ") for name in glyphs.target_names)
    assert "greek (7)" in glyphs.DESCR


def test_ink_is_bright_on_black(everything):
    mean = everything.images.mean(axis=0)[0]
    assert mean[0].max() < 0.15  # noise alone
    assert mean[10:18, 10:18].mean() > 3 * mean[0].mean()


def test_images_are_shuffled(armenian):
    assert np.count_nonzero(np.diff(armenian.target) == 0) < 0.1 * len(armenian.target)


# ---------------------------------------------------------------- scripts and classes


def test_every_script_has_enough_classes(everything):
    counts = {s: int(np.sum(everything.class_script == s)) for s in GLYPH_SCRIPTS}
    assert set(counts) == set(MIN_CLASSES)
    assert all(counts[s] >= MIN_CLASSES[s] for s in counts), counts
    assert sum(counts.values()) == len(everything.target_names) > 800


def test_scripts_are_class_disjoint(everything):
    assert len(set(everything.characters)) == len(everything.characters)
    assert len(set(everything.target_names)) == len(everything.target_names)
    assert np.array_equal(everything.class_script[everything.target], everything.script)
    two = make_glyphs(1, scripts=["latin", "hebrew"], random_state=0)
    rest = make_glyphs(1, scripts=set(GLYPH_SCRIPTS) - {"latin", "hebrew"}, random_state=0)
    assert not set(two.characters) & set(rest.characters)
    assert set(two.characters) | set(rest.characters) == set(everything.characters)


def test_class_ids_do_not_depend_on_the_order_of_scripts():
    one = make_glyphs(1, scripts=["hebrew", "greek"], random_state=0)
    two = make_glyphs(1, scripts=("greek", "hebrew", "greek"), random_state=0)
    assert np.array_equal(one.characters, two.characters)
    assert np.array_equal(one.images, two.images)
    assert list(dict.fromkeys(one.class_script)) == ["greek", "hebrew"]


def test_every_class_has_two_faces_or_more(everything):
    faces = _glyphs._load_faces()
    for character in everything.characters:
        assert sum(ord(character) in points for _, points in faces.values()) >= 2, character


def test_n_classes_draws_a_random_subset():
    subsets = [
        make_glyphs(1, scripts="lao", n_classes=5, random_state=seed).characters
        for seed in range(3)
    ]
    assert all(np.array_equal(np.sort(subset), subset) for subset in subsets)
    assert len({tuple(subset) for subset in subsets}) == 3


# ---------------------------------------------------------------- no two classes look alike


def _compare(glyph):
    """Blur a glyph (h, w) as it is, and stretched to a square: (32, 32) each; log proportions."""
    h, w = glyph.shape
    kept = [max(1, round(side * 24 / max(h, w))) for side in (w, h)]
    pictures = []
    for width, height in (kept, (24, 24)):
        small = Image.fromarray(glyph).resize((width, height), Image.Resampling.BOX)
        picture = np.zeros((32, 32), dtype=np.float32)
        y, x = (32 - height) // 2, (32 - width) // 2
        picture[y : y + height, x : x + width] = np.asarray(small, dtype=np.float32) / 255
        pictures.append(gaussian_filter(picture, 1.5))
    return pictures[0], pictures[1], np.log(w / h)


def _crop(master):
    ink = master > 64
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return master[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _smallest_difference(pictures, allowed):
    """Return the pair of pictures that differ least at their worst pixel, up to a shift."""
    flat = pictures.reshape(len(pictures), -1)
    flat = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    i, j = np.nonzero(np.triu((flat @ flat.T > 0.85) & allowed, 1))
    difference = np.full(len(i), np.inf)
    for shift in np.ndindex(3, 3):
        moved = np.roll(pictures, np.subtract(shift, 1), axis=(1, 2))
        difference = np.minimum(difference, np.abs(pictures[i] - moved[j]).max(axis=(1, 2)))
    worst = np.argmin(difference)
    return difference[worst], i[worst], j[worst]


@pytest.mark.parametrize("face", _glyphs._FACES)
def test_no_two_classes_look_alike(everything, face):
    font, code_points = _glyphs._load_faces()[face]
    present = [c for c in everything.characters if ord(c) in code_points]
    masters = [_glyphs._render(c, font) for c in present]
    assert len({master.tobytes() for master in masters}) == len(masters)
    kept, stretched, proportions = map(
        np.array, zip(*[_compare(_crop(m)) for m in masters], strict=True)
    )
    similar = np.abs(proportions[:, None] - proportions) < np.log(1.35)
    for pictures, allowed in ((kept, True), (stretched, similar)):
        difference, i, j = _smallest_difference(pictures, allowed)
        assert difference > 0.3, (present[i], present[j])


@pytest.mark.parametrize("pair", ["Aꓮ", "AΑ", "AА", "Ss", "oO", "o0", "Xx", "Hн"])
def test_homoglyphs_are_represented_once(everything, pair):
    assert pair[0] in everything.characters
    assert pair[1] not in everything.characters


# ---------------------------------------------------------------- random state


def test_same_seed_same_images():
    one, two, other = (make_glyphs(3, n_classes=40, random_state=seed) for seed in (3, 3, 4))
    for key in ("images", "target", "face", "characters"):
        assert np.array_equal(one[key], two[key])
    assert not np.array_equal(one.images, other.images)


def test_random_state_instance_advances():
    rng = np.random.RandomState(3)
    first = make_glyphs(2, scripts="hebrew", random_state=rng)
    second = make_glyphs(2, scripts="hebrew", random_state=rng)
    assert np.array_equal(first.images, make_glyphs(2, scripts="hebrew", random_state=3).images)
    assert not np.array_equal(first.images, second.images)


def test_number_of_threads_does_not_matter():
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = make_glyphs(2, scripts="arabic", random_state=0)
        torch.set_num_threads(3)
        three = make_glyphs(2, scripts="arabic", random_state=0)
    finally:
        torch.set_num_threads(threads)
    assert np.array_equal(one.images, three.images)


def test_global_random_states_are_left_alone():
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    make_glyphs(2, scripts="hebrew", random_state=0)
    assert random.getstate() == before[0]
    assert all(np.array_equal(a, b) for a, b in zip(np.random.get_state(), before[1], strict=True))
    assert torch.equal(torch.get_rng_state(), before[2])


def test_nothing_is_printed(capsys):
    make_glyphs(1, scripts="hebrew", random_state=0)
    assert capsys.readouterr() == ("", "")


# ---------------------------------------------------------------- pictures


def test_clean_glyphs_differ_only_by_face():
    clean = make_glyphs(12, scripts=["greek", "lao"], distortion=0, noise=0, random_state=0)
    seen = {}
    for image, class_id, face in zip(clean.images, clean.target, clean.face, strict=True):
        assert np.array_equal(seen.setdefault((class_id, face), image), image)
    assert len({image.tobytes() for image in seen.values()}) > 0.95 * len(seen)
    assert len(seen) > 4 * len(clean.characters)


def test_clean_glyphs_are_centred_and_whole():
    clean = make_glyphs(2, n_classes=200, distortion=0, noise=0, random_state=0)
    for image in clean.images[:, 0]:
        rows, columns = (np.flatnonzero((image > 0.15).any(axis=axis)) for axis in (1, 0))
        assert rows[0] > 1 and rows[-1] < 26 and columns[0] > 1 and columns[-1] < 26
        assert abs(rows[0] + rows[-1] - 27) <= 2 and abs(columns[0] + columns[-1] - 27) <= 2
        assert 17 <= max(np.ptp(rows), np.ptp(columns)) <= 23


def test_distorted_glyphs_are_not_clipped():
    images = make_glyphs(5, n_classes=200, noise=0, random_state=0).images[:, 0]
    border = np.stack([images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], axis=1)
    assert np.mean(border.max(axis=(1, 2)) > 0.3) < 0.02


def test_upright_glyphs_stay_upright():
    images = make_glyphs(40, scripts="latin", noise=0, random_state=0)
    clean = make_glyphs(1, scripts="latin", distortion=0, noise=0, random_state=0)
    class_id = list(images.characters).index("F")
    mean = images.images[images.target == class_id].mean(axis=0)[0]
    picture = clean.images[clean.target == class_id][0, 0]
    likeness = {k: np.sum(mean * np.rot90(picture, k)) for k in range(4)}
    assert max(likeness, key=likeness.get) == 0


def test_distortion_changes_images_of_a_class(armenian):
    pairs = np.corrcoef(armenian.data[armenian.target == 0])
    assert 0.2 < np.median(pairs[np.triu_indices_from(pairs, 1)]) < 0.8


def test_neighbours_know_the_class(armenian):
    scores = cross_val_score(KNeighborsClassifier(1), armenian.data, armenian.target, cv=4)
    assert scores.mean() > 10 / len(armenian.characters)


@pytest.mark.parametrize("script", ["armenian", "hebrew"])
def test_k_means_on_pixels_does_not_solve_a_script(script):
    glyphs = make_glyphs(20, scripts=script, random_state=0)
    k = len(glyphs.characters)
    labels = KMeans(k, n_init=1, random_state=0).fit_predict(glyphs.data)
    counts = confusion_matrix(glyphs.target, labels)
    accuracy = counts[linear_sum_assignment(-counts)].sum() / len(labels)
    assert 3 / k < accuracy < 0.55


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"n_per_class": 0}, ValueError, "n_per_class == 0, must be >= 1"),
        ({"n_per_class": 2.5}, TypeError, "n_per_class must be an instance of"),
        ({"n_classes": 0}, ValueError, "n_classes == 0, must be >= 1"),
        ({"n_classes": "all"}, TypeError, "n_classes must be an instance of"),
        ({"scripts": "hebrew", "n_classes": 999}, ValueError, "n_classes == 999, must be <= 20"),
        ({"scripts": "klingon"}, ValueError, "scripts == .'klingon'., must be .*'latin', 'greek'"),
        ({"scripts": ["greek", "elvish"]}, ValueError, "'elvish'.*'armenian'"),
        ({"scripts": ["greek", 7]}, ValueError, "7.*'armenian'"),
        ({"scripts": []}, ValueError, "scripts == .., must be"),
        ({"scripts": 3}, TypeError, "scripts == 3, must be None, or"),
        ({"image_size": 8}, ValueError, "image_size == 8, must be >= 16"),
        ({"image_size": 65}, ValueError, "image_size == 65, must be <= 64"),
        ({"distortion": -0.1}, ValueError, "distortion == -0.1, must be >= 0"),
        ({"distortion": 2.1}, ValueError, "distortion == 2.1, must be <= 2"),
        ({"distortion": np.nan}, ValueError, "distortion == nan, must be a finite number"),
        ({"noise": -1}, ValueError, "noise == -1, must be >= 0"),
        ({"noise": np.inf}, ValueError, "noise == inf, must be a finite number"),
        ({"noise": None}, TypeError, "noise must be an instance of"),
        ({"random_state": "seed"}, ValueError, "seed"),
    ],
)
def test_bad_parameters(parameters, error, message):
    with pytest.raises(error, match=message):
        make_glyphs(**parameters)


@pytest.mark.parametrize("module", ["matplotlib", "PIL"])
def test_missing_fonts_name_the_extra(monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r'pip install "skdeepclust\[plot\]"'):
        make_glyphs(1, scripts="greek")
