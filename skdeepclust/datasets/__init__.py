"""Data sets for clustering classes that nobody has seen before.

A model that clusters *new* classes has to be trained on many old ones. :func:`make_glyphs` draws
more than 800 characters of twelve scripts, from fonts that come with matplotlib: nothing is
downloaded, and a script can be held out as a whole.

The ``fetch_*`` functions load the public data sets of the papers, downloading what is missing;
:func:`fetch_dataset` takes their names. :func:`load_cars196_images` reads a folder that you have.
"""

from ._cars import load_cars196_images
from ._download import ChecksumError, DatasetUnavailableError
from ._fetch import (
    fetch_dataset,
    fetch_emnist_letters,
    fetch_fashion_mnist,
    fetch_mnist,
    fetch_omniglot,
    fetch_svhn,
)
from ._glyphs import GLYPH_SCRIPTS, make_glyphs

__all__ = [
    "GLYPH_SCRIPTS",
    "ChecksumError",
    "DatasetUnavailableError",
    "fetch_dataset",
    "fetch_emnist_letters",
    "fetch_fashion_mnist",
    "fetch_mnist",
    "fetch_omniglot",
    "fetch_svhn",
    "load_cars196_images",
    "make_glyphs",
]
