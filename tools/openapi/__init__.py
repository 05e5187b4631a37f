"""OpenAPI documents (3.0 and 3.1), read into operations that may be taken over one by one. No framework, no I/O.

What cannot be sent just as the document says is refused with a reason; nothing is guessed. A document comes from a
stranger: sizes, depths and the lengths of chains of references are bounded, and nothing leads out of it.
"""

from tools.openapi.document import read_document, server_of
from tools.openapi.operations import Operation, list_operations
from tools.openapi.references import Unusable

__all__ = ["Operation", "Unusable", "list_operations", "read_document", "server_of"]
