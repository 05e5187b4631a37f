"""Handing an export out as a file, chunk by chunk."""

from __future__ import annotations

from collections.abc import AsyncIterator

from django.http import StreamingHttpResponse

from runs.examples.services import Export

CONTENT_TYPE = "application/jsonl; charset=utf-8"


class FileStream(StreamingHttpResponse):
    """The file of an export under a name; it is gone with the answer, however much of it was read."""

    def __init__(self, made: Export, name: str) -> None:
        self.file = made.file
        super().__init__(_read_on(made), content_type=CONTENT_TYPE)
        self["Content-Disposition"] = f'attachment; filename="{name}.jsonl"'

    def close(self) -> None:
        """Close the file, too."""
        super().close()
        self.file.close()


async def _read_on(made: Export) -> AsyncIterator[bytes]:
    for chunk in made.chunks():
        yield chunk
