"""What a probe costs its device: wheels to download, memory and processor time while idle, delivery of a backlog."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

from benchmarks import Row
from probe.spool.spool import Spool

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
PLATFORMS = ("manylinux2014_aarch64", "manylinux_2_17_aarch64", "manylinux_2_28_aarch64")
SETTLED_S, OBSERVED_S = 8.0, 30.0


def wheels(folder: Path) -> tuple[int, float]:
    """Download the base install's wheels for aarch64; return their number and megabytes, ours included."""
    base = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--dest", str(folder)]
    command += ["--only-binary", ":all:", "--python-version", "3.11", "--constraint", str(ROOT / "constraints.txt")]
    for platform in PLATFORMS:
        command += ["--platform", platform]
    subprocess.run([*command, *base], check=True)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(build, check=True)
    files = list(folder.glob("*.whl"))
    return len(files), sum(file.stat().st_size for file in files) / 1e6


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) / 1024


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle(folder: Path) -> tuple[float, float]:
    """Run the agent between two tests; return resident megabytes and the share of one core."""
    config = folder / "probe.toml"
    config.write_text(
        f'peers = ["http://127.0.0.1:9"]\ntoken_file = "{folder}/none"\n[spool]\npath = "{folder}/spool.sqlite"\n'
        '[position]\nsource = "fixed"\nlongitude_deg = 106.68\nlatitude_deg = 20.86\n'
        "[schedule]\nmean_interval_s = 86400\n[metrics]\nport = 0\n"
    )
    with Spool(folder / "spool.sqlite") as spool:
        spool.next_sequence()  # a probe that has measured before: a new one would test at once
    line = [str(BIN / "haidang-probe"), "run", "--config", str(config)]
    with subprocess.Popen(line, stderr=subprocess.DEVNULL, env={**os.environ, "WATCHDOG_USEC": "60000000"}) as process:
        try:
            time.sleep(SETTLED_S)
            before = _cpu_s(process.pid)
            time.sleep(OBSERVED_S)
            return _resident_mb(process.pid), (_cpu_s(process.pid) - before) / OBSERVED_S
        finally:
            process.terminate()


def run() -> list[Row]:
    """Measure all."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count, megabytes = wheels(folder / "wheels")
        resident, share = idle(folder)
    what = f"{megabytes:.1f} MB in {count} wheels"
    how = "pip download --only-binary :all:, our own wheel included"
    return [
        Row("agent", "base install, wheels for aarch64", "≤ 25 MB, all present", what, how),
        Row("agent", "idle agent, resident memory", "≤ 40 MB", f"{resident:.1f} MB", "VmRSS"),
        Row(
            "agent", "idle agent, processor", "≤ 1 % of a core", f"{share:.2%}", f"over {OBSERVED_S:.0f} s, no test due"
        ),
    ]


if __name__ == "__main__":
    for row in run():
        print(" | ".join(row))
