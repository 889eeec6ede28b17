"""What a submission may not use, by its full name: readers of files, ways into the grader, and around the import block.

Right code is never refused: in torch.nn.functional and torch.nn names may be worked out (`getattr(F, activation)`), and
`.eval()`, `.modules()`, torch.compile and torch.jit.script are as free as everything that is not listed.
"""

from grader.worker.import_block import is_forbidden

READERS = (
    "torch.load", "torch.hub", "torch.jit.load", "torch.package", "torch.serialization", "torch.export.load",
    "torch.from_file", "torch.classes", "torch.ops.load_library", "torch.utils.model_zoo", "torch.utils.cpp_extension",
    "numpy.load", "numpy.loadtxt", "numpy.genfromtxt", "numpy.fromfile", "numpy.memmap", "numpy.DataSource",
    "numpy.lib.format", "numpy.lib.npyio", "numpy.ctypeslib", "torchvision.datasets", "sklearn.datasets",
    "pickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "h5py",
    "urllib.request", "requests", "http.client", "httpx", "aiohttp", "ftplib", "socket", "gdown", "wget",
)  # fmt: skip
# code that uses these is after the grader, not after images
INSPECTORS = (
    "sys._getframe", "sys._getframemodulename", "sys._current_frames", "sys._current_exceptions", "sys.setprofile",
    "sys.settrace", "sys.monitoring", "sys.addaudithook", "threading.setprofile", "threading.settrace",
    "inspect.currentframe", "inspect.stack", "inspect.trace", "inspect.getinnerframes", "inspect.getouterframes",
    "traceback.walk_stack", "traceback.extract_stack", "gc.get_objects", "gc.get_referrers", "gc.get_referents",
    "ctypes", "_ctypes", "cffi", "builtins.exec", "builtins.eval", "builtins.compile", "subprocess", "_posixsubprocess",
    "os.system", "os.popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.posix_spawnp", "pty",
    *(f"os.{how}{what}" for how in ("exec", "spawn") for what in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")),
    "timeit.timeit", "timeit.repeat", "timeit.Timer", "unittest.mock",
)  # fmt: skip
MACHINERY = (
    "sys.meta_path", "sys.path_hooks", "sys.path_importer_cache", "sys.modules", "imp", "_imp", "runpy", "pkgutil",
    "pydoc", "zipimport", "code", "codeop", "_frozen_importlib", "_frozen_importlib_external", "importlib.machinery",
    "importlib._bootstrap", "importlib._bootstrap_external", "importlib.abc", "importlib.reload",
    "importlib.util.spec_from_file_location", "importlib.util.spec_from_loader", "importlib.util.module_from_spec",
    "importlib.util.LazyLoader",
)  # fmt: skip
REFUSED = (*READERS, *INSPECTORS, *MACHINERY)
# of whatever object: nobody needs these to predict noise
HIDDEN = (
    "__globals__", "__builtins__", "__subclasses__", "__loader__", "__closure__", "__code__", "cell_contents", "f_back",
    "f_globals", "f_locals", "f_builtins", "f_code", "tb_frame", "gi_frame", "cr_frame", "ag_frame", "exec_module",
    "load_module",
)  # fmt: skip
OWN_LOADER = ("__builtins__", "__loader__", "__spec__")  # names that every module has
PATCHABLE = ("torch", "builtins", "assignment.ddpm")  # modules in which nothing may be replaced …
SETTINGS = ("torch.backends", "torch._dynamo.config", "torch._inductor.config")  # … except for these
MODULES = ("torch", "torch.nn", "torch.nn.functional", "torch.nn.init", "torch.autograd", "torch.random", "builtins")
# methods of a namespace, and functions, by which something is replaced
PATCHING = ("update", "setdefault", "pop", "popitem", "clear", "__setitem__", "__delitem__", "__ior__")
SETTERS = ("setattr", "delattr", "__setattr__", "__delattr__")
# modules in which a name worked out at run time hides what is meant; in torch.nn and its functions it is common
IN_FULL = ("torch", "builtins", "sys", "os", "importlib", "torch.jit", "torch.utils", "numpy")
FINDERS = ("importlib.util.find_spec", "importlib.find_loader")


def is_refused(path: str) -> bool:
    """Whether a dotted path leads to what no submission may use."""
    return is_forbidden(path) or any(path == name or path.startswith(f"{name}.") for name in REFUSED)


def is_patchable(path: str) -> bool:
    """Whether a dotted path lies in a module that must not be changed."""
    return path.startswith(tuple(f"{module}." for module in PATCHABLE)) and not path.startswith(SETTINGS)
