"""A hundred random cases of the fuzzing program, and that it sees what is wrong."""

import importlib
import json
import warnings

import numpy as np
import pytest

N_CASES = 104
N_CHUNKS = 8


@pytest.fixture(scope="module")
def program(benchmark_path):
    return importlib.import_module("reliability_fuzz")


@pytest.fixture(scope="module")
def run(program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("critic")
    program.write_critic(folder)
    return program.fuzz_cases(folder, seed=2_026)


@pytest.mark.parametrize("chunk", range(N_CHUNKS))
def test_results_are_valid_or_the_error_names_the_argument(run, chunk):
    records = [run(case) for case in range(chunk, N_CASES, N_CHUNKS)]
    failures = [record for record in records if record["outcome"] == "failed"]
    assert not failures
    assert {record["outcome"] for record in records} <= {"valid", "refused"}


@pytest.mark.parametrize(
    "case", [3_795, 12_723, 21_051, 21_483, 24_330, 31_085, 32_674, 35_524, 42_005, 42_636]
)
def test_cases_that_once_failed(program, tmp_path, case):
    program.write_critic(tmp_path)
    assert program.fuzz_cases(tmp_path, seed=0)(case)["outcome"] != "failed"


def test_a_case_repeats_itself(run):
    first, second = run(5), run(5)
    del first["seconds"], second["seconds"]
    assert first == second


def test_quick_run_writes_its_figures(quick_run, cells):
    output, folder = quick_run("reliability_fuzz.py")
    rows = [cells(line) for line in output.splitlines() if line.startswith("|")]
    assert rows[0] == ["kind", "cases", "valid", "refused", "failed", "largest seconds"]
    content = json.loads((folder / "values.json").read_text(encoding="utf-8"))
    assert content["n_cases"] == int(rows[-1][1]) > 10
    assert sum(sum(kind.values()) for kind in content["kinds"].values()) == content["n_cases"]


@pytest.fixture(scope="module")
def checks(program):
    return importlib.import_module("fuzz_checks")


def failing(error):
    def act(*args):
        raise error

    return act


@pytest.mark.parametrize(
    "error, outcome",
    [
        (ValueError("X has NaN"), "refused"),
        (TypeError("y is no array"), "refused"),
        (ValueError("n_clusters=9 is too many"), "refused"),
        (ValueError("your Xs are wrong"), "failed"),
        (IndexError("X"), "failed"),
        (KeyboardInterrupt("X"), "failed"),
    ],
    ids=repr,
)
def test_only_errors_that_name_an_argument_are_refusals(program, checks, error, outcome):
    record = program.judge(lambda story: checks.may_refuse(failing(error)))
    assert record["outcome"] == outcome
    assert str(error) in record["detail"]


@pytest.mark.parametrize(
    "act, reason",
    [
        (lambda story: np.random.seed(3), "a global state has changed"),
        (lambda story: np.log(np.zeros(1)), "RuntimeWarning: divide by zero"),
        (lambda story: warnings.warn("soon", FutureWarning, stacklevel=1), "FutureWarning: soon"),
    ],
)
def test_what_happens_besides_is_a_failure(program, act, reason):
    state = np.random.get_state()
    record = program.judge(act)
    np.random.set_state(state)
    assert record["outcome"] == "failed"
    assert reason in record["detail"]


def test_warnings_about_the_data_are_none(program):
    act = lambda story: warnings.warn("few distinct rows", UserWarning, stacklevel=1)  # noqa: E731
    assert program.judge(act)["outcome"] == "valid"


def test_every_parameter_can_be_drawn(program, tmp_path):
    rng = np.random.default_rng(0)
    program.write_critic(tmp_path)
    for cls in (program.DeepMetricClusterer, program.ClusteringCritic, program.CriticClusterer):
        path = tmp_path / "critic.safetensors"
        for _ in range(50):
            cls(**program.draw_valid(rng, cls, path, share=1.0))._validate_params()
        wrong = [program.draw_invalid(rng, cls) for _ in range(300)]
        assert {name for name, _ in wrong} >= set(cls._parameter_constraints) - {"critic"}
        for name, value in wrong:
            with pytest.raises((ValueError, TypeError), match=name):
                cls(**{name: value}).fit(np.eye(5), [0, 0, 1, 1, 1])
