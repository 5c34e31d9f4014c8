"""Public data sets of the papers, in scikit-learn's manner."""

from __future__ import annotations

from pathlib import Path

from sklearn.utils import Bunch

from ._cars import load_cars196_images
from ._catalogue import CATALOGUE
from ._download import DatasetUnavailableError
from ._locate import PathLike
from ._request import Request, load

__all__ = [
    "fetch_dataset",
    "fetch_emnist_letters",
    "fetch_fashion_mnist",
    "fetch_mnist",
    "fetch_omniglot",
    "fetch_svhn",
]

_CARS196 = "cars196"
_NAMES = (*CATALOGUE, _CARS196)


def fetch_mnist(
    data_home: PathLike | None = None,
    *,
    data_dir: PathLike | None = None,
    subset: str = "all",
    download_if_missing: bool = True,
    n_retries: int = 3,
    delay: float = 1.0,
    verbose: int = 0,
) -> Bunch:
    """Load MNIST, 70,000 handwritten digits; download it if necessary.

    It is taken from the first of these that has it: ``mnist.npz`` in `data_dir`; the same file in
    the cache; the four original files (``train-images-idx3-ubyte.gz`` and so on) that you put into
    the folder ``mnist`` of the cache; OpenML (data set 554); the original files, downloaded (12
    MB). What comes from the network is compared with the published SHA-256 sums, then stored as
    ``mnist.npz`` in the cache.

    Parameters
    ----------
    data_home : str, path-like or None, default=None
        scikit-learn's folder of data sets; the cache is its subfolder ``skdeepclust``. None:
        ``~/scikit_learn_data``, or what the environment variable SCIKIT_LEARN_DATA says.
    data_dir : str, path-like or None, default=None
        A folder that may hold ``mnist.npz``, with arrays x_train (n, 28, 28) uint8, y_train (n,),
        x_test and y_test. It is passed over where there is no such file.
    subset : {"all", "train", "test"}, default="all"
        Which images; of all of them those for training come first.
    download_if_missing : bool, default=True
        False: raise DatasetUnavailableError instead of downloading.
    n_retries : int, default=3
        Further attempts after an error of the network.
    delay : float, default=1.0
        Seconds between two attempts.
    verbose : int, default=0
        Above 0, show the progress of downloads on standard error.

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        images : ndarray of shape (n, 28, 28), uint8
            Bright ink on black; ``images[:, None]`` is what image encoders take.
        data : ndarray of shape (n, 784), uint8
            The same images as rows (a view).
        target : ndarray of shape (n,), int64
            Digit of each image.
        split : ndarray of shape (n,), uint8
            0 for training, 1 for test.
        target_names : list of str
            Names of the classes.
        filename : str
            The file that was read.
        DESCR : str
            Description of the data set.

    Raises
    ------
    DatasetUnavailableError
        If it is not on this machine and cannot be downloaded; an OSError.
    ChecksumError
        If a file is not the one that was published; an OSError.
    ValueError
        If a file is damaged.

    Examples
    --------
    >>> from skdeepclust.datasets import fetch_mnist
    >>> digits = fetch_mnist(subset="test")  # doctest: +SKIP
    >>> digits.images.shape  # doctest: +SKIP
    (10000, 28, 28)
    """
    how = Request(data_home, data_dir, subset, download_if_missing, n_retries, delay, verbose)
    return load("mnist", how)


def fetch_fashion_mnist(
    data_home: PathLike | None = None,
    *,
    data_dir: PathLike | None = None,
    subset: str = "all",
    download_if_missing: bool = True,
    n_retries: int = 3,
    delay: float = 1.0,
    verbose: int = 0,
) -> Bunch:
    """Load Fashion-MNIST, 70,000 articles of clothing; download it if necessary.

    As with :func:`fetch_mnist`; the npz file is ``fashion_mnist.npz``, with the same arrays, the
    folder for original files in the cache is ``fashion_mnist`` (31 MB), and the data set of OpenML
    is 40996.

    Parameters
    ----------
    data_home, data_dir, subset, download_if_missing, n_retries, delay, verbose
        See :func:`fetch_mnist`.

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        images (n, 28, 28) uint8, data (n, 784), target, split, target_names, filename and DESCR;
        see :func:`fetch_mnist`.

    Examples
    --------
    >>> from skdeepclust.datasets import fetch_fashion_mnist
    >>> clothes = fetch_fashion_mnist(subset="train")  # doctest: +SKIP
    >>> clothes.target_names[9]  # doctest: +SKIP
    'Ankle boot'
    """
    how = Request(data_home, data_dir, subset, download_if_missing, n_retries, delay, verbose)
    return load("fashion_mnist", how)


def fetch_emnist_letters(
    data_home: PathLike | None = None,
    *,
    data_dir: PathLike | None = None,
    subset: str = "all",
    download_if_missing: bool = True,
    n_retries: int = 3,
    delay: float = 1.0,
    verbose: int = 0,
) -> Bunch:
    """Load letters of EMNIST, upper and lower case in one class; download them if necessary.

    As with :func:`fetch_mnist`, but for the images that there are: a file ``emnist_letters.npz``
    in `data_dir` may hold any choice of letters, in arrays images (n, 28, 28) uint8, labels from 0
    to 25 and split (0 for training, 1 for test). What is downloaded is the official choice of
    145,600 letters, 124,800 of them for training. It is part of one file of 562 MB, ``gzip.zip``,
    that may be put into the folder ``emnist_letters`` of the cache; OpenML does not have it.

    Parameters
    ----------
    data_home, data_dir, subset, download_if_missing, n_retries, delay, verbose
        See :func:`fetch_mnist`.

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        images (n, 28, 28) uint8, upright, data (n, 784), target from 0 for A to 25 for Z, split,
        target_names, filename and DESCR; see :func:`fetch_mnist`.

    Examples
    --------
    >>> from skdeepclust.datasets import fetch_emnist_letters
    >>> letters = fetch_emnist_letters(verbose=1)  # doctest: +SKIP
    >>> new = letters.images[letters.target >= 13]  # N to Z  # doctest: +SKIP
    """
    how = Request(data_home, data_dir, subset, download_if_missing, n_retries, delay, verbose)
    return load("emnist_letters", how)


def fetch_svhn(
    data_home: PathLike | None = None,
    *,
    data_dir: PathLike | None = None,
    subset: str = "all",
    download_if_missing: bool = True,
    n_retries: int = 3,
    delay: float = 1.0,
    verbose: int = 0,
) -> Bunch:
    """Load SVHN, 99,289 cropped digits of house numbers; download them if necessary.

    As with :func:`fetch_mnist`. The npz file is ``svhn.npz``, with x_train of shape (n, 3, 32, 32)
    or (n, 32, 32, 3), y_train from 0 to 9, x_test and y_test. The original files, 246 MB, are
    ``train_32x32.mat`` and ``test_32x32.mat``; they may be put into the folder ``svhn`` of the
    cache. The third one, of easier digits, is not used. OpenML is not asked: that the order of the
    pixels in its copy is the original one is not published.

    Parameters
    ----------
    data_home, data_dir, subset, download_if_missing, n_retries, delay, verbose
        See :func:`fetch_mnist`.

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        images (n, 3, 32, 32) uint8, red, green and blue, which image encoders take as they are;
        data (n, 3072), target, split, target_names, filename and DESCR; see :func:`fetch_mnist`.

    Examples
    --------
    >>> from skdeepclust.datasets import fetch_svhn
    >>> numbers = fetch_svhn(subset="test")  # doctest: +SKIP
    >>> numbers.images.shape  # doctest: +SKIP
    (26032, 3, 32, 32)
    """
    how = Request(data_home, data_dir, subset, download_if_missing, n_retries, delay, verbose)
    return load("svhn", how)


def fetch_omniglot(
    data_home: PathLike | None = None,
    *,
    data_dir: PathLike | None = None,
    subset: str = "all",
    download_if_missing: bool = True,
    n_retries: int = 3,
    delay: float = 1.0,
    verbose: int = 0,
) -> Bunch:
    """Load Omniglot, 1,623 handwritten characters; download them if necessary.

    As with :func:`fetch_mnist`. The two subsets have no class in common: "train" are the
    characters of the 30 background alphabets, "test" those of the 20 evaluation alphabets.

    The npz file is ``omniglot32.npz``, with arrays images (n, 32, 32) uint8, character, alphabet,
    drawer and split (n,), alphabet_names, and for each character character_alphabet and
    character_folder. The original files, 16 MB, are ``images_background.zip`` and
    ``images_evaluation.zip``; they may be put into the folder ``omniglot`` of the cache. Reading
    them needs Pillow, which comes with ``pip install "skdeepclust[plot]"``. OpenML does not have
    them.

    Parameters
    ----------
    data_home, data_dir, subset, download_if_missing, n_retries, delay, verbose
        See :func:`fetch_mnist`.

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        images (n, 32, 32) uint8, averaged from 105 x 105; data (n, 1024), target from 0 to 1622,
        split, target_names such as ``"Greek/character01"``, filename and DESCR as in
        :func:`fetch_mnist`, and

        alphabet : ndarray of shape (n,), int64
            Alphabet of each image, from 0 to 49.
        drawer : ndarray of shape (n,), uint8
            Who drew it, from 1 to 20.
        alphabet_names : list of str
            Names of the alphabets.

    Raises
    ------
    ImportError
        If Pillow is needed and not installed.

    Examples
    --------
    >>> from skdeepclust.datasets import fetch_omniglot
    >>> seen = fetch_omniglot(subset="train")  # doctest: +SKIP
    >>> new = fetch_omniglot(subset="test")  # doctest: +SKIP
    >>> set(seen.target) & set(new.target)  # doctest: +SKIP
    set()
    """
    how = Request(data_home, data_dir, subset, download_if_missing, n_retries, delay, verbose)
    return load("omniglot", how)


def fetch_dataset(
    name: str,
    data_home: PathLike | None = None,
    *,
    data_dir: PathLike | None = None,
    subset: str = "all",
    download_if_missing: bool = True,
    n_retries: int = 3,
    delay: float = 1.0,
    verbose: int = 0,
) -> Bunch:
    """Load a data set of the papers by its name.

    Parameters
    ----------
    name : {"mnist", "fashion_mnist", "emnist_letters", "svhn", "omniglot", "cars196"}
        The data set. "cars196" cannot be downloaded: its images must be in the folder ``cars196``
        of `data_dir`, see :func:`load_cars196_images`.
    data_home, data_dir, subset, download_if_missing, n_retries, delay, verbose
        See :func:`fetch_mnist`.

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        What :func:`fetch_mnist`, :func:`fetch_fashion_mnist`, :func:`fetch_emnist_letters`,
        :func:`fetch_svhn`, :func:`fetch_omniglot` or :func:`load_cars196_images` returns.

    Examples
    --------
    A file of your own goes before the network:

    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from skdeepclust.datasets import fetch_dataset
    >>> images, digits = np.zeros((3, 28, 28), dtype=np.uint8), np.array([5, 0, 4])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "mnist.npz"
    ...     np.savez(path, x_train=images, y_train=digits, x_test=images, y_test=digits)
    ...     dataset = fetch_dataset("mnist", data_dir=folder, subset="test")
    >>> dataset.images.shape, dataset.target
    ((3, 28, 28), array([5, 0, 4]))
    """
    how = Request(data_home, data_dir, subset, download_if_missing, n_retries, delay, verbose)
    if not isinstance(name, str) or name not in _NAMES:
        raise ValueError(f"name == {name!r}, must be one of {', '.join(map(repr, _NAMES))}.")
    return _load_cars196(how) if name == _CARS196 else load(name, how)


def _load_cars196(request: Request) -> Bunch:
    if request.data_dir is None:
        raise DatasetUnavailableError(
            "cars196 cannot be downloaded: data_dir is None, a folder with its images in a "
            "subfolder cars196 is wanted."
        )
    folder = Path(request.data_dir) / _CARS196
    return load_cars196_images(folder, subset=request.subset, verbose=request.verbose)
