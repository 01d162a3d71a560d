"""Whole fragments: a user's spans leave the process only when the outermost of them has ended.

A span is exported when it ends, so children leave before their parents; a process that is killed in between would
leave children behind whose parent nobody ever sees. Here the children wait for it.
"""

from __future__ import annotations

import threading
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

MAX_HELD: Final = 1_000
"""Spans held for one outermost span; beyond that they go ahead, since memory is dearer than a missing parent."""


class WholeFragments(SpanProcessor):
    """Holds back for `inner` what is not complete. Outermost: a span whose parent is remote, or none of ours."""

    def __init__(self, inner: SpanProcessor, *, max_held: int = MAX_HELD) -> None:
        self._inner = inner
        self._max_held = max_held
        self._root_of: dict[int, int] = {}
        self._held: dict[int, list[ReadableSpan]] = {}
        self._members: dict[int, list[int]] = {}
        self._lock = threading.Lock()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self._inner.on_start(span, parent_context)
        own, parent = span.get_span_context().span_id, span.parent
        with self._lock:
            root = own if parent is None or parent.is_remote else self._root_of.get(parent.span_id, own)
            self._root_of[own] = root
            self._members.setdefault(root, []).append(own)
            if root == own:
                self._held[own] = []

    def on_end(self, span: ReadableSpan) -> None:
        for one in self._free(span):
            self._inner.on_end(one)

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._inner.force_flush(timeout_millis)

    def _free(self, span: ReadableSpan) -> list[ReadableSpan]:
        """What may leave now that `span` has ended."""
        context = span.get_span_context()
        own = 0 if context is None else context.span_id
        with self._lock:
            root = self._root_of.get(own, own)
            held = self._held.get(root)
            if held is None:  # its outermost span has left already
                self._root_of.pop(own, None)
                return [span]
            held.append(span)
            if own == root:
                del self._held[root]
                for member in self._members.pop(root):
                    self._root_of.pop(member, None)
                return held
            if len(held) < self._max_held:
                return []
            self._held[root] = []
            return held
