"""Results of queries, kept in this process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Memory(Generic[T]):
    """Things by key, up to a total size; those that were asked for longest ago go first. Thread-safe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: OrderedDict[Hashable, tuple[int, T]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> T | None:
        """What is kept under a key, if anything."""
        with self._lock:
            found = self._held.get(key)
            if found is None:
                return None
            self._held.move_to_end(key)
            return found[1]

    def put(self, key: Hashable, value: T, size: int) -> None:
        """Keeps a thing in place of what the key held; what is larger than an eighth of all is not kept."""
        with self._lock:
            if key in self._held:
                self._size -= self._held.pop(key)[0]
            if size > self._most // 8:
                return
            self._held[key] = (size, value)
            self._size += size
            while self._size > self._most:
                _, (gone, _) = self._held.popitem(last=False)
                self._size -= gone
