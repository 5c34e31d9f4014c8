"""One case of each kind of numerical adversary, the references, and that errors are seen."""

import importlib
import json
import warnings

import numpy as np
import pytest
import torch

N_CHUNKS = 6


@pytest.fixture(scope="module")
def program(benchmark_path):
    return importlib.import_module("reliability_numerics")


@pytest.fixture(scope="module")
def checks(program):
    return importlib.import_module("numeric_checks")


@pytest.fixture(scope="module")
def references(program):
    return importlib.import_module("numeric_references")


@pytest.fixture(scope="module")
def quick(quick_run):
    return quick_run("reliability_numerics.py")


def test_every_kind_is_within_its_bounds(quick, cells, program):
    rows = [cells(line) for line in quick[0].splitlines() if line.startswith("|")]
    assert rows[0][:5] == ["kind", "cases", "refused", "failed", "not finite"]
    assert [row[0] for row in rows[2:]] == [*program.KINDS, "all"]
    assert {row[1] for row in rows[2:-1]} == {"1"}
    assert {row[3] for row in rows[2:]} == {row[4] for row in rows[2:]} == {"0"}


def test_figures_are_written(quick, program):
    content = json.loads((quick[1] / "values.json").read_text(encoding="utf-8"))
    assert content["n_cases"] == len(program.KINDS) == len(content["largest"])
    assert content["failures"] == []
    largest = content["largest"]["spectral loss: d > n"]
    assert 0 <= largest["loss"] <= 5e-5
    assert 0 <= largest["gradient"] <= 1e-4


@pytest.mark.parametrize("chunk", range(N_CHUNKS))
def test_other_seeds_are_within_their_bounds(program, chunk):
    run = program.numeric_cases(seed=2_026)
    records = [run(case) for case in range(chunk, len(program.SCHEDULE), N_CHUNKS)]
    assert [record for record in records if record["outcome"] == "failed"] == []


@pytest.mark.parametrize("case", [231, 331, 2_524])
def test_cases_that_once_failed(program, case):
    assert program.numeric_cases(seed=0)(case)["outcome"] == "within"


def test_a_case_repeats_itself(program):
    run = program.numeric_cases(seed=3)
    first, second = run(4), run(4)
    del first["seconds"], second["seconds"]
    assert first == second


def make_rows(n=40, d=5, k=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator), torch.arange(n) % k


@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_reference_of_the_spectral_loss(references, ridge):
    """Against autograd through n x n matrices."""
    rows, y = make_rows()
    leaf = rows.double().requires_grad_()
    one_hot = torch.nn.functional.one_hot(y).double()
    projector = one_hot @ torch.linalg.pinv(one_hot)
    second = leaf.T @ leaf
    second = second + ridge * second.trace() / 5 * torch.eye(5, dtype=torch.float64)
    loss = 3 - (projector * (leaf @ torch.linalg.solve(second, leaf.T))).sum()
    loss.backward()
    found = references.spectral(rows, y, ridge)
    assert found.loss == pytest.approx(float(loss.detach()))
    torch.testing.assert_close(found.gradient, leaf.grad)
    assert not found.doubtful
    assert float(leaf.grad.norm()) <= found.scale


def test_reference_of_the_leave_one_out_loss(references):
    """Against a regression without each row."""
    rows, y = make_rows(12)
    wide, one_hot = rows.double(), torch.nn.functional.one_hot(y).double()
    level = 0.2 * wide.square().sum() / 5
    total = 0.0
    for i in range(12):
        others = torch.arange(12) != i
        augmented = torch.cat([wide[others], level.sqrt() * torch.eye(5, dtype=torch.float64)])
        wanted = torch.cat([one_hot[others], torch.zeros(5, 3, dtype=torch.float64)])
        predicted = wide[i] @ torch.linalg.lstsq(augmented, wanted).solution
        total -= float(torch.log_softmax(predicted / 0.1, dim=0)[y[i]])
    assert references.leave_one_out(rows, y, 0.2, 0.1).loss == pytest.approx(total / 12)


def test_a_singular_value_at_the_tolerance_is_doubtful(references):
    rows = torch.eye(6)[:, :3] * torch.tensor([1.0, 1.0, references.RANK_TOLERANCE * 1.001])
    assert references.spectral(rows, torch.arange(6) % 2, 0.0).doubtful
    assert not references.spectral(rows, torch.arange(6) % 2, 1e-3).doubtful


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_reference_of_whitening(references, strength):
    rows, _ = make_rows()
    found, inflation, doubtful = references.whitened_rows(rows, strength)
    covariance = torch.cov(rows.double().T, correction=0)
    mean_variance = covariance.diagonal().mean() * torch.eye(5, dtype=torch.float64)
    shrunk = strength * covariance + (1 - strength) * mean_variance
    products = (rows.double() - rows.double().mean(0)) @ torch.linalg.inv(shrunk)
    torch.testing.assert_close(
        found @ found.T, products @ (rows.double() - rows.double().mean(0)).T
    )
    assert inflation < 1
    assert not doubtful


def failing(error):
    def act(story):
        raise error

    return act


def test_what_is_wrong_fails(program, checks, references):
    wanted = references.spectral(*make_rows(), 0.0)
    loss = torch.tensor(wanted.loss)
    right = checks.compare(loss, wanted.gradient, wanted, 3)
    assert program.judge(lambda story: right)["outcome"] == "within"
    off = checks.compare(loss, 1.01 * wanted.gradient, wanted, 3)
    assert "gradient is wrong by" in program.judge(lambda story: off)["detail"]
    off = checks.compare(loss + 1e-3, wanted.gradient, wanted, 3)
    assert "loss is wrong by" in program.judge(lambda story: off)["detail"]
    lost = checks.compare(loss * torch.nan, wanted.gradient, wanted, 3)
    record = program.judge(lambda story: lost)
    assert (record["outcome"], record["not finite"]) == ("failed", 1)
    assert program.judge(failing(KeyError("x")))["outcome"] == "failed"
    assert program.judge(failing(program.RefusedError("X")))["outcome"] == "refused"


def test_warnings_about_numbers_fail(program, checks):
    def act(story):
        warnings.warn("overflow", RuntimeWarning, stacklevel=1)
        return checks.Errors()

    assert program.judge(act)["outcome"] == "failed"


def test_only_data_without_anything_to_learn_may_be_refused(program):
    is_learnable = importlib.import_module("numeric_fits").is_learnable
    X, y = np.eye(4), np.array([0, 0, 1, 1])
    assert is_learnable(X, y)
    assert is_learnable(X, None)
    assert not is_learnable(np.ones((4, 2)), y)
    assert not is_learnable(X, np.zeros(4))


def test_a_fit_that_is_not_finite_is_seen(program, checks):
    fits = importlib.import_module("numeric_fits")
    model, X, y = fits.make_fit(np.random.default_rng(0), [], "MLP")
    model.fit(X, y)
    errors = checks.Errors()
    fits.check_fit(model, X, errors.see, errors.faults)
    assert (errors.n_not_finite, errors.faults) == (0, [])
    with torch.no_grad():
        model.network_.head.bias[0] = torch.nan
    model.labels_ = model.labels_[::-1] + 1
    fits.check_fit(model, X, errors.see, errors.faults)
    assert errors.n_not_finite > 0
    assert errors.faults
