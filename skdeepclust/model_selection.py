"""Splitters for the two questions clustering asks: new classes, and no test set at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import assert_all_finite, check_random_state

__all__ = ["ClassDisjointKFold", "NoSplit"]

IntArray = NDArray[np.intp]


class ClassDisjointKFold(BaseCrossValidator):
    """K-fold cross-validation over classes: no class of a test fold occurs in its training fold.

    It measures how a learned embedding or clusterer does on classes it has never seen. The
    folds have equal numbers of classes, up to one, and then numbers of rows as equal as a
    simple assignment makes them: large classes first, each to the smallest fold.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    shuffle : bool, default=False
        Whether to draw at random which classes share a fold.
    random_state : int, RandomState instance or None, default=None
        Source of the random numbers; only with ``shuffle=True``.

    Raises
    ------
    ValueError
        If `n_splits` is below 2, or `random_state` is given without `shuffle`.
    TypeError
        If `shuffle` is no bool.

    See Also
    --------
    sklearn.model_selection.GroupKFold : The same for groups that are no classes.

    Notes
    -----
    Rows with the integer label -1 are unlabelled. They belong to every training fold and to
    no test fold, whatever their group; all other rows are in exactly one test fold.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepclust.model_selection import ClassDisjointKFold
    >>> y = np.array(["ant", "bee", "ant", "cat", "dog", "cat"])
    >>> for train, test in ClassDisjointKFold(n_splits=2).split(np.zeros((6, 1)), y):
    ...     print(y[train], y[test])
    ['cat' 'dog' 'cat'] ['ant' 'bee' 'ant']
    ['ant' 'bee' 'ant'] ['cat' 'dog' 'cat']

    """

    # What sklearn's group splitters request where metadata routing is enabled.
    __metadata_request__split = {"groups": True}

    def __init__(
        self, n_splits: int = 5, *, shuffle: bool = False, random_state: Any = None
    ) -> None:
        if not isinstance(n_splits, (int, np.integer)) or n_splits < 2:
            raise ValueError(f"n_splits must be an integer of at least 2, got {n_splits!r}.")
        if not isinstance(shuffle, bool):
            raise TypeError(f"shuffle must be True or False, got {shuffle!r}.")
        if not shuffle and random_state is not None:
            raise ValueError(
                f"random_state must be None unless shuffle=True, got {random_state!r}: "
                "without shuffling it has no effect."
            )
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds.

        Parameters
        ----------
        X, y, groups : object
            Ignored.

        Returns
        -------
        int
            `n_splits`.

        """
        return int(self.n_splits)

    def split(
        self, X: Any, y: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> Iterator[tuple[IntArray, IntArray]]:
        """Return an iterator over the training and test rows of each fold.

        Parameters
        ----------
        X : array-like of shape (n, ...) or None
            Only its number of rows is looked at.
        y : array-like of shape (n,)
            Classes, of any sortable type; the integer -1 means unlabelled.
        groups : array-like of shape (n,), default=None
            Groups of classes, such as the alphabet of a character. The classes of a group
            stay together; folds are then as balanced as the groups allow.

        Returns
        -------
        iterator of (ndarray, ndarray)
            Indices of training and test rows, in ascending order.

        Raises
        ------
        ValueError
            If y is missing or not 1-D, a class lies in several groups, there are fewer
            classes (or groups) than folds, or the lengths differ.

        """
        y, rows = _labelled_rows(y)
        if X is not None:
            _check_same_length(X=X, y=y)
        class_of = _class_codes(y[rows], "y")
        group_of_class = np.arange(class_of.max() + 1)
        if groups is not None:
            _check_same_length(y=y, groups=groups)
            group_of_class = _group_of_class(y[rows], np.asarray(groups)[rows])
        fold_of = np.full(len(y), -1)
        fold_of[rows] = self._fold_of_group(class_of, group_of_class)[group_of_class[class_of]]
        return (
            (np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold))
            for fold in range(self.n_splits)
        )

    def _fold_of_group(self, class_of: IntArray, group_of_class: IntArray) -> IntArray:
        """Assign a fold to each group, given classes of rows (m,) and groups of classes (c,)."""
        sizes = np.column_stack(
            [np.bincount(group_of_class), np.bincount(group_of_class[class_of])]
        )
        if len(sizes) < self.n_splits:
            raise ValueError(
                "n_splits must be at most the number of classes, or of groups where given, "
                f"{len(sizes)} here, got {self.n_splits}."
            )
        fold_sizes = np.zeros((self.n_splits, 2), dtype=np.intp)
        fold_of_group = np.empty(len(sizes), dtype=np.intp)
        for group in self._order(*sizes.T):
            fold = np.lexsort(fold_sizes.T[::-1])[0]  # fewest classes, then fewest rows
            fold_of_group[group] = fold
            fold_sizes[fold] += sizes[group]
        return fold_of_group

    def _order(self, n_classes: IntArray, n_rows: IntArray) -> IntArray:
        """Order the groups (g,) for the assignment, those with the most classes first."""
        if not self.shuffle:
            return np.lexsort((-n_rows, -n_classes))
        drawn = check_random_state(self.random_state).permutation(len(n_rows))
        drawn = drawn[np.argsort(-n_classes[drawn], kind="stable")]
        # Sorting all groups by their rows would undo the shuffling. Sorted in rounds of one
        # group per fold, they still fill the folds evenly.
        rounds = np.arange(len(drawn)) // self.n_splits
        return drawn[np.lexsort((-n_rows[drawn], -n_classes[drawn], rounds))]


class NoSplit(BaseCrossValidator):
    """A single split whose training set and test set are both all rows.

    For choosing parameters without labels, with clusterers that only label the rows they were
    fitted on: what is compared is the clustering itself, and there is no test set to leak.
    With a score that needs labels it measures memory rather than learning.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.metrics import silhouette_score
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skdeepclust.model_selection import NoSplit
    >>> X, _ = make_blobs(60, centers=[[0, 0], [9, 0], [0, 9]], random_state=0)
    >>> def silhouette(estimator, X, y=None):
    ...     return silhouette_score(X, estimator.labels_)
    >>> search = GridSearchCV(
    ...     KMeans(random_state=0), {"n_clusters": [2, 3, 4]}, scoring=silhouette, cv=NoSplit()
    ... )
    >>> search.fit(X).best_params_
    {'n_clusters': 3}

    """

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of splits.

        Parameters
        ----------
        X, y, groups : object
            Ignored.

        Returns
        -------
        int
            Always 1.

        """
        return 1

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[IntArray, IntArray]]:
        """Return an iterator over the one split.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Only its number of rows is looked at.
        y, groups : object
            Ignored.

        Returns
        -------
        iterator of (ndarray, ndarray)
            Indices of training and test rows: twice all rows.

        """
        if X is None:
            raise ValueError("X must be given, its number of rows is needed, got None.")
        return iter([(np.arange(_n_rows(X)), np.arange(_n_rows(X)))])


def _group_of_class(y: NDArray[Any], groups: NDArray[Any]) -> IntArray:
    """Return the group code of each class (c,), given labels and groups of rows (m,)."""
    class_of, group_of = _class_codes(y, "y"), _class_codes(groups, "groups")
    pairs = np.unique(np.column_stack([class_of, group_of]), axis=0)
    classes, n_groups = np.unique(pairs[:, 0], return_counts=True)
    if n_groups.max() > 1:
        label = y[class_of == classes[n_groups.argmax()]][0]
        raise ValueError(
            f"groups must keep the rows of a class together, got {n_groups.max()} groups "
            f"for the class {label!r}."
        )
    return pairs[:, 1]


def _class_codes(labels: ArrayLike, name: str) -> IntArray:
    """Replace labels (n,) of any sortable type by integers 0, 1, ... in sorted order."""
    array = np.asarray(labels)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} must be 1-D and not empty, got an array of shape {array.shape}.")
    assert_all_finite(array, input_name=name)
    try:
        return np.unique(array, return_inverse=True)[1]
    except TypeError as error:
        raise ValueError(f"{name} must hold labels that can be sorted: {error}.") from error


def _labelled_rows(y: ArrayLike | None) -> tuple[NDArray[Any], IntArray]:
    """Return y (n,) as an array and the indices of its rows other than the integer -1."""
    if y is None:
        raise ValueError("y must hold the classes of the rows of X, got None.")
    y = np.asarray(y)
    _class_codes(y, "y")
    rows = np.flatnonzero(y != -1) if y.dtype.kind == "i" else np.arange(len(y))
    if len(rows) == 0:
        raise ValueError(f"y must have labelled rows, got -1 (unlabelled) in all {len(y)} rows.")
    return y, rows


def _labelled_part(X: Any, y: Any) -> tuple[Any, NDArray[Any]]:
    """Leave out the rows of X whose label in y (n,) is the integer -1."""
    y, rows = _labelled_rows(y)
    _check_same_length(X=X, y=y)
    if len(rows) == len(y):
        return X, y
    if hasattr(X, "iloc"):
        return X.iloc[rows], y[rows]
    return (X[rows] if hasattr(X, "shape") else [X[i] for i in rows]), y[rows]


def _check_same_length(**arrays: Any) -> None:
    lengths = {name: _n_rows(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        names, values = " and ".join(lengths), " and ".join(map(str, lengths.values()))
        raise ValueError(f"{names} must have the same number of rows, got {values}.")


def _n_rows(array: Any) -> int:
    return int(array.shape[0]) if hasattr(array, "shape") else len(array)
