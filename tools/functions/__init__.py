"""What a Python function's own signature says of a tool: its schemas, its description, and how values are turned.

The hints are understood by pydantic, which weighs as much as the rest of a small process: import this where a function
is read, not where a module is loaded.
"""

from tools.functions.describing import describe_function, list_functions
from tools.functions.signatures import Signature, UnusableSignature, read_signature

__all__ = ["Signature", "UnusableSignature", "describe_function", "list_functions", "read_signature"]
