"""An embedding of digits that it was not trained on, with pictures of some of them."""

from sklearn.datasets import load_digits

from skdeepclust import DeepMetricClusterer
from skdeepclust.plotting import EmbeddingDisplay

X, y = load_digits(return_X_y=True)
X = X.reshape(-1, 1, 8, 8)  # (n, c, h, w)
model = DeepMetricClusterer(max_epochs=5, random_state=0).fit(X[:600], y[:600])
display = EmbeddingDisplay.from_estimator(
    model, X[600:1200], y[600:1200], projection="tsne", random_state=0
)
display.figure_.set_size_inches(7, 5)
