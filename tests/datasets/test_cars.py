"""Tests of the loader of Cars196: both forms of its folder, with few small photographs."""

import sys

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from skdeepclust.datasets import DatasetUnavailableError, fetch_dataset, load_cars196_images

NAMES = np.array(["AM General Hummer", "Acura RL", "Acura TL", "Ford GT"], dtype=object)
CLASSES = [1, 1, 2, 4, 3, 3]  # counted from 1, as in the files
TEST = [0, 1, 0, 0, 1, 0]
SIZES = [(40, 30), (30, 40), (25, 25), (50, 20), (20, 50), (33, 31)]
BOX = ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2")


def photograph(i):
    """A car (red, on the left) in front of a wall (blue)."""
    picture = np.zeros((SIZES[i][1], SIZES[i][0], 3), dtype=np.uint8)
    picture[:, :, 2] = 200
    picture[5:15, 2:12] = [30 * i + 50, 0, 0]
    return Image.fromarray(picture)


def annotations(rows, **columns):
    """A structure for each image, as in MATLAB."""
    columns = dict(zip(BOX, (3, 6, 12, 15), strict=True)) | columns
    found = np.empty((1, len(rows)), dtype=[(name, object) for name in columns])
    for name, values in columns.items():
        for i, row in enumerate(rows):
            found[0, i][name] = values if isinstance(values, int) else values[row]
    return found


def save_in_one(folder, n=6, **changed):
    """The form with one file of annotations."""
    (folder / "car_ims").mkdir(parents=True)
    paths = [f"car_ims/{i:06}.png" for i in range(n)]
    for i, path in enumerate(paths):
        photograph(i).save(folder / path)
    columns = {"relative_im_path": paths, "class": CLASSES, "test": TEST} | changed
    variables = {"annotations": annotations(range(n), **columns), "class_names": NAMES}
    savemat(folder / "cars_annos.mat", variables)
    return folder


def save_in_two(folder, labels="."):
    """The form with a training and a test set."""
    names = [f"{i:05}.png" for i in range(6)]
    for home in ("devkit", "cars_train", "cars_test"):
        (folder / home).mkdir(parents=True)
    files = {"devkit/cars_train_annos.mat": 0, f"{labels}/cars_test_annos_withlabels.mat": 1}
    for file, part in files.items():
        rows = [i for i in range(6) if TEST[i] == part]
        for i in rows:
            photograph(i).save(folder / ("cars_train", "cars_test")[part] / names[i])
        found = annotations(rows, fname=names, **{"class": CLASSES})
        savemat(folder / file, {"annotations": found})
    savemat(folder / "devkit" / "cars_meta.mat", {"class_names": NAMES})
    return folder


@pytest.fixture
def cars(tmp_path):
    return save_in_one(tmp_path / "cars196")


# ---------------------------------------------------------------- arrays


def test_images_and_their_classes(cars):
    found = load_cars196_images(cars, image_size=20)
    assert found.images.shape == (6, 3, 20, 20) and found.images.dtype == np.uint8
    assert found.data.shape == (6, 1200) and np.shares_memory(found.data, found.images)
    assert found.target.tolist() == [0, 0, 1, 3, 2, 2] and found.target.dtype == np.int64
    assert found.split.tolist() == [0, 0, 0, 1, 1, 1] and found.split.dtype == np.uint8
    assert found.original_split.tolist() == TEST
    assert found.target_names == list(NAMES)
    assert found.filename == str(cars)
    assert "3 x 20 x 20" in found.DESCR and "not cropped" in found.DESCR
    for i in range(6):
        wanted = np.asarray(photograph(i).resize((20, 20), Image.Resampling.BILINEAR))
        for channel in range(3):
            assert np.array_equal(found.images[i, channel], wanted[:, :, channel])


def test_both_forms_agree(cars, tmp_path):
    one = load_cars196_images(cars, image_size=16)
    for labels in (".", "devkit"):
        two = load_cars196_images(save_in_two(tmp_path / f"two{labels}", labels), image_size=16)
        order = np.argsort(TEST, kind="stable")
        for name in ("images", "target", "split", "original_split"):
            assert np.array_equal(two[name], one[name][order]), name
        assert two.target_names == one.target_names


def test_crop_is_the_box(cars):
    found = load_cars196_images(cars, image_size=10, crop=True)
    for i in range(6):
        assert np.array_equal(found.images[i, 0], np.full((10, 10), 30 * i + 50))
        assert not found.images[i, 1:].any()
    assert "cropped to the car" in found.DESCR


def test_box_that_leaves_the_image(tmp_path):
    box = {"bbox_x1": [-4] * 6, "bbox_y1": [0] * 6, "bbox_x2": [99] * 6, "bbox_y2": [99] * 6}
    folder = save_in_one(tmp_path / "cars", **box)
    cropped = load_cars196_images(folder, image_size=8, crop=True)
    assert np.array_equal(cropped.images, load_cars196_images(folder, image_size=8).images)


@pytest.mark.parametrize(("subset", "rows"), [("train", [0, 1, 2]), ("test", [3, 4, 5])])
def test_subsets_have_no_class_in_common(cars, subset, rows):
    whole = load_cars196_images(cars, image_size=8)
    part = load_cars196_images(cars, image_size=8, subset=subset)
    for name in ("images", "data", "target", "split", "original_split"):
        assert np.array_equal(part[name], whole[name][rows])


def test_only_images_of_the_subset_are_opened(cars):
    for i in (3, 4, 5):
        (cars / f"car_ims/{i:06}.png").unlink()
    assert len(load_cars196_images(cars, image_size=8, subset="train").images) == 3


def test_grey_photographs(cars):
    photograph(2).convert("L").save(cars / "car_ims/000002.png")
    image = load_cars196_images(cars, image_size=8).images[2]
    assert np.array_equal(image[0], image[1]) and np.array_equal(image[0], image[2])


def test_a_single_image(tmp_path):
    folder = save_in_one(tmp_path / "cars", n=1)
    found = load_cars196_images(str(folder), image_size=8)
    assert found.target.tolist() == [0] and found.images.shape == (1, 3, 8, 8)


def test_by_name(cars, tmp_path):
    found = fetch_dataset("cars196", data_dir=tmp_path, subset="test")
    assert found.images.shape == (3, 3, 64, 64)
    assert found.target.tolist() == [3, 2, 2]


def test_progress_only_on_demand(cars, capsys):
    load_cars196_images(cars, image_size=8)
    assert capsys.readouterr() == ("", "")
    load_cars196_images(cars, image_size=8, verbose=1)
    assert "Cars196" in capsys.readouterr().err


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"image_size": 0}, ValueError, "image_size == 0, must be >= 1"),
        ({"image_size": (8, 8)}, TypeError, "image_size must be an instance of"),
        ({"subset": "val"}, ValueError, "subset == 'val'"),
        ({"folder": None}, TypeError, "folder == None, must be a str or path-like"),
    ],
)
def test_bad_parameters(cars, parameters, error, message):
    with pytest.raises(error, match=message):
        load_cars196_images(**({"folder": cars} | parameters))


def test_folder_without_annotations(tmp_path):
    with pytest.raises(DatasetUnavailableError) as caught:
        load_cars196_images(tmp_path)
    for part in (str(tmp_path), "cars_annos.mat", "devkit/cars_train_annos.mat", "cars_test"):
        assert part in str(caught.value)


def test_missing_image(cars):
    (cars / "car_ims/000004.png").unlink()
    with pytest.raises(FileNotFoundError, match="000004.png"):
        load_cars196_images(cars)


@pytest.mark.parametrize("content", [b"", b"no photograph"])
def test_damaged_image(cars, content):
    (cars / "car_ims/000004.png").write_bytes(content)
    with pytest.raises(ValueError, match="000004.png is damaged or no image"):
        load_cars196_images(cars)


def test_image_cut_short(cars):
    path = cars / "car_ims/000004.png"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match="000004.png is damaged or no image"):
        load_cars196_images(cars)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"class": [1, 1, 2, 5, 3, 3]}, "integers from 1 to 4"),
        ({"class": [1, 1, 2, 0, 3, 3]}, "integers from 1 to 4"),
        ({"class": ["a"] * 6}, "class has other values than integers"),
        ({"class": [np.arange(2)] * 6}, "class has other values than integers"),
        ({"relative_im_path": ["../secret.png"] * 6}, "../secret.png lies outside"),
        ({"relative_im_path": ["/secret.png"] * 6}, "/secret.png lies outside"),
    ],
)
def test_bad_annotations(tmp_path, changed, message):
    folder = save_in_one(tmp_path / "cars", **changed)
    with pytest.raises(ValueError, match=f"cars_annos.mat.*{message}"):
        load_cars196_images(folder)


def test_annotations_without_a_field(cars):
    found = annotations(range(2), test=TEST)
    savemat(cars / "cars_annos.mat", {"annotations": found, "class_names": NAMES})
    with pytest.raises(ValueError, match="cars_annos.mat.*no field 'relative_im_path'"):
        load_cars196_images(cars)


def test_annotations_damaged(cars):
    (cars / "cars_annos.mat").write_bytes(b"no MATLAB file")
    with pytest.raises(ValueError, match="cars_annos.mat is damaged"):
        load_cars196_images(cars)


def test_empty_box(tmp_path):
    folder = save_in_one(tmp_path / "cars", bbox_x1=[3, 3, 3, 99, 3, 3])
    load_cars196_images(folder)
    with pytest.raises(ValueError, match=r"000003.png: the box \(99, 6, 12, 15\) has nothing"):
        load_cars196_images(folder, crop=True)


def test_missing_pillow_names_the_extra(cars, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r'Cars196.*pip install "skdeepclust\[plot\]"'):
        load_cars196_images(cars)
