"""From the exception that a check raised to a verdict, and hints for common errors."""

import re

from grader.checks.finding import CheckFailed, NotJudged
from grader.errors import GraderFault, NotImplementedYet, SubmissionFailed, TimedOut
from grader.results import MAX_LENGTH, Check, cut

SAMPLER_HINTS = (
    (r"Boolean value of Tensor with more than one value is ambiguous",
     "`if` (or min, max) asks t for one answer, but t is (B,): each image of the batch has its own t in p_sample. "
     "Multiply by a mask in place of the `if`: (t > 0).view(-1, 1, 1, 1) * noise."),
    (r"elements cannot be converted to Scalar|only one element tensors can be converted|"
     r"only integer tensors of a single element|must be Number, not Tensor|invalid combination of arguments",
     "t is (B,): each image of the batch has its own t in p_sample, so t is no single number. Pass it on to the model "
     "without int(t), t.item() or torch.full, and take coefficients with diffusion.extract(values, t, x_t.shape), "
     "which gives (B, 1, 1, 1)."),
    (r"tensors used as indices must be|Expected dtype int32/int64 for index",
     "t has to stay an integer tensor to look values up: no .float() and no division by T."),
    (r"must match the size of tensor|not broadcastable|Expected size \d+ but got size \d+",
     "Two tensors of different sizes meet. values[t] has shape (B,), which would broadcast along the width of the "
     "images: diffusion.extract(values, t, x_t.shape) gives (B, 1, 1, 1)."),
    (r"index .*out of (range|bounds)",
     "A schedule has entries 0 to T − 1 = diffusion.num_timesteps − 1. The paper's t = T, …, 1 is T − 1, …, 0 here."),
    (r"'GaussianDiffusion' object has no attribute",
     "What diffusion has is in assignment/ddpm/diffusion.py: num_timesteps, betas, alphas, alpha_bar, sqrt_alpha_bar, "
     "sqrt_one_minus_alpha_bar, sqrt_recip_alpha, posterior_variance, and the method extract."),
    (r"device", "A tensor made in the sampler stays on the CPU: give it device=self.device, or x_t's."),
)  # fmt: skip
ERROR_HINTS = (
    (r"Boolean value of Tensor with more than one value is ambiguous",
     "`if` asks for one answer, but the tensor has many, as t has one for each image: use torch.where, or multiply by "
     "a mask."),
    (r"Expected size \d+ but got size \d+|must match the size of tensor b",
     "Two tensors of different sizes meet. In a U-Net: 28 halves to 14, 7 and 3, and twice 3 is not 7, so interpolate "
     "to the size of the skip. With t: the embedding (B, dim) needs two more axes to be added to (B, dim, H, W)."),
    (r"to have \d+ channels, but got|expected input\[.*\] to have",
     "A layer gets another number of channels than it was built for: after concatenating a skip the channels add up; "
     "the first and last layer need config.image_channels, not a fixed number."),
    (r"mat1 and mat2 shapes cannot be multiplied",
     "A Linear layer gets another number of features than it was built for: compute it from the config, or pool "
     "first."),
    (r"must have the same dtype|expected scalar type|dtype",
     "Tensors of different dtypes meet: t is an integer (.float() before a Linear), and constants should take "
     "x.dtype."),
    (r"modified by an inplace operation",
     "An in-place operation (+=, .add_(), nn.ReLU(inplace=True)) changes what backward still needs, often a skip."),
    (r"device",
     "A tensor made in forward stays on the CPU: give it device=x.device, or register it as a buffer."),
    (r"num_channels must be divisible by num_groups", "GroupNorm's groups must divide the channels."),
    (r"not allowed here", "The exercise is to write it yourself with torch.nn."),
    (r"index out of range", "A table has too few rows: t goes from 0 to config.num_timesteps − 1."),
    (r"unexpected keyword argument|positional argument",
     "The signature is not the starter's: DiffusionModel(config), forward(self, x, t); DDPMSampler(diffusion, device), "
     "p_sample(self, model, x_t, t), sample(self, model, shape)."),
    (r"Missing key\(s\) in state_dict|Unexpected key\(s\)|size mismatch for",
     "A fresh network has other weights than this one had: are layers created in forward, or only on some paths?"),
)  # fmt: skip


class Ours(Exception):
    """A check itself crashed, which says nothing about the submission."""


def apply(check: Check, error: BaseException | None, *, in_process: bool) -> None:
    """Fill in a check's verdict, message and hint. Raises Ours for an exception that no submission can cause."""
    if error is None:
        check.verdict, check.message = "passed", ""
    elif isinstance(error, CheckFailed):
        check.verdict, check.message, check.hint = "failed", error.message, error.hint
        check.measurements |= error.measurements
    elif isinstance(error, NotJudged):
        check.verdict, check.message = "not_judged", str(error)
        check.measurements |= error.measurements
    elif isinstance(error, SubmissionFailed):
        check.verdict, check.message, check.location = error.verdict, error.message, error.location
        check.trace, check.output = error.trace, error.output or check.output
        check.hint = error_hint(error, check.level)
    elif in_process and not isinstance(error, GraderFault):
        check.verdict, check.message = "error", f"{type(error).__name__}: {error}"
        check.hint = error_hint(error, check.level)
    else:
        raise Ours from error
    for name, longest in MAX_LENGTH.items():
        setattr(check, name, cut(getattr(check, name), longest))


def error_hint(error: BaseException, level: int = 1) -> str:
    """For level 4 the sampler's hints come first: the others are for networks."""
    if isinstance(error, NotImplementedYet):
        return "Write this part of the exercise first."
    if isinstance(error, TimedOut):
        return "Is there a loop that never ends, or a loop over pixels? The limit is 25 times the reference's own time."
    for pattern, hint in (*(SAMPLER_HINTS if level == 4 else ()), *ERROR_HINTS):
        if re.search(pattern, str(error)):
            return hint
    return "The traceback ends in your own line. To look around there: add --in-process --pdb to the pytest command."
