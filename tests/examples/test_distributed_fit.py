"""The example of a process group, with two processes and with none."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(sys.platform != "linux", reason="the loopback interface has another name")
@pytest.mark.parametrize("n_ranks", [1, 2])
def test_example_runs(n_ranks, tmp_path):
    path = ROOT / "examples" / "distributed_fit.py"
    if not path.exists():
        pytest.skip("the examples are not part of an installed package")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run(
        [sys.executable, *(launcher if n_ranks > 1 else []), str(path)],
        cwd=tmp_path,
        env=os.environ
        | {
            "OMP_NUM_THREADS": "1",
            "GLOO_SOCKET_IFNAME": "lo",
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    scores = dict(re.findall(r"rank (\d) of \d.*? new rows (0\.\d+)", done.stdout))
    assert sorted(scores) == [str(rank) for rank in range(n_ranks)]
    assert len(set(scores.values())) == 1
    assert float(scores["0"]) > 0.9
    assert float(re.search(r"one process: (\S+)", done.stdout)[1]) < 1e-3
