"""The scan of a source: what can hide from it, and what right code writes all the time."""

import time

import pytest

from grader.checks.own_work import scan, scan_with_imports
from tests.conftest import ROOT
from tests.proof.bank import BANK

# name → source, and what the scan has to say of it
HIDDEN = {
    "a name": ("e = exec\ne('1')", "exec"),
    "a name of eval": ("run = eval\nrun('1')", "eval"),
    "a default argument": ("f = lambda x=exec: x('1')", "exec"),
    "a decorator": ("@exec\ndef f():\n    pass", "exec"),
    "an argument of map": ("list(map(exec, ['1']))", "exec"),
    "a builtin by its module": ("import builtins as b\nb.exec('1')", "exec"),
    "a builtin, imported": ("from builtins import exec as e", "from builtins import exec"),
    "a builtin by __builtins__": ("__builtins__['exec']('1')", "__builtins__"),
    "a builtin by globals": ("globals()['__builtins__']['exec']('1')", "exec"),
    "a builtin by globals, at once": ("globals()['exec']('1')", "exec"),
    "a builtin that is assigned later": ("exec('1')\nexec = None", "exec"),
    "a builtin that might be assigned": ("if 0:\n    exec = 1\nexec('1')", "exec"),
    "a builtin that is deleted": ("eval = 1\ndel eval\neval('1')", "eval"),
    "modules of sys": ("from sys import modules\nmodules['torch']", "from sys import modules"),
    "modules of another's sys": ("import os\nos.sys.modules['torch']", "sys.modules"),
    "modules by getattr": ("import sys\ngetattr(sys, 'modules')", "sys.modules"),
    "frames": ("from sys import _getframe as f\nf(1)", "_getframe"),
    "frames of an error": ("def f(e):\n    return e.__traceback__.tb_frame", "tb_frame"),
    "globals of a function": ("def f(g):\n    return g.__globals__['x']", "__globals__"),
    "subclasses": ("().__class__.__base__.__subclasses__()", "__subclasses__"),
    "subclasses by getattr": ("getattr(object, '__subclasses__')()", "__subclasses__"),
    "getattr": ("import torch\ngetattr(torch, 'load')('x')", "torch.load"),
    "getattr of a sum": ("import torch\ngetattr(torch, 'lo' + 'ad')('x')", "torch.load"),
    "getattr backwards": ("import torch\ngetattr(torch, 'daol'[::-1])('x')", "torch.load"),
    "getattr of a join": ("import torch\ngetattr(torch, ''.join(['lo', 'ad']))('x')", "torch.load"),
    "getattr of characters": ("import torch\ngetattr(torch, ''.join(map(chr, [108, 111, 97, 100])))", "torch.load"),
    "getattr of an f-string": ("import torch\nx = 'ad'\ngetattr(torch, f'lo{x}')('x')", "torch.load"),
    "getattr of a format": ("import torch\ngetattr(torch, '%s%s' % ('lo', 'ad'))", "getattr(torch, …)"),
    "getattr of something computed": ("import torch\ndef f(x):\n    return getattr(torch, x.name)", "getattr(torch, …)"),
    "getattr by another name": ("import torch\ng = getattr\ng(torch, 'load')('x')", "torch.load"),
    "getattr in reduce": ("import functools, torch\nfunctools.reduce(getattr, ['load'], torch)", "getattr handed on"),
    "attrgetter": ("import operator, torch\noperator.attrgetter('hub.load')(torch)('x')", "torch.hub.load"),
    "__getattribute__": ("import torch\ntorch.__getattribute__('load')('x')", "torch.load"),
    "__dict__": ("import torch\ntorch.__dict__['load']('x')", "torch.load"),
    "__dict__.get": ("import torch\ntorch.__dict__.get('load')('x')", "torch.load"),
    "vars": ("import torch\nvars(torch)['load']('x')", "torch.load"),
    "vars, computed": ("import torch\ndef f(x):\n    return vars(torch)[x.name]", "torch.__dict__[…]"),
    "import as": ("import torch as t\nt.load('x')", "torch.load"),
    "import as, below": ("import torch.serialization as s\ns.load('x')", "torch.serialization.load"),
    "from import": ("from torch.serialization import load\nload('x')", "from torch.serialization import load"),
    "from import of a part": ("from torch import hub\nhub.load('x')", "from torch import hub"),
    "star": ("from torch import *\nload('x')", "torch.load"),
    "torchvision": ("import torchvision as tv\ntv.models.resnet18()", "torchvision.models"),
    "torchvision, from": ("from torchvision import models as m\nm.resnet18()", "from torchvision import models"),
    "a tuple": ("import torch\na, b = torch, 1\na.load('x')", "torch.load"),
    "a starred tuple": ("import torch\n*a, b = 1, torch\nb.load('x')", "torch.load"),
    "a walrus": ("import torch\nif (t := torch):\n    t.load('x')", "torch.load"),
    "a walrus in a list": ("import torch\n[(t := torch) for _ in 'a']\nt.load('x')", "torch.load"),
    "a parameter": ("import torch\ndef f(t=torch):\n    return t.load('x')", "torch.load"),
    "a parameter by name only": ("import torch\ndef f(*, t=torch):\n    return t.load('x')", "torch.load"),
    "an argument": ("import torch\ndef f(m):\n    return m.load('x')\nf(torch)", "torch.load"),
    "an argument by name": ("import torch\ndef f(m):\n    return m.load('x')\nf(m=torch)", "torch.load"),
    "an argument of a lambda": ("import torch\n(lambda m: m.load('x'))(torch)", "torch.load"),
    "what a function returns": ("import torch\ndef g():\n    return torch\ng().load('x')", "torch.load"),
    "what two functions return": ("import torch\ng = lambda: torch\nh = lambda: g()\nh().load('x')", "torch.load"),
    "a loop": ("import torch\nfor t in [torch]:\n    t.load('x')", "torch.load"),
    "a comprehension": ("import torch\n[t.load('x') for t in (torch,)]", "torch.load"),
    "a list": ("import torch\nm = [torch]\nn = m\nn[0].load('x')", "torch.load"),
    "a dict": ("import torch\nm = {'t': torch}\nm['t'].load('x')", "torch.load"),
    "an attribute": ("import torch\nclass A:\n    def f(self):\n        self.t = torch\n        self.t.load('x')", "torch.load"),
    "a class": ("import torch\nclass A:\n    t = torch\nA.t.load('x')", "torch.load"),
    "a global": ("import torch\ndef f():\n    global t\n    t = torch\ndef g():\n    t.load('x')", "torch.load"),
    "a nonlocal": ("import torch\ndef f():\n    t = 0\n    def g():\n        nonlocal t\n        t = torch\n    t.load('x')", "torch.load"),
    "a branch": ("import torch\n(torch if 1 else None).load('x')", "torch.load"),
    "an or": ("import torch\n(None or torch).load('x')", "torch.load"),
    "another module's torch": ("from torch import nn\nnn.functional.torch.load('x')", "torch.load"),
    "partial": ("import functools, torch\nfunctools.partial(torch.load, 'x')()", "torch.load"),
    "numpy": ("import numpy as xp\nxp.load('x')", "numpy.load"),
    "a chain of names": ("import torch\n" + "".join(f"a{i} = a{i + 1}\n" for i in range(30)) + "a30 = torch\na0.load('x')", "torch.load"),
    "import_module": ("from importlib import import_module as i\ni('diff' + 'users')", "import_module('diffusers')"),
    "import_module, computed": ("import importlib\ndef f(x):\n    return importlib.import_module(x.name)", "computed name"),
    "importlib by another name": ("import importlib\ni = importlib\ni.import_module('timm')", "import_module('timm')"),
    "__import__": ("i = __import__\ni('diffusers')", "__import__('diffusers')"),
    "a loader": ("from importlib.machinery import SourceFileLoader as L", "from importlib.machinery import"),
    "a specification": ("import importlib.util as u\nu.spec_from_file_location('a', 'b')", "spec_from_file_location"),
    "the own loader": ("__loader__.get_data('x')", "__loader__"),
    "the own specification": ("__spec__.loader.get_data('x')", "__spec__"),
    "a file that says it is the program": ("__name__ = '__main__'\nif __name__ == '__main__':\n    exec('1')", "exec"),
    "the same, by a star": ("from sys import *\nif __name__ == '__main__':\n    exec('1')", "exec"),
    "ctypes": ("import ctypes as c\nc.CDLL(None)", "ctypes.CDLL"),
    "another process": ("from subprocess import run", "from subprocess import run"),
    "code in a string": ("import timeit\ntimeit.timeit('1')", "timeit.timeit"),
}  # fmt: skip
PATCHES = {
    "a function": "import torch\ntorch.randn = None",
    "a method": "import torch\ntorch.Tensor.backward = None",
    "a function by another name": "import torch.nn.functional as F\nF.mse_loss = None",
    "a class by another name": "from torch import nn\nM = nn.Module\nM.__call__ = None",
    "classes in a loop": "from torch import nn\nfor c in (nn.Linear, nn.Conv2d):\n    c.forward = None",
    "a namespace": "import torch\ntorch.__dict__['randn'] = None",
    "a namespace by vars": "import torch\nvars(torch)['randn'] = None",
    "a namespace by update": "import torch\ntorch.__dict__.update(randn=None)",
    "setattr": "import torch\nsetattr(torch, 'randn', None)",
    "setattr by another name": "import torch\ns = setattr\ns(torch.Tensor, 'backward', None)",
    "setattr of object": "import torch\nobject.__setattr__(torch, 'randn', None)",
    "setattr of type": "import torch\ntype.__setattr__(torch.Tensor, 'backward', None)",
    "a tuple": "import torch\na, torch.randn = 1, None",
    "a loop": "import torch\nfor torch.randn in (None,):\n    pass",
    "a with": "import torch\nwith open('x') as torch.randn:\n    pass",
    "a module in a parameter": "import torch\ndef f(t=torch):\n    t.randn = None",
    "deleted": "import torch\ndel torch.randn",
    "a builtin": "import builtins\nbuiltins.isinstance = None",
    "the given code": "from assignment.ddpm import diffusion\ndiffusion.extract = None",
}
FREE = {
    "eval mode": "def f(model):\n    model.eval()\n    return [m for m in model.modules()]",
    "compile": "import re, torch\nr = re.compile('a')\nf = torch.compile(lambda x: x)\nmodel = torch.nn.ReLU()\nmodel.compile()",
    "a name eval": "def f(x, eval=False, compile=True):\n    return x if eval else compile",
    "a function named compile": "from re import compile\nr = compile('a')",
    "a function named load": "def load(x):\n    return x\ny = load(1)\nclass A:\n    def load(self):\n        return self.load()",
    "a method named exec": "class A:\n    def exec(self):\n        return self.exec()",
    "scripted": "import torch\n@torch.jit.script\ndef f(x):\n    return x\n@torch.jit.ignore\ndef g(x):\n    return x",
    "an activation by name": "import torch.nn.functional as F\nfrom torch import nn\ndef f(a):\n    return getattr(F, a), getattr(nn, a)()",
    "an activation of torch": "import torch\ndef f(x, name='tanh'):\n    return getattr(torch, name)(x)\nf(1, 'relu')",
    "a dtype": "import torch\nDTYPE = 'float32'\nd = getattr(torch, DTYPE)\nc = getattr(torch, 'compile', None)",
    "is it there": "import torch\nimport torch.nn.functional as F\nhasattr(F, 'scaled_dot_product_attention')\nhasattr(torch, 'compile')",
    "layers by name": "class A:\n    def f(self, i):\n        setattr(self, f'layer{i}', 1)\n        return getattr(self, f'layer{i}')",
    "a path of attributes": "from functools import reduce\ndef f(self, path):\n    return reduce(getattr, path.split('.'), self)",
    "arguments as attributes": "class A:\n    def __init__(self, a, b):\n        self.__dict__.update(locals())\n        vars(self).pop('self')",
    "blocks by name": "class B: pass\ndef f(name):\n    return globals()[name]()",
    "settings": "import torch\ntorch.backends.cuda.matmul.allow_tf32 = True\ntorch._dynamo.config.suppress_errors = True\n"
                "torch.set_float32_matmul_precision('high')",
    "a class handed in": "from torch import nn\nclass A(nn.Module):\n    def __init__(self, norm=nn.GroupNorm, act=nn.SiLU):\n"
                         "        norm = norm(1, 8)\n        norm.eps = 1e-5\n        norm.weight.data = norm.weight.data\n"
                         "        self.norm, self.act = norm, act()\n        self.act.inplace = True",
    "initialised": "from torch import nn\ndef f(net):\n    for m in net.modules():\n        if isinstance(m, (nn.Conv2d, nn.Linear)):\n"
                   "            m.bias.data = m.bias.data\n            m.weight = nn.Parameter(m.weight)\n            m.name = 'x'",
    "tied weights": "class A:\n    def f(self):\n        self.a.weight = self.b.weight\n        del self.c",
    "a class of one's own, changed": "from torch import nn\nclass A(nn.Module): pass\nA.forward = lambda self, x: x\nB = A\nB.size = 3",
    "attributes of a module": "from torch import nn\nclass A(nn.Module):\n    def __setattr__(self, k, v):\n        super().__setattr__(k, v)\n"
                              "        nn.Module.__setattr__(self, k, v)\n        object.__setattr__(self, k, v)",
    "constants of sys and os": "import os, sys, math\nsys.path.append('..')\nbig = sys.maxsize\nos.environ.setdefault('A', 'b')\nx = os.path.join('a')",
    "unused imports": "import ctypes, gc, inspect, pickle, subprocess\ngc.collect()\ninspect.isfunction(1)\ninspect.signature(len)",
    "a library, if it is there": "import importlib.util\nhas = importlib.util.find_spec('xformers') is not None\n"
                                 "try:\n    import xformers.ops\nexcept ImportError:\n    xformers = None",
    "a known module by import_module": "import importlib\nm = importlib.import_module('math')\nn = __import__('math')",
    "checkpointing": "from torch.utils.checkpoint import checkpoint\nfrom torch.nn.modules.utils import _pair\ny = checkpoint(_pair, 1)",
    "an autograd function": "import torch\nclass F(torch.autograd.Function):\n    @staticmethod\n    def forward(ctx, run, x):\n"
                            "        ctx.run = run\n        return run(x)\n    @staticmethod\n    def backward(ctx, *g):\n        return g",
    "weights by class name": "def f(m):\n    name = m.__class__.__name__\n    return name.find('Conv') != -1 and type(m).__name__",
    "tried out": "import torch\nif __name__ == '__main__':\n    torch.load('weights.pt')\n    from torchvision import models\n    exec('1')",
    "tried out, the other way round": "import torch\nif '__main__' == __name__:\n    torch.load('weights.pt')",
    "a log": "import logging\nlog = logging.getLogger(__name__)",
    "partial": "from functools import partial\nfrom torch import nn\nConv = partial(nn.Conv2d, padding=1)\nc = Conv(1, 2, 3)\nc.bias = None",
    "einsum and rearrange": "import torch\nfrom torch import einsum, nn\ny = einsum('ij,jk', torch.ones(1, 1), torch.ones(1, 1))",
    "a state": "class A:\n    def f(self, state):\n        self.load_state_dict(state)\n        return self.state_dict()",
}  # fmt: skip


@pytest.mark.parametrize(("source", "says"), HIDDEN.values(), ids=HIDDEN)
def test_no_other_name_hides_what_is_used(source, says):
    found = [what for _, what in scan(source)]
    assert any(says in what for what in found), found


@pytest.mark.parametrize("source", PATCHES.values(), ids=PATCHES)
def test_no_other_name_hides_what_is_replaced(source):
    assert scan(source)


@pytest.mark.parametrize("source", FREE.values(), ids=FREE)
def test_what_right_code_writes_is_free(source):
    assert scan(source) == []


def test_right_submissions_are_free():
    files = [*BANK.glob("right/*/*.py"), *BANK.glob("trained/*.py"), *(ROOT / "assignment").glob("*.py")]
    assert len(files) > 50
    assert {file.name: found for file in files if (found := scan(file.read_bytes()))} == {}
    assert scan((ROOT / "reference" / "sampler.py").read_bytes()) == []


def test_the_line_is_that_of_the_use():
    assert scan("import torch\nt = torch\n\nt.load('x')") == [(4, "torch.load(…)")]


SAMPLER = b"import torch\nclass Net:\n    weights = torch.load('x')\n"


@pytest.mark.parametrize(
    "model",
    [
        "from assignment.sampler import Net", "import assignment.sampler as s\nNet = s.Net", "from .sampler import Net",
        "from . import sampler", "from assignment import sampler as s", "import assignment.sampler",
        "import importlib\ns = importlib.import_module('assignment.' + 'sampler')",
        "import importlib\ns = importlib.import_module('.sampler', 'assignment')",
        "import assignment\nNet = assignment.sampler.Net",
    ],
)  # fmt: skip
def test_the_other_file_is_scanned_if_the_first_imports_it(model):
    found = scan_with_imports({"model.py": model.encode(), "sampler.py": SAMPLER}, "model.py")
    assert ("sampler.py", 3, "torch.load(…)") in found
    assert scan_with_imports({"model.py": b"import torch", "sampler.py": SAMPLER}, "model.py") == []
    assert scan_with_imports({"model.py": model.encode(), "sampler.py": b"def f(:"}, "model.py") == []
    assert scan_with_imports({"model.py": model.encode()}, "model.py") == []


LONG = {
    "one name, often": "x = f()\n" + "x = x.a().b(x)\n" * 3000,
    "names in circles": "".join(f"a{i} = a{(i + 1) % 300}.b or a{(i * 7) % 300}[0]\n" for i in range(300)),
    "doubled": "a0 = torch\n" + "".join(f"a{i + 1} = (a{i} or a{i}, a{i})\n" for i in range(300)),
    "text, doubled": "a0 = 'x'\n" + "".join(f"a{i + 1} = a{i} + a{i}\n" for i in range(300)) + "getattr(torch, a300)",
    "functions that call each other": "".join(f"def f{i}(x): return f{(i + 1) % 200}(x) or x.a\n" for i in range(200)),
    "a deep call": "import torch\nf = " + "g(" * 80 + "torch" + ")" * 80,
    "chained attributes": "import torch\nx = torch\n" + "x = x.x\n" * 500,
}


@pytest.mark.parametrize("source", LONG.values(), ids=LONG)
def test_a_source_that_is_hard_to_follow_takes_no_time(source):
    start = time.process_time()
    scan(source)
    assert time.process_time() - start < 10
