"""What the jobs of a class run on: how many at a time, and what each has."""

import argparse
import os
from dataclasses import dataclass

from assignment.ddpm.errors import UserError

ON_SLURM = 256  # jobs at a time, unless told
MEMORY_GB = 8  # of a job there, unless told


@dataclass(frozen=True)
class Resources:
    """Of one job, and of all."""

    executor: str = "local"
    slots: int = 1  # jobs at a time
    minutes: int = 60
    cpus: int = 1
    gpus: int = 0
    memory_gb: int = MEMORY_GB
    partition: str = ""
    visible: tuple[str, ...] = ("",)  # on this machine, the GPUs of each slot, as CUDA_VISIBLE_DEVICES has them


def choose_resources(args: argparse.Namespace, device: str) -> Resources:
    """From the options of the command. A job on this machine has a GPU of its own, if there are any.

    Args:
        device: the configuration's, such as auto or cpu
    Raises:
        UserError: there are not as many GPUs
    """
    memory = args.memory_gb or MEMORY_GB
    usual = {"minutes": args.minutes, "cpus": args.cpus, "memory_gb": memory, "partition": args.partition}
    if args.executor == "slurm":
        return Resources("slurm", args.jobs or ON_SLURM, gpus=args.gpus or 0, **usual)
    here = gpus_here() if device != "cpu" else []
    gpus = args.gpus if args.gpus is not None else min(1, len(here))
    room = len(here) // gpus if gpus else max(1, (os.cpu_count() or 1) // args.cpus)
    slots = args.jobs or max(1, room)
    if gpus * slots > len(here):
        most = f"at most --jobs {room}" if room else "--gpus 0, which grades on the CPU's cores"
        taken = f"{slots} at a time would take {gpus * slots}, and this machine has {len(here)}"
        raise UserError(f"--gpus {gpus}: {taken}; expected {most}")
    visible = tuple(",".join(here[k * gpus : (k + 1) * gpus]) for k in range(slots))
    return Resources("local", slots, gpus=gpus, visible=visible, **usual)


def gpus_here() -> list[str]:
    """The CUDA devices of this machine that we may use, as CUDA_VISIBLE_DEVICES names them."""
    import torch  # only counts them: nothing is set up on any

    count = torch.cuda.device_count()
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return [name.strip() for name in named.split(",")][:count] if named else [str(k) for k in range(count)]
