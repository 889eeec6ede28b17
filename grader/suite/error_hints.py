"""Where to look first, for the errors that student code raises: a hint for each, by its message."""

import re

from grader.errors import NotImplementedYet, OutOfMemory, SubmissionFailed, TimedOut

PACKAGES = ("torch", "torchvision", "numpy", "scipy", "matplotlib", "PIL", "tqdm", "yaml")  # and Python's own

# the first whose pattern is found in the error's name and message; \1 stands for the pattern's first group
IMPORTS = (
    (r"No module named '(?:model|sampler|ddpm|embeddings|diffusion|config)\b",
     "The project's own modules are imported by their full names: from assignment.model import DiffusionModel, from "
     "assignment.ddpm.embeddings import SinusoidalTimestepEmbedding."),
    (r"No module named '(?:assignment\.)?([^']+)'|attempted relative import",
     "Only model.py and sampler.py are taken, and trained weights: code of yours in another file belongs in one of "
     f"the two. Of packages there are {', '.join(PACKAGES)} and Python's own; the network itself needs torch only."),
    (r"cannot import name '([^']+)' from 'assignment",
     "Is \\1 spelt as in the file it comes from? The given code is in assignment/ddpm/."),
    (r"not allowed here", "The exercise is to write it yourself with torch.nn."),
    (r"FileNotFoundError",
     "Only model.py and sampler.py are there when your code is judged, and no other file: compute what you need, or "
     "write it into the code."),
)  # fmt: skip
PYTHON = (
    (r"^(?:SyntaxError|IndentationError|TabError)",
     "Python can't read the file. Look at this line and at the one before: brackets that are never closed, a missing "
     "colon, spaces mixed with tabs."),
    (r"name '(F|nn|np|math|torch|os)' is not defined",
     "The import of \\1 is missing at the top of the file: import torch, import math, from torch import nn, import "
     "torch.nn.functional as F, import numpy as np."),
    (r"name '(\w+)' is not defined|local variable '\w+'",
     "Is it misspelt, used before it is set, or an attribute that needs self. before its name?"),
    (r"^BdbQuit|EOF when reading a line",
     "No debugger and no keyboard reaches your code, which runs in a process of its own. With --in-process both do: "
     "{around} -s"),
    (r"list index out of range|from (?:an )?empty list",
     "A Python list is shorter than this line expects: on the way up a U-Net takes as many skips as it has stored on "
     "the way down."),
    (r"^SystemExit|ended its process \(exit code", "Look for exit(), quit(), sys.exit() or os._exit()."),
    (r"maximum recursion depth",
     "A method calls itself without end, as forward does with self(x, t), or an __init__ that builds its own class."),
    (r"defines no class (\w+)",
     "The class has to be there under exactly this name, at the left margin: class \\1."),
    (r"not a torch\.nn\.Module", "It begins with: class DiffusionModel(nn.Module)."),
    (r"has no method (\w+)", "def \\1 belongs in class DDPMSampler, indented like its other methods."),
    (r"DiffusionModel\.forward\(\) (?:takes|missing|got)",
     "forward is called with (x, t), the noisy images and their timesteps: def forward(self, x, t)."),
    (r"can't be called as the contract says",
     "The signature is not the starter's: DiffusionModel(config), forward(self, x, t); DDPMSampler(diffusion, device), "
     "p_sample(self, model, x_t, t), sample(self, model, shape)."),
    (r"before Module\.__init__\(\) call|no attribute '_(?:modules|parameters|buffers|\w*hooks\w*)'",
     "super().__init__() has to be the first line of __init__, in each class that is an nn.Module."),
)  # fmt: skip
SAMPLER = (
    (r"'(?:int|float|bool|range)' object has no attribute|must be Tensor, not (?:int|float)|"
     r"object of type '(?:int|float)' has no len|'(?:int|float)' object is not (?:subscriptable|iterable)",
     "t is a plain number where it has to be a tensor (B,), one step for each image. In sample: t = torch.full("
     "(shape[0],), step, device=self.device, dtype=torch.long)."),
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
    (r"index .*out of (?:range|bounds)",
     "A schedule has entries 0 to T − 1 = diffusion.num_timesteps − 1. The paper's t = T, …, 1 is T − 1, …, 0 here."),
    (r"'GaussianDiffusion' object has no attribute",
     "What diffusion has is in assignment/ddpm/diffusion.py: num_timesteps, betas, alphas, alpha_bar, sqrt_alpha_bar, "
     "sqrt_one_minus_alpha_bar, sqrt_recip_alpha, posterior_variance, and the method extract."),
    (r"'DDPMSampler' object has no attribute '(\w+)'",
     "self.\\1 is not set in __init__. The schedules and extract are in self.diffusion: self.diffusion.betas."),
    (r"same device|different devices|is on CPU",
     "A tensor made in the sampler stays on the CPU: give it device=self.device, or x_t's."),
)  # fmt: skip
LABELLED = (
    (r"forward\(\).* positional argument|unexpected keyword argument 'y'|missing 1 required positional argument: 'y'",
     "Where config.num_classes is set, forward takes labels too, and they may be left out: forward(self, x, t, "
     "y=None), in which None means that no image has a class."),
    (r"guided_eps\(.*\) can't be called|defines no function guided_eps",
     "It is a function at the left margin of sampler.py, with the starter's arguments: def guided_eps(model, x_t, t, "
     "y, w, num_classes)."),
    (r"index .*out of (?:range|bounds)|smaller than num_classes|device-side assert",
     "A table has too few rows: labels go from 0 to K = config.num_classes, which is \"no class\", so it is "
     "nn.Embedding(config.num_classes + 1, dim), with K as it is in this config."),
    (r"NoneType", "Something is None: y is where labels are left out, and config.num_classes on the other levels, "
     "where forward(x, t) has no labels."),
)  # fmt: skip
TENSORS = (
    (r"device-side assert|index .*out of (?:range|bounds)|smaller than num_classes",
     "A table has too few rows: t goes from 0 to config.num_timesteps − 1, and each configuration has its own T. Add "
     "nothing to t, and take the table's size from config."),
    (r"same device|different devices|is on CPU",
     "A tensor made in forward stays on the CPU: give it device=x.device, or register it as a buffer. If it is a "
     "layer's weight, the layer is in a plain list or dict: use nn.ModuleList or nn.ModuleDict."),
    (r"Found no NVIDIA driver|The NVIDIA driver|CUDA|\bcuda\b|MPS",
     "Your code asks for a GPU by name: .cuda(), .to('cuda'), device='cuda'. Leave it out. The network is moved as a "
     "whole, and a tensor made in forward takes device=x.device."),
    (r"Boolean value of Tensor with more than one value is ambiguous",
     "`if` asks for one answer, but the tensor has many, as t has one for each image: use torch.where, or multiply by "
     "a mask."),
    (r"elements cannot be converted to Scalar|only one element tensors|must be Number, not Tensor",
     "t is (B,), one for each image, and no single number: no int(t), t.item() or range(t). Compute with the tensor."),
    (r"argument #1 'indices'|tensors used as indices must be|Expected dtype int32/int64 for index|index tensor of type",
     "Tables are indexed by integers: give nn.Embedding t as it comes, without .float() and without a division by T."),
    (r"[Dd]ouble|float64",
     "float64 meets float32: it comes from NumPy, .double(), or torch.tensor(…, dtype=torch.float64). Constants take "
     "dtype=x.dtype."),
    (r"must have the same dtype|the same dtype|expected scalar type|should be the same|dtype",
     "Tensors of different dtypes meet: t is an integer (.float() before a Linear), and constants should take "
     "x.dtype."),
    (r"leaf Variable|modified by an inplace operation|being modified inplace",
     "An in-place operation (+=, .add_(), x[…] = …, nn.ReLU(inplace=True)) changes what backward still needs, often a "
     "skip. Write x = x + … instead."),
    (r"does not require grad",
     "The loss is cut off from the parameters: look for .detach(), .data, torch.no_grad() or torch.tensor(y) on the "
     "way."),
    (r"Can't call numpy\(\)|to numpy", "Stay in torch: NumPy has no gradients, and leaves the GPU."),
    (r"Sizes of tensors must match|Expected size \d+ but got size \d+|must match the (?:existing )?size|"
     r"not broadcastable",
     "Two tensors of different sizes meet. In a U-Net: 28 halves to 14, 7 and 3, and twice 3 is not 7, so interpolate "
     "to the size of the skip. With t: the embedding (B, dim) needs two more axes to be added to (B, dim, H, W): "
     "emb[:, :, None, None]."),
    (r"to have \d+ channels, but got|expected input\[.*\] to have",
     "A layer gets another number of channels than it was built for: after concatenating a skip the channels add up; "
     "the first and last layer need config.image_channels, not a fixed number."),
    (r"divisible by num_groups", "GroupNorm's groups must divide the channels, which have to be those of its input."),
    (r"mat1 and mat2 shapes cannot be multiplied|normalized_shape|Expected size for first",
     "A layer gets another number of features than it was built for: compute it from the config, or pool first. A "
     "Linear works along the last axis, which of an image is its width."),
    (r"[Kk]ernel size can't be greater|Output size is too small",
     "The image is halved until nothing is left: 8 allows two halvings, to 2, and 28 too, to 7."),
    (r"view size is not compatible", "Write .reshape in place of .view, or .contiguous() before it."),
    (r"invalid for input of size", "A fixed size in view or reshape: take B, C, H and W from x.shape."),
    (r"Expected .*\dD|Dimension out of range|too many indices|same number of dimensions|values to unpack",
     "A tensor has another number of axes than this line expects: x is (B, C, H, W), t (B,), an embedding (B, dim)."),
    (r"more than 1 value per channel",
     "BatchNorm needs more than one value for each channel: GroupNorm does not, and treats each image by itself."),
    (r'Module \[Module(?:List|Dict)\] is missing', "A ModuleList is not called as a whole: loop over its layers."),
    (r'missing the required "forward"', "Is forward spelt so, and indented as a method of the class?"),
    (r"is not a Module subclass", "nn.Sequential takes the layers one by one: nn.Sequential(*layers)."),
    (r"'(?:int|float)' object has no attribute|must be Tensor, not",
     "A plain number stands where a tensor is expected: torch.tensor(…), or one made from x or t."),
    (r"NoneType", "Something is None, often what a function without `return` gives back."),
    (r"'tuple' object",
     "A layer returns several things: nn.MultiheadAttention gives (output, weights), so take the first."),
    (r"'ModelConfig' object has no attribute",
     "config has image_channels, image_size and num_timesteps, among others: see ModelConfig in "
     "assignment/ddpm/config.py."),
    (r"object has no attribute '(\w+)'", "Is \\1 set in __init__, and spelt there as it is here?"),
    (r"cannot assign '.*' as parameter", "A weight is set as nn.Parameter(…), or in place under torch.no_grad()."),
    (r"unexpected keyword argument|positional argument",
     "A layer or function gets other arguments than it takes: compare the call with its definition."),
    (r"Missing key\(s\) in state_dict|Unexpected key\(s\)|size mismatch for",
     "A fresh network has other weights than this one had: are layers created in forward, or only on some paths?"),
    (r"device",
     "A tensor made in forward stays on the CPU: give it device=x.device, or register it as a buffer. If it is a "
     "layer's weight, the layer is in a plain list or dict: use nn.ModuleList or nn.ModuleDict."),
)  # fmt: skip


def error_hint(error: BaseException, level: int = 1, around: str = "--in-process") -> str:
    """For levels 4 and 5 the sampler's hints come before those for networks, for level 6 those about labels.

    Args:
        around: the command that runs the check again in the judge's process, where a debugger is of use
    """
    if isinstance(error, NotImplementedYet):
        return "Write this part of the exercise first."
    if isinstance(error, TimedOut):
        return "Is there a loop that never ends, or a loop over pixels? The limit is 25 times the reference's own time."
    if isinstance(error, OutOfMemory):
        return (
            "Where does something grow with the square of the image? Attention belongs at 16×16 and below, and nothing "
            "may be collected from call to call."
        )
    says = str(error) if isinstance(error, SubmissionFailed) else f"{type(error).__name__}: {error}"
    own = (LABELLED, PYTHON) if level == 6 else (PYTHON, SAMPLER) if level in (4, 5) else (PYTHON,)
    for pattern, hint in (*IMPORTS, *(row for table in own for row in table), *TENSORS):
        if found := re.search(pattern, says):
            return found.expand(hint).replace("{around}", around)
    if getattr(error, "trace", "") or not isinstance(error, SubmissionFailed):
        return f"The traceback ends in your own line. A debugger stops there: {around} --pdb"
    return f"No line of yours is in the traceback, so look at what the message names. A debugger: {around} --pdb"
