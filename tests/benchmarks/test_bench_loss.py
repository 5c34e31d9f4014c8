"""The benchmark of the loss runs, and says what it measured."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_quick_run(tmp_path):
    outputs = ["--markdown", str(tmp_path / "loss.md"), "--json", str(tmp_path / "loss.json")]
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    finished = subprocess.run(
        [
            sys.executable,
            str(ROOT / "benchmarks" / "bench_loss.py"),
            "--quick",
            "--threads",
            "1",
            *outputs,
        ],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": paths},
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    text = (tmp_path / "loss.md").read_text(encoding="utf-8")
    assert text.strip() == finished.stdout.strip()
    assert "| 256 | 16 | 8 |" in text
    assert "no n x n memory" in text

    results = json.loads((tmp_path / "loss.json").read_text(encoding="utf-8"))["results"]
    installed = "pip install pytorch-metric-learning" not in text
    if find_spec("pytorch_metric_learning") is None:
        assert not installed
    for result in results:
        assert result["ratios"]["floor"] == 1.0
        assert result["ratios"]["ridge 0"] > 0
        assert result["memory_mb"]["floor"] >= 0
        measured = set(result["ratios"]) | set(result["skipped"])
        assert ("MultiSimilarity" in measured) == installed
