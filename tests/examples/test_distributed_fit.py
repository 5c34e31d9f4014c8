"""The example of a process group, with two processes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(sys.platform != "linux", reason="the loopback interface has another name")
def test_example_runs(tmp_path):
    path = ROOT / "examples" / "distributed_fit.py"
    if not path.exists():
        pytest.skip("the examples are not part of an installed package")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run(
        [sys.executable, *launcher, str(path)],
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
    assert sorted(scores) == ["0", "1"]
    assert len(set(scores.values())) == 1
    assert float(scores["0"]) > 0.9
    assert float(re.search(r"one process: (\S+)", done.stdout)[1]) < 1e-3
