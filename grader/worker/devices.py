"""Does a network mix tensors on the CPU with those on its device? Asked on the meta device, which lets some through.

A plain attribute stays behind when the network moves. On CUDA, looking t up in such a table is an error; on the meta
device it is not. What CUDA allows is allowed here: numbers (tensors without axes), indices on the CPU, and copies.
"""

from collections.abc import Iterator
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

INDEXED = ("index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index", "_unsafe_index_put")
FREE = ("copy_", "_pack_padded_sequence")  # from one device to another; lengths, which have to be on the CPU


class NoMixing(TorchDispatchMode):
    """Raises RuntimeError where an operation takes tensors with axes from the CPU and from another device."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        left_behind = [] if name in FREE else mixed(name, args, kwargs or {})
        if left_behind:
            shapes = " and ".join(str(tuple(tensor.shape)) for tensor in left_behind)
            raise RuntimeError(
                f"Expected all tensors to be on the same device, but {name} found a tensor of shape {shapes} that "
                "stayed on the CPU when the network moved"
            )
        return func(*args, **(kwargs or {}))


def mixed(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
    """The tensors that are on the CPU among an operation's others, if it may not take them from there."""
    found = list(tensors_in([*args, *kwargs.values()]))
    if not any(tensor.is_meta for tensor in found):
        return []
    if name in INDEXED and args[0].is_meta:
        found = list(tensors_in([args[0], *args[2:], *kwargs.values()]))
    return [tensor for tensor in found if not tensor.is_meta and tensor.ndim > 0]


def tensors_in(values: Any) -> Iterator[Tensor]:
    """The tensors among arguments, of which some are lists."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from tensors_in(value)
