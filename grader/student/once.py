"""Expensive work that several checks share: done at the first call; a failure is stored and raised again."""

from collections.abc import Callable
from typing import Any


class Once:
    def __init__(self, make: Callable[[], Any]) -> None:
        self.make, self.value, self.error = make, None, None

    def __call__(self) -> Any:
        if self.make is not None:
            make, self.make = self.make, None
            try:
                self.value = make()
            except Exception as error:
                self.error = error
        if self.error is not None:
            raise self.error
        return self.value


def once_property(function: Callable[[Any], Any]) -> property:
    """The same as a property."""
    name = f"_once_{function.__name__}"

    def get(self: Any) -> Any:
        if name not in vars(self):
            vars(self)[name] = Once(lambda: function(self))
        return vars(self)[name]()

    return property(get, doc=function.__doc__)
