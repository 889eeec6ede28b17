"""What the jobs of a class run on: each has GPUs of its own, or cores."""

import argparse

import pytest

from assignment.ddpm.errors import UserError
from grader.classroom import resources
from grader.classroom.resources import choose_resources, gpus_here


def arguments(**given: object) -> argparse.Namespace:
    usual = {
        "executor": "local", "jobs": None, "minutes": 60, "cpus": 1, "gpus": None, "memory_gb": 8, "partition": "",
    }  # fmt: skip
    return argparse.Namespace(**usual | given)


@pytest.fixture
def machine(monkeypatch):
    """One of 8 cores with as many GPUs as wanted."""

    def of(*gpus: str) -> None:
        monkeypatch.setattr(resources, "gpus_here", lambda: list(gpus))
        monkeypatch.setattr(resources.os, "cpu_count", lambda: 8)

    return of


@pytest.mark.parametrize(
    ("gpus", "given", "visible"),
    [
        ([], {}, [""] * 8),
        ([], {"cpus": 4}, [""] * 2),
        (["0", "1"], {}, ["0", "1"]),
        (["GPU-a", "GPU-b"], {"jobs": 1}, ["GPU-a"]),
        (["0", "1", "2", "3", "4"], {"gpus": 2}, ["0,1", "2,3"]),
        (["0", "1"], {"gpus": 0}, [""] * 8),
    ],
)
def test_each_job_has_its_own(gpus, given, visible, machine):
    machine(*gpus)
    chosen = choose_resources(arguments(**given), "auto")
    assert list(chosen.visible) == visible and chosen.slots == len(visible)


def test_none_is_taken_where_the_configuration_wants_a_cpu(machine):
    machine("0")
    assert choose_resources(arguments(), "cpu").visible == ("",) * 8


@pytest.mark.parametrize(
    ("gpus", "given", "says"),
    [
        (
            ["0"],
            {"jobs": 2},
            "--gpus 1: 2 at a time would take 2, and this machine has 1; expected at most --jobs 1",
        ),
        ([], {"gpus": 1}, "--gpus 1: 1 at a time would take 1, and this machine has 0; expected --gpus 0"),
    ],
)
def test_more_than_there_are_can_not_be_had(gpus, given, says, machine):
    machine(*gpus)
    with pytest.raises(UserError, match=says):
        choose_resources(arguments(**given), "auto")


def test_on_slurm_it_is_slurm_that_knows(machine):
    machine()
    chosen = choose_resources(arguments(executor="slurm", gpus=2), "auto")
    assert (chosen.slots, chosen.gpus) == (resources.ON_SLURM, 2)


def test_gpus_are_named_as_the_environment_has_them(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert gpus_here() == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, GPU-5a")
    assert gpus_here() == ["3", "GPU-5a"]
