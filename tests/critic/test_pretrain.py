"""The script that makes the shipped weights: same seed, same bytes, an honest card."""

import hashlib
from contextlib import nullcontext

import numpy as np
import pytest
from sklearn.datasets import load_digits, make_blobs

from skdeepclust import ClusteringCritic, load
from skdeepclust.critic import pretrain


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    output = tmp_path_factory.mktemp("weights")
    pretrain.main(["--quick", "--jobs", "1", "--verbose", "0", "--output", str(output)])
    return output


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Archives as the benchmark data has them, of scikit-learn's digits."""
    output = tmp_path_factory.mktemp("pictures")
    images, labels = load_digits(return_X_y=True)
    images = (images * 15).astype(np.uint8).reshape(-1, 8, 8)
    halves = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
    np.savez(output / "mnist.npz", **halves)
    np.savez(output / "fashion_mnist.npz", **halves)
    np.savez(output / "emnist_letters.npz", images=images, labels=labels)
    return output


def test_weights_are_a_fitted_critic(folder):
    critic = load(folder / "default.safetensors")
    assert isinstance(critic, ClusteringCritic)
    assert np.isfinite(critic.score_clustering(*make_blobs(50, random_state=0)))


def test_card_names_figures_and_the_hash_of_the_weights(folder):
    card = (folder / "default.md").read_text(encoding="utf-8")
    weights = (folder / "default.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() in card
    for word in ("ARI of the chosen", "regret without truth", "--seed=0", "8 synthetic data sets"):
        assert word in card


def test_a_seed_fixes_every_byte(folder, tmp_path):
    pretrain.main(["--quick", "--jobs", "2", "--verbose", "0", "--output", str(tmp_path)])
    name = "default.safetensors"
    assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_a_run_that_was_killed_goes_on(folder, tmp_path, monkeypatch, killed):
    state, output = tmp_path / "state", tmp_path / "weights"
    arguments = ["--quick", "--jobs", "1", "--verbose", "0", "--output", str(output)]
    arguments += ["--checkpoint", str(state)]

    def die(*_):
        raise killed

    for place, replaced in (
        ("epoch_progress", lambda *_: nullcontext(die)),  # after the first epoch
        ("choice_figures", die),
    ):
        with monkeypatch.context() as patch, pytest.raises(killed):
            patch.setattr(pretrain, place, replaced)
            pretrain.main(arguments)
        assert len(list(state.iterdir())) == 1
    pretrain.main(arguments)
    name = "default.safetensors"
    assert (output / name).read_bytes() == (folder / name).read_bytes()
    assert not list(state.iterdir())


def test_images_are_trained_on_from_the_default(folder, pictures):
    shared = ["--quick", "--images", "--jobs", "1", "--verbose", "0", "--output", str(folder)]
    pretrain.main([*shared, "--data-dir", str(pictures)])
    card = (folder / "images.md").read_text(encoding="utf-8")
    for word in ("digits", "letters", "clothes", "digits, default critic"):
        assert f"4 tasks of {word} |" in card
    assert (folder / "images.safetensors").read_bytes() != (
        folder / "default.safetensors"
    ).read_bytes()


def test_missing_data_are_named(folder, tmp_path):
    shared = ["--quick", "--images", "--verbose", "0", "--output", str(folder)]
    with pytest.raises(SystemExit, match="mnist.npz.*--data-dir"):
        pretrain.main([*shared, "--data-dir", str(tmp_path)])


@pytest.mark.parametrize("name", ["default", "images"])
def test_shipped_weights_are_small_and_match_their_cards(name):
    folder = pretrain._WEIGHTS
    weights = (folder / f"{name}.safetensors").read_bytes()
    assert len(weights) < 1_000_000
    card = (folder / f"{name}.md").read_text(encoding="utf-8")
    assert hashlib.sha256(weights).hexdigest() in card
