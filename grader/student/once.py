"""Expensive work that several checks share: done at the first call; a failure is stored and raised again.

A timeout is stored only at the second try: at the first, the machine may have been busy elsewhere.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Generic, TypeVar

from grader.errors import TimedOut

T = TypeVar("T")


class Once(Generic[T]):
    value: T  # once it is made

    def __init__(self, make: Callable[[], T]) -> None:
        self.make: Callable[[], T] | None = make
        self.error: Exception | None = None
        self.timed_out = False

    def __call__(self) -> T:
        if self.make is not None:
            make, self.make = self.make, None
            try:
                self.value = make()
            except TimedOut as error:
                if not self.timed_out:
                    self.make, self.timed_out = make, True
                    raise
                self.error = error
            except Exception as error:
                self.error = error
        if self.error is not None:
            raise self.error
        return self.value


def done_once(method: Callable[[Any], T]) -> Callable[[Any], T]:
    """The same for a method, below `@property`: for each object once."""
    name = f"_once_{method.__name__}"

    @wraps(method)
    def get(self: object) -> T:
        if name not in vars(self):
            vars(self)[name] = Once(lambda: method(self))
        return vars(self)[name]()

    return get
