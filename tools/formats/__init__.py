"""What a text in an argument may be, by the format that its schema declares.

Stricter than JSON Schema's formats of the same names: what a model writes into such a place reaches the world, and
has to be what a person would read it as. Whatever is not plain is refused with words, never repaired: a repaired
argument is another one than was proposed, approved and digested.
"""

from collections.abc import Callable, Mapping

from tools.formats.addresses import is_email, is_international_email, is_public_hostname, is_web_address
from tools.formats.hidden import find_hidden
from tools.formats.scripts import is_plain_name
from tools.formats.tokens import is_amount, is_identifier, is_relative_path

# Of arguments only: what a tool answers is the tool's to say.
STRICT: Mapping[str, Callable[[str], bool]] = {
    "email": is_email,
    "idn-email": is_international_email,
    "hostname": is_public_hostname,
    "idn-hostname": is_public_hostname,
    "uri": is_web_address,
    "iri": is_web_address,
    "name": is_plain_name,
    "identifier": is_identifier,
    "path": is_relative_path,
    "amount": is_amount,
}
_HOST = "a full host name on the public internet, each of its parts in letters of one script"
_WEB_ADDRESS = (
    "an address on the public internet that begins with https:// or http://, without user or password"
)
WORDS: Mapping[str, str] = {
    "email": "one bare address such as ann@example.com",
    "idn-email": "one bare address, each of its words in letters of one script",
    "hostname": _HOST,
    "idn-hostname": _HOST,
    "uri": _WEB_ADDRESS,
    "iri": _WEB_ADDRESS,
    "name": "a name as people write it, in letters of one script",
    "identifier": "an identifier: letters, digits and . _ : # - only, at most 128",
    "path": "a path below the folder that the tool works in: no .., no leading /, ~ or -, no backslash, no escape",
    "amount": 'a decimal such as "12.50"',
}

__all__ = ["STRICT", "WORDS", "find_hidden"]
