"""Which timesteps a DDIM sampler asks the network about: evenly spaced from T−1 to 0, both included, falling."""

from itertools import pairwise

from grader.checks.finding import CheckFailed
from grader.checks.subsequence import visited

RULE = "torch.linspace(T − 1, 0, steps).round().long() are the timesteps, T−1 first and 0 last"


def are_right(ts: list[int], T: int, steps: int) -> bool:
    """Whether these are evenly spaced from T−1 to 0; a number between two integers may be rounded either way."""
    exact = [(T - 1) * (1 - k / (steps - 1)) for k in range(steps)]
    return (
        len(ts) == steps
        and (ts[0], ts[-1]) == (T - 1, 0)
        and all(abs(t - right) < 1 for t, right in zip(ts, exact, strict=True))
        and all(a > b for a, b in pairwise(ts))
    )


def mistake(ts: list[int], T: int, steps: int) -> tuple[str, str]:
    """What was done instead, and the hint for it."""
    if not ts:
        return "the model was never called", "sample must ask the model for the noise in every step."
    falls = all(a > b for a, b in pairwise(ts))
    if ts == list(range(steps - 1, -1, -1)):
        return (
            f"t counts the steps, {steps - 1} … 0",
            "The network was trained on all T timesteps: it gets the timestep itself, visited[i], not its number i.",
        )
    if len(set(ts)) == 1:
        return f"t was {ts[0]} in all {len(ts)} calls", f"t has to follow the loop. {RULE}."
    if are_right(ts[::-1], T, steps):
        return "t goes up", f"Sampling starts from noise, the largest t, and goes down: {RULE}."
    if ts == list(range(T - 1, -1, -1)):
        return f"all T = {T} timesteps are visited", f"DDIM visits `steps` of them only: {RULE}."
    if len(ts) == 2 * steps and ts[::2] == ts[1::2]:
        return "every step calls the model twice", "Ask the model once in a step and keep its answer in a variable."
    if ts[0] >= T:
        return f"it starts at t = {ts[0]}", f"The paper counts from 1 to T, this repository from 0 to T−1: {RULE}."
    if ts[-1] < 0:
        return (
            f"it goes on to t = {ts[-1]}",
            "The last call of the network is at t = 0; t_prev = −1 follows it, no call.",
        )
    if len(ts) != steps:
        return f"{len(ts)} calls are made", f"Each of the `steps` timesteps is visited once: {RULE}."
    if falls and ts[0] < T - 1 and ts[-1] == 0:
        return f"it starts at t = {ts[0]}", f"x_T is pure noise, and only T − 1 is that noisy: {RULE}."
    if falls and ts[0] == T - 1 and ts[-1] > 0:
        return (
            f"it stops at t = {ts[-1]}",
            f"The last call is at t = 0, from where the step goes to t_prev = −1: {RULE}.",
        )
    if falls and ts[0] < T - 1:
        return f"it starts at t = {ts[0]} and stops at t = {ts[-1]}", f"Both ends belong to it: {RULE}."
    if falls:
        return "the timesteps aren't evenly spaced", f"The same distance everywhere, up to rounding: {RULE}."
    return "the timesteps don't fall", f"{RULE}."


def check_timesteps(ts: list[int], T: int, steps: int) -> dict[str, int]:
    """The model is called at `steps` evenly spaced timesteps, T−1 first and 0 last, once each. Nothing is random."""
    if are_right(ts, T, steps):
        return {"calls": len(ts), "T": T, "steps": steps}
    what, hint = mistake(ts, T, steps)
    right = ", ".join(map(str, [*visited(T, steps)[:3], "…", 0]))
    shown = ", ".join(map(str, ts[:4])) + (", …, " + ", ".join(map(str, ts[-2:])) if len(ts) > 6 else "")
    raise CheckFailed(
        f"expected {steps} calls of the model at t = {right} (T = {T}); {what} (t = {shown or 'none'})",
        hint, mistake=what.split(" at t")[0], calls=len(ts), T=T, steps=steps,
    )  # fmt: skip
