"""What notebooks show of a fitted estimator below its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

__all__ = ["FittedFactsMixin"]


def _is_fitted(estimator: Any) -> bool:
    check_is_fitted(estimator)
    return True


class FittedFactsMixin:
    """Key facts of a fitted estimator in scikit-learn's HTML diagram, also in a pipeline's.

    scikit-learn asks an estimator for its box by the method `_sk_visual_block_`, writes the
    caption below the name, and escapes it. Before `fit` the method is not there, so that the
    diagram is scikit-learn's own.
    """

    @available_if(_is_fitted)
    def _sk_visual_block_(self) -> SimpleNamespace:
        """The attributes of scikit-learn's block, whose class has no public name."""
        return SimpleNamespace(
            kind="single",
            estimators=self,
            names=type(self).__name__,
            name_details=str(self),
            name_caption=", ".join(_facts(vars(self))) or None,
            doc_link_label=None,
            dash_wrapped=True,
        )


def _facts(fitted: Mapping[str, Any]) -> Iterator[str]:
    """What was found, and how much work it was; from the attributes of an estimator."""
    if "n_clusters_" in fitted:
        yield _count(fitted["n_clusters_"], "cluster")
    if "cluster_centers_" in fitted:
        yield _count(fitted["cluster_centers_"].shape[1], "dimension")
    if "score_" in fitted:
        yield f"score {fitted['score_']:.2f}"
    history = fitted.get("history_", {})
    if "n_evaluations" in history:
        yield _count(history["n_evaluations"][-1], "clustering") + " scored"
    elif "n_iter_" in fitted:
        yield _count(fitted["n_iter_"], "epoch") if fitted["n_iter_"] else "closed form"
    elif history.get("loss"):
        yield _count(len(history["loss"]), "epoch")


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" + ("" if n == 1 else "s")
