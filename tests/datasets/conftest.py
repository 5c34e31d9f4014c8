"""Small data sets in the form of the original archives, and a server for them."""

import gzip
import io
import struct
import zipfile
from dataclasses import replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from skdeepclust.datasets._catalogue import CATALOGUE
from skdeepclust.datasets._download import RemoteFile
from skdeepclust.datasets._openml import idx_sha256

REAL_DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data():
    """A function of the name of an npz file: the folder with the benchmark data."""

    def find(name):
        if not (REAL_DATA / name).is_file():
            pytest.skip(f"no {name} in ../shared/data, where the benchmarks look for it")
        return REAL_DATA

    return find


# ---------------------------------------------------------------- the formats, written plainly


def idx(array):
    """Bytes of an idx file, compressed."""
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(header + array.tobytes(), mtime=0)


def mat(**variables):
    """Bytes of a MATLAB file."""
    stream = io.BytesIO()
    savemat(stream, variables, do_compression=True)
    return stream.getvalue()


def zipped(members):
    """Bytes of a zip file."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def png(ink):
    """Bytes of a picture with black ink on white, one bit a pixel."""
    stream = io.BytesIO()
    Image.fromarray(np.where(ink, 0, 255).astype(np.uint8)).convert("1").save(stream, "png")
    return stream.getvalue()


@pytest.fixture(scope="session")
def formats():
    """The writers of the formats, by name."""
    return {"idx": idx, "mat": mat, "zip": zipped, "png": png}


# ---------------------------------------------------------------- small originals


def small_mnist(rng):
    arrays = {
        "x_train": rng.integers(0, 256, (12, 28, 28), dtype=np.uint8),
        "y_train": rng.integers(0, 10, 12, dtype=np.uint8),
        "x_test": rng.integers(0, 256, (5, 28, 28), dtype=np.uint8),
        "y_test": rng.integers(0, 10, 5, dtype=np.uint8),
    }
    names = [file.name for file in CATALOGUE["mnist"].files]
    return arrays, dict(zip(names, map(idx, arrays.values()), strict=True))


def small_letters(rng):
    parts = {
        "train": (rng.integers(0, 256, (7, 28, 28), dtype=np.uint8), np.arange(20, 27)),
        "test": (rng.integers(0, 256, (4, 28, 28), dtype=np.uint8), np.arange(1, 5)),
    }
    members = {"gzip/emnist-digits-train-labels-idx1-ubyte.gz": b"not asked for"}
    for subset, (images, labels) in parts.items():
        sideways = np.stack([image.T for image in images])
        members[f"gzip/emnist-letters-{subset}-images-idx3-ubyte.gz"] = idx(sideways)
        labels = idx(labels.astype(np.uint8))
        members[f"gzip/emnist-letters-{subset}-labels-idx1-ubyte.gz"] = labels
    arrays = {
        "images": np.concatenate([parts["train"][0], parts["test"][0]]),
        "labels": np.concatenate([parts["train"][1], parts["test"][1]]) - 1,
        "split": np.array([0] * 7 + [1] * 4),
    }
    return arrays, {"gzip.zip": zipped(members)}


def small_svhn(rng):
    arrays, files = {}, {}
    for subset, n in (("train", 9), ("test", 4)):
        images = rng.integers(0, 256, (n, 3, 32, 32), dtype=np.uint8)
        digits = np.arange(n) % 10
        X = np.empty((32, 32, 3, n), dtype=np.uint8)
        for i in range(n):
            for channel in range(3):
                X[:, :, channel, i] = images[i, channel]
        y = np.where(digits == 0, 10, digits).astype(np.uint8)[:, None]
        files[f"{subset}_32x32.mat"] = mat(X=X, y=y)
        arrays |= {f"x_{subset}": images, f"y_{subset}": digits}
    return arrays, files


def small_omniglot(rng):
    """Two background alphabets of two and one characters, one for evaluation; two drawers."""
    characters = [
        [("Greek", "character01"), ("Greek", "character02"), ("Latin", "character01")],
        [("Angelic", "character01")],
    ]
    files, drawings = {}, []
    for part, of_part in zip(("background", "evaluation"), characters, strict=True):
        members = {f"images_{part}/": b"", f"__MACOSX/images_{part}/._x.png": b"no picture"}
        for number, (alphabet, folder) in enumerate(of_part):
            for drawer in (2, 1):  # the order in the file is not the order of the drawers
                ink = rng.uniform(size=(105, 105)) < 0.2
                name = f"images_{part}/{alphabet}/{folder}/{number:04}_{drawer:02}.png"
                members[name] = png(ink)
                drawings.append((name, ink))
        files[f"images_{part}.zip"] = zipped(members)
    drawings.sort(key=lambda drawing: drawing[0])
    arrays = {
        "ink": np.stack([ink for _, ink in drawings]),
        "character": np.repeat(np.arange(4), 2),
        "alphabet": np.repeat([0, 0, 1, 2], 2),
        "drawer": np.tile([1, 2], 4),
        "split": np.repeat([0, 0, 0, 1], 2),
        "alphabet_names": np.array(["Greek", "Latin", "Angelic"]),
        "character_alphabet": np.array([0, 0, 1, 2]),
        "character_folder": np.array([folder for part in characters for _, folder in part]),
    }
    return arrays, files


_MAKERS = {
    "mnist": small_mnist,
    "fashion_mnist": small_mnist,
    "emnist_letters": small_letters,
    "svhn": small_svhn,
    "omniglot": small_omniglot,
}


@pytest.fixture(scope="session")
def small():
    """A function of a name: arrays of a small data set, and the bytes of its original files."""
    made = {name: make(np.random.default_rng(0)) for name, make in _MAKERS.items()}
    return lambda name: made[name]


# ---------------------------------------------------------------- a server, and a catalogue of it


class Server(ThreadingHTTPServer):
    """Sends `content`; lists what it was asked for; first answers with the codes in `errors`."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content, self.asked, self.errors, self.cut = {}, [], [], False
        self.url = f"http://127.0.0.1:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.rsplit("/")[-1]
        self.server.asked.append(name)
        if self.server.errors or name not in self.server.content:
            self.send_error(self.server.errors.pop(0) if self.server.errors else 404)
            return
        content = self.server.content[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if self.server.cut else content)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    """A server on this machine."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as running:
        thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def remote_file(name, content, urls):
    return RemoteFile(name, tuple(urls), len(content), sha256(content).hexdigest())


@pytest.fixture
def small_catalogue(monkeypatch, server, small):
    """The catalogue with small data sets, which the server has, and without OpenML."""
    for name in _MAKERS:
        files = small(name)[1]
        remote = [
            remote_file(file, content, [server.url + file]) for file, content in files.items()
        ]
        source = replace(CATALOGUE[name], files=tuple(remote), openml=None)
        monkeypatch.setitem(CATALOGUE, name, source)
        server.content |= files
    return CATALOGUE


@pytest.fixture
def small_openml(monkeypatch, small_catalogue, small):
    """The small catalogue, in which OpenML has a copy of MNIST, and that copy."""
    arrays = small("mnist")[0]
    copy = replace(
        _OPENML, n_train=12, sha256=tuple(idx_sha256(array) for array in arrays.values())
    )
    source = replace(small_catalogue["mnist"], openml=copy)
    monkeypatch.setitem(small_catalogue, "mnist", source)
    return copy


_OPENML = CATALOGUE["mnist"].openml
