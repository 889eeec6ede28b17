"""A real Slurm with one node on this machine, for the duration of a test: Debian's slurm-wlm and munge, as root."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch")
SECONDS = 60  # for the node to be idle

CONFIG = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket={home}/munge.socket
CryptoType=crypto/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd.pid
SlurmctldLogFile={home}/slurmctld.log
SlurmdLogFile={home}/slurmd.log
SlurmctldPort={port}
SlurmdPort={port_of_node}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
SchedulerParameters=sched_interval=1,batch_sched_delay=1
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=60 State=UP
"""


def why_not() -> str:
    """Why Slurm can't run here; empty if it can."""
    if os.uname().sysname != "Linux" or os.getuid() != 0:
        return "a Slurm for tests needs Linux and root"
    missing = [name for name in DAEMONS if shutil.which(name) is None]
    return f"{missing[0]} is not installed (Debian: slurm-wlm, munge)" if missing else ""


@contextmanager
def slurm(home: Path) -> Iterator[dict[str, str]]:
    """Yields the environment variables with which its commands find it."""
    host = socket.gethostname().split(".")[0]
    for name in ("state", "spool"):
        (home / name).mkdir(parents=True)
    key = home / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    places = {"home": home, "host": host, "port": _free_port(), "port_of_node": _free_port()}
    config = CONFIG.format(**places, cpus=os.cpu_count(), memory=int(memory * 0.9))
    (home / "slurm.conf").write_text(config)
    env = {"SLURM_CONF": str(home / "slurm.conf")}
    daemons = [
        subprocess.Popen(command, env=os.environ | env, stdout=log, stderr=log)
        for command, log in (
            (["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={home}/munge.socket",
              f"--pid-file={home}/munged.pid", f"--log-file={home}/munged.log", f"--seed-file={home}/munge.seed"],
             subprocess.DEVNULL),
            (["slurmctld", "-D"], subprocess.DEVNULL),
            (["slurmd", "-D", "-N", host], subprocess.DEVNULL),
        )
    ]  # fmt: skip
    try:
        deadline = time.monotonic() + SECONDS
        while "idle" not in (said := _say(["sinfo", "--noheader", "--format=%t"], env)):
            if time.monotonic() > deadline:
                logs = "".join(log.read_text()[-2000:] for log in home.glob("*.log"))
                raise RuntimeError(f"Slurm did not start: {said}\n{logs}")
            time.sleep(0.5)
        yield env
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def _say(command: list[str], env: dict[str, str]) -> str:
    done = subprocess.run(command, env=os.environ | env, capture_output=True, text=True, timeout=30)
    return done.stdout.strip() or done.stderr.strip()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]
