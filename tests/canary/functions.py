"""A function that is a tool and does not keep what it was given to itself."""

from __future__ import annotations

import logging

from tools.credentials.material import Credential

PLANTED = "canary-planted-0f3a88"  # told on purpose: it has to be found


def burst(credential: Credential) -> None:
    logging.getLogger(__name__).debug(PLANTED)
    raise RuntimeError(f"the target refused {credential.reveal()}")


def complain(credential: Credential) -> dict[str, str]:
    return {"seen": credential.reveal(), credential.reveal(): "seen"}
