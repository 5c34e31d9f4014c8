"""The largest resident set of this process, as the system tells it."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

__all__ = ["peak_memory", "reset_peak"]

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
# Written there, it lets the peak begin anew.
_RESET_PEAK = "5"


def reset_peak() -> None:
    """Let the peak begin anew, where the system can."""
    with suppress(OSError):
        _RESET.write_text(_RESET_PEAK, encoding="ascii")


def peak_memory() -> int | None:
    """Bytes of the largest resident set of this process; None where the system does not tell."""
    if _STATUS.exists():
        lines = _STATUS.read_text(encoding="ascii").splitlines()
        peaks = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
        if peaks:
            return 1024 * int(peaks[0])
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
