"""Where the data sets of the papers come from, and what each of them is."""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ._archives import (
    Arrays,
    emnist_letters_arrays,
    mnist_arrays,
    omniglot_arrays,
    svhn_arrays,
)
from ._download import RemoteFile
from ._openml import OpenMLCopy
from ._store import Contents, read_letters, read_omniglot, read_train_and_test

__all__ = ["CATALOGUE", "Source"]


@dataclass(frozen=True)
class Source:
    """How a data set is had.

    Parameters
    ----------
    files : tuple of RemoteFile
        Its original archives.
    build : callable
        From the paths of the archives, and a verbosity, to the arrays of its npz file.
    read : callable
        From the path of its npz file to what is in it.
    npz : str
        Name of its npz file.
    description : str
        What it is, who may use it, whom to cite.
    class_names : tuple of str
        Names of the classes, unless they are in the npz file.
    openml : OpenMLCopy or None
        A copy that is tried before the archives.
    """

    files: tuple[RemoteFile, ...]
    build: Callable[[Sequence[Path], int], Arrays]
    read: Callable[[Path], Contents]
    npz: str
    description: str
    class_names: tuple[str, ...] = ()
    openml: OpenMLCopy | None = None


def _at(folders: Sequence[str], files: Sequence[tuple[str, int, str]]) -> tuple[RemoteFile, ...]:
    """Files of names, sizes and sums, each of which is in all of the folders."""
    return tuple(
        RemoteFile(name, tuple(folder + name for folder in folders), size, sha256)
        for name, size, sha256 in files
    )


_CLOTHES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip

# Sizes and sums of the files are those that TensorFlow Datasets publishes (its url_checksums); the
# sums of the unpacked idx files were computed from data whose MD5 sums are the published ones.
_MNIST = Source(
    files=_at(
        [
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ],
        [
            (
                "train-images-idx3-ubyte.gz",
                9912422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            ),
            (
                "train-labels-idx1-ubyte.gz",
                28881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            ),
            (
                "t10k-images-idx3-ubyte.gz",
                1648877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            ),
            (
                "t10k-labels-idx1-ubyte.gz",
                4542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
        ],
    ),
    build=mnist_arrays,
    read=partial(read_train_and_test, item_shape=(28, 28), n_classes=10),
    npz="mnist.npz",
    description="""\
MNIST: handwritten digits
-------------------------

    images   60,000 for training, 10,000 for test, 28 x 28, bright ink on black
    classes  10 digits

Licence: commonly given as CC BY-SA 3.0 (Y. LeCun, C. Cortes, C. Burges).
Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
recognition", Proceedings of the IEEE 86(11), 1998.
""",
    class_names=tuple(string.digits),
    openml=OpenMLCopy(
        554,
        60000,
        (28, 28),
        (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
)

_FASHION_MNIST = Source(
    files=_at(
        [
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        ],
        [
            (
                "train-images-idx3-ubyte.gz",
                26421880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            (
                "train-labels-idx1-ubyte.gz",
                29515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            ),
            (
                "t10k-images-idx3-ubyte.gz",
                4422102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            (
                "t10k-labels-idx1-ubyte.gz",
                5148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        ],
    ),
    build=mnist_arrays,
    read=partial(read_train_and_test, item_shape=(28, 28), n_classes=10),
    npz="fashion_mnist.npz",
    description="""\
Fashion-MNIST: articles of clothing
-----------------------------------

    images   60,000 for training, 10,000 for test, 28 x 28, bright on black
    classes  10 kinds of clothes, shoes and bags, of equal size

Licence: MIT.
H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
learning algorithms", arXiv:1708.07747, 2017.
""",
    class_names=_CLOTHES,
    openml=OpenMLCopy(
        40996,
        60000,
        (28, 28),
        (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    ),
)

_EMNIST_LETTERS = Source(
    files=_at(
        [
            "https://biometrics.nist.gov/cs_links/EMNIST/",
            "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/",
        ],
        [
            (
                "gzip.zip",
                561753746,
                "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
            )
        ],
    ),
    build=emnist_letters_arrays,
    read=read_letters,
    npz="emnist_letters.npz",
    description="""\
EMNIST: handwritten letters
---------------------------

    images   28 x 28, bright ink on black, upright
    classes  26 letters, upper and lower case in one class

The official letters: 124,800 images for training, 20,800 for test. A file emnist_letters.npz of
your own may hold another choice of images.

Licence: derived from NIST Special Database 19, a work of the government of the United States.
G. Cohen, S. Afshar, J. Tapson, A. van Schaik, "EMNIST: extending MNIST to handwritten letters",
IJCNN 2017, arXiv:1702.05373.
""",
    class_names=tuple(string.ascii_uppercase),
)

_SVHN = Source(
    files=_at(
        ["http://ufldl.stanford.edu/housenumbers/"],
        [
            (
                "train_32x32.mat",
                182040794,
                "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
            ),
            (
                "test_32x32.mat",
                64275384,
                "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
            ),
        ],
    ),
    build=svhn_arrays,
    read=partial(read_train_and_test, item_shape=(3, 32, 32), n_classes=10),
    npz="svhn.npz",
    description="""\
SVHN: street view house numbers, cropped digits
-----------------------------------------------

    images   73,257 for training, 26,032 for test, 3 x 32 x 32, red, green and blue
    classes  10 digits

Licence: for non-commercial use only.
Y. Netzer, T. Wang, A. Coates, A. Bissacco, B. Wu, A. Y. Ng, "Reading digits in natural images with
unsupervised feature learning", NIPS workshop on deep learning and unsupervised feature learning,
2011.
""",
    class_names=tuple(string.digits),
)

_OMNIGLOT = Source(
    files=_at(
        ["https://github.com/brendenlake/omniglot/raw/master/python/"],
        [
            (
                "images_background.zip",
                9464212,
                "ad41ab679c8b5d90b271ef46be6987cc81211774a695c29dcc5367b2b26ee640",
            ),
            (
                "images_evaluation.zip",
                6462886,
                "1f61a8f3366785b057fc117d9228e78a16e3d976c8953b2a10fcc74cf0609cee",
            ),
        ],
    ),
    build=omniglot_arrays,
    read=read_omniglot,
    npz="omniglot32.npz",
    description="""\
Omniglot: handwritten characters of fifty alphabets
---------------------------------------------------

    images   32,460, 32 x 32 (averaged from 105 x 105), bright ink on black
    classes  1,623 characters, each drawn once by each of 20 people
    split    30 background alphabets with 964 characters, 20 evaluation alphabets with 659

Licence: MIT.
B. M. Lake, R. Salakhutdinov, J. B. Tenenbaum, "Human-level concept learning through probabilistic
program induction", Science 350, 2015.
""",
)

CATALOGUE: dict[str, Source] = {
    "mnist": _MNIST,
    "fashion_mnist": _FASHION_MNIST,
    "emnist_letters": _EMNIST_LETTERS,
    "svhn": _SVHN,
    "omniglot": _OMNIGLOT,
}
"""Data sets that can be downloaded, by name."""
