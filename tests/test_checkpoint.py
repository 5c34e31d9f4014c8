"""Tests of the file that holds how far a fit has come."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.base import BaseEstimator

import skdeepclust
from skdeepclust import _tensor_files
from skdeepclust._checkpoint import Checkpoint

X = np.arange(12.0).reshape(6, 2)


class Worker(BaseEstimator):
    def __init__(self, power=1.0, random_state=0, verbose=0, checkpoint=None):
        self.power = power
        self.random_state = random_state
        self.verbose = verbose
        self.checkpoint = checkpoint


def begun(folder, rng=None, **parameters):
    checkpoint = Checkpoint(folder, Worker(**parameters), X)
    checkpoint.restore_rng(np.random.RandomState(0) if rng is None else rng)
    return checkpoint


@pytest.fixture
def path(tmp_path):
    """A file that is there."""
    begun(tmp_path).save({"a": np.ones(2)}, {"epoch": 1})
    return tmp_path / "Worker.checkpoint.safetensors"


def fail(*args, **kwargs):
    raise OSError(errno.ENOSPC, "No space left on device", "somewhere")


class TestSaveAndLoad:
    def test_nothing_without_a_save(self, tmp_path):
        assert begun(tmp_path).load() is None
        assert os.listdir(tmp_path) == []

    def test_gives_back_what_was_saved_last(self, tmp_path):
        rng = np.random.RandomState(3)
        arrays = {
            "weights": rng.randn(3, 4).astype(np.float32),
            "codes": np.arange(5),
            "number": np.asarray(2.5),
            "none": np.empty((0, 3)),
            "flags": np.array([True, False]),
            "columns": np.asfortranarray(rng.randn(4, 3)),
        }
        document = {"epoch": 7, "best": 0.1 + 0.2, "history": {"loss": [1.0, float("inf")]}}
        checkpoint = begun(tmp_path)
        checkpoint.save({"weights": np.zeros(9)}, {"epoch": 6})
        checkpoint.save(arrays, document)
        found, read = begun(tmp_path).load()
        assert read == document
        assert found.keys() == arrays.keys()
        for name, array in arrays.items():
            assert found[name].dtype == array.dtype
            np.testing.assert_array_equal(found[name], array)
        assert os.listdir(tmp_path) == ["Worker.checkpoint.safetensors"]

    def test_a_document_may_hold_more_than_json(self, tmp_path):
        document = {"state": ("MT19937", np.arange(3), 5), "score": np.float32(0.1), "1": {2: "b"}}
        checkpoint = begun(tmp_path)
        checkpoint.save({}, document)
        read = checkpoint.load()[1]
        assert read["state"][0] == "MT19937"
        np.testing.assert_array_equal(read["state"][1], [0, 1, 2])
        assert type(read["score"]) is np.float32
        assert read["1"] == {2: "b"}

    def test_is_gone_after_remove(self, path):
        checkpoint = begun(path.parent)
        (path.parent / f".{path.name}.part").write_text("of a process that was killed")
        checkpoint.remove()
        assert os.listdir(path.parent) == []
        assert checkpoint.load() is None
        checkpoint.remove()

    def test_does_nothing_without_a_directory(self):
        checkpoint, rng = Checkpoint(None, Worker(), X), np.random.RandomState(0)
        assert not checkpoint.enabled
        checkpoint.restore_rng(rng)
        checkpoint.save({"a": X}, {})
        assert checkpoint.load() is None
        checkpoint.remove()
        assert rng.randint(1000) == np.random.RandomState(0).randint(1000)


class TestRandomState:
    def test_goes_on_from_the_state_at_the_beginning(self, tmp_path):
        first = np.random.RandomState(5)
        first.randn(3)  # a state within a pair of normal numbers
        wanted = np.random.RandomState(5)
        wanted.randn(3)
        checkpoint = begun(tmp_path, first)
        first.randint(1000, size=50)
        checkpoint.save({}, {})
        second = np.random.RandomState(99)
        begun(tmp_path, second)
        np.testing.assert_array_equal(second.randn(5), wanted.randn(5))

    def test_stays_that_of_the_first_fit_after_a_second_interrupt(self, tmp_path):
        begun(tmp_path, np.random.RandomState(5)).save({}, {"epoch": 1})
        begun(tmp_path, np.random.RandomState(6)).save({}, {"epoch": 2})
        rng = np.random.RandomState(7)
        assert begun(tmp_path, rng).load()[1] == {"epoch": 2}
        assert rng.randint(1000) == np.random.RandomState(5).randint(1000)

    def test_of_another_kind_is_refused(self, tmp_path):
        rng = np.random.RandomState(np.random.PCG64(0))
        with pytest.raises(TypeError, match=r"random_state draws from PCG64.* checkpoint"):
            begun(tmp_path, rng)

    def test_is_left_alone_without_a_file(self, tmp_path):
        rng = np.random.RandomState(5)
        begun(tmp_path, rng)
        assert rng.randint(1000) == np.random.RandomState(5).randint(1000)


class TestOtherFits:
    def test_of_other_parameters(self, path):
        before = path.read_bytes()
        message = (
            r"checkpoint=.*Worker\.checkpoint\.safetensors belongs to another fit, the difference "
            r"is in power \(1\.0 there, 2\.0 here\)\. Delete the file .* another directory"
        )
        checkpoint = Checkpoint(path.parent, Worker(power=2.0), X)
        with pytest.raises(ValueError, match=message):
            checkpoint.load()
        with pytest.raises(ValueError, match=message):
            checkpoint.restore_rng(np.random.RandomState(0))
        assert path.read_bytes() == before

    @pytest.mark.parametrize(
        ("data", "name"),
        [((X + 1,), "X"), ((X[:5],), "X"), ((X.astype(np.float32),), "X"), ((X, X[:, 0]), "y")],
    )
    def test_of_other_data(self, data, name, path):
        with pytest.raises(ValueError, match=rf"the difference is in {name}\."):
            Checkpoint(path.parent, Worker(), *data).load()

    def test_of_another_version(self, path, monkeypatch):
        monkeypatch.setattr(skdeepclust, "__version__", "77.0")
        with pytest.raises(ValueError, match=r"in skdeepclust \('.*' there, '77\.0' here\)"):
            begun(path.parent)

    def test_what_does_not_change_the_result_may_differ(self, path):
        assert begun(path.parent, verbose=1, checkpoint="elsewhere").load() is not None

    def test_has_a_file_for_each_class(self, path):
        class Other(Worker):
            pass

        assert Checkpoint(path.parent, Other(), X).load() is None


class TestDamage:
    def test_cut_off(self, path):
        whole = path.read_bytes()
        for length in range(0, len(whole), 97):
            path.write_bytes(whole[:length])
            with pytest.raises(ValueError, match=r"checkpoint=.*safetensors.* Delete the file"):
                begun(path.parent)
            assert path.read_bytes() == whole[:length]

    def test_each_changed_byte(self, path):
        whole = bytearray(path.read_bytes())
        for i in range(8, len(whole), 61):
            changed = whole.copy()
            changed[i] ^= 1
            path.write_bytes(bytes(changed))
            with pytest.raises(ValueError, match=r"checkpoint=.*safetensors"):
                begun(path.parent)

    @pytest.mark.parametrize("changes", [{"arrays": 5}, {"document": None}, {"more": 1}])
    def test_a_state_that_is_none(self, changes, path):
        tamper(path, changes)
        with pytest.raises(ValueError, match=r"checkpoint=.* cannot go on from .* Delete the file"):
            begun(path.parent)

    def test_a_file_of_another_kind(self, path):
        save_file({"a": X}, path, {"skdeepclust": "{}"})
        with pytest.raises(ValueError, match="another program: a checkpoint of a fit is wanted"):
            begun(path.parent)
        path.unlink()
        path.mkdir()
        with pytest.raises(ValueError, match="no regular file"):
            begun(path.parent)

    def test_is_no_file_of_an_estimator(self, path):
        with pytest.raises(ValueError, match="comes from another program"):
            skdeepclust.load(path)


def tamper(path, changes):
    """Change the state, with a right check sum."""
    tensors, key = load_file(path), "skdeepclust-checkpoint"
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    document = json.loads(header["__metadata__"][key])
    del document["sha256"]
    items = [item for item in document["state"]["items"] if item[0] not in changes]
    document["state"]["items"] = items + [[name, value] for name, value in changes.items()]
    document["sha256"] = _tensor_files.digest(document, tensors)
    save_file(tensors, path, {key: json.dumps(document)})


class TestDirectory:
    def test_is_made_where_its_parent_is(self, tmp_path):
        begun(tmp_path / "new").save({}, {})
        assert os.listdir(tmp_path / "new") == ["Worker.checkpoint.safetensors"]

    def test_without_a_parent(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"checkpoint=.*: .*absent is no directory"):
            Checkpoint(tmp_path / "absent" / "new", Worker(), X)

    def test_that_is_a_file(self, tmp_path):
        file = tmp_path / "file"
        file.write_text("mine")
        with pytest.raises(ValueError, match=r"checkpoint=.* is a file: a directory is wanted"):
            Checkpoint(file, Worker(), X)
        with pytest.raises(FileNotFoundError, match=r"checkpoint=.* is no directory"):
            Checkpoint(file / "new", Worker(), X)
        assert file.read_text() == "mine"

    @pytest.mark.parametrize("step", ["mkdir", "touch"])
    def test_in_which_nothing_can_be_written(self, step, tmp_path, monkeypatch):
        def refuse(*args, **kwargs):
            raise OSError(errno.EACCES, "Permission denied", "somewhere")

        monkeypatch.setattr(f"pathlib.Path.{step}", refuse)
        message = r"checkpoint=.*nothing can be written there: Permission denied: '.*new'$"
        with pytest.raises(PermissionError, match=message):
            Checkpoint(tmp_path / "new", Worker(), X)


class TestFullDisk:
    @pytest.mark.parametrize("step", ["fsync", "replace"])
    def test_leaves_the_file_before(self, step, path, monkeypatch):
        before, checkpoint = path.read_bytes(), begun(path.parent)
        monkeypatch.setattr(_tensor_files.os, step, fail)
        message = r"checkpoint=.*, the one before stays: No space left on device: .*tensors'$"
        with pytest.raises(OSError, match=message) as caught:
            checkpoint.save({"a": X}, {"epoch": 2})
        assert caught.value.errno == errno.ENOSPC
        monkeypatch.undo()
        assert path.read_bytes() == before
        assert os.listdir(path.parent) == [path.name]
        assert checkpoint.load()[1] == {"epoch": 1}

    def test_a_directory_that_vanishes(self, tmp_path):
        folder = tmp_path / "new"
        checkpoint = begun(folder)
        folder.rmdir()
        with pytest.raises(FileNotFoundError, match=r"checkpoint=.* cannot be saved"):
            checkpoint.save({}, {})

    def test_a_file_that_cannot_be_deleted(self, path, monkeypatch):
        checkpoint = begun(path.parent)
        monkeypatch.setattr("pathlib.Path.unlink", fail)
        with pytest.raises(OSError, match=r"checkpoint=.*complete fit cannot be deleted"):
            checkpoint.remove()


def test_a_file_is_whole_whenever_its_writer_is_killed(tmp_path):
    script = """
import sys
import numpy as np
from sklearn.base import BaseEstimator
from skdeepclust._checkpoint import Checkpoint
class Worker(BaseEstimator):
    pass
checkpoint = Checkpoint(sys.argv[1], Worker(), None)
checkpoint.restore_rng(np.random.RandomState(0))
epoch = 0
while True:
    checkpoint.save({"a": np.full(200_000, epoch)}, {"epoch": epoch})
    epoch += 1
    if epoch == 3:
        print(flush=True)
"""

    class Worker(BaseEstimator):
        pass

    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        child.send_signal(signal.SIGKILL)
    arrays, document = Checkpoint(tmp_path, Worker(), None).load()
    assert document["epoch"] >= 2
    assert (arrays["a"] == document["epoch"]).all()
    assert len(os.listdir(tmp_path)) <= 2
