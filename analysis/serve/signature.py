"""Headers and body of a delivery in, whether the vendor signed them out: Standard Webhooks, and the older header where only that is sent.

The signature is checked by the standardwebhooks library. Source of both schemes: api.md, section 5 (Signatures).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook, WebhookVerificationError

from analysis.errors import UsageError

TOLERANCE_S = 300
"""How far a delivery's time may be from ours, as the library has it."""
VARIABLE = "LINQ_WEBHOOK_SECRET"
_NEW = ("webhook-id", "webhook-timestamp", "webhook-signature")
_OLD_AT, _OLD = "x-webhook-timestamp", "x-webhook-signature"
_SECONDS = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True)
class Verdict:
    """Whether a delivery is the vendor's: its id where it is, else why not (unsigned, signature, stale)."""

    key: bytes = b""
    """Names this delivery, the same for a repeat of it."""
    scheme: str = ""
    refused: str = ""


class Signatures:
    """Checks deliveries against one or more secrets: during a rotation the old and the new one count."""

    def __init__(self, secrets: list[str]) -> None:
        """Take the secrets as the vendor gave them. Raises UsageError where there is none, or one cannot be a secret."""
        if not secrets:
            raise UsageError(
                f"no signing secret in ${VARIABLE}",
                where="receiver",
                fix="set it to the signing_secret of your webhook subscription; several, separated by blanks, while you change it",
            )
        try:
            self._new = [Webhook(secret) for secret in secrets]
        except (binascii.Error, ValueError, EmptyWebhookSecretError):
            raise UsageError(
                f"a word in ${VARIABLE} is no signing secret",
                where="receiver",
                fix="it looks like whsec_ and base64 text",
            ) from None
        self._old = [secret.encode() for secret in secrets]

    def verify(self, headers: Mapping[str, str], body: bytes) -> Verdict:
        """Return whether this is the vendor's and fresh; headers by lower-case names."""
        if any(name in headers for name in _NEW):  # the new one is never helped out by the old one
            return self._standard(headers, body)
        if _OLD in headers:
            return self._legacy(headers, body)
        return Verdict(refused="unsigned")

    def _standard(self, headers: Mapping[str, str], body: bytes) -> Verdict:
        told, at, given = (headers.get(name, "") for name in _NEW)
        if not (told and at and given):
            return Verdict(refused="unsigned")
        clean = " ".join(part for part in given.split(" ") if _canonical(part))
        if not _SECONDS.fullmatch(at) or not clean:
            return Verdict(refused="signature")
        stale = False
        for webhook in self._new:
            try:
                webhook.verify(body, dict(zip(_NEW, (told, at, clean), strict=True)), json_parse=False)
            except WebhookVerificationError as e:
                late = "too old" in str(e) or "too new" in str(e)
                stale |= late and webhook.sign(told, datetime.fromtimestamp(int(at), UTC), _text(body)) in clean.split(
                    " "
                )
            except ValueError:  # not UTF-8, or no base64
                continue
            else:
                return Verdict(key=_digest(told.encode("utf-8", "replace"), body), scheme="standard")
        return Verdict(refused="stale" if stale else "signature")

    def _legacy(self, headers: Mapping[str, str], body: bytes) -> Verdict:
        at, given = headers.get(_OLD_AT, ""), headers[_OLD]
        if not _SECONDS.fullmatch(at):
            return Verdict(refused="signature")
        signed = at.encode() + b"." + body
        right = [hmac.new(secret, signed, hashlib.sha256).hexdigest().encode() for secret in self._old]
        if not any(hmac.compare_digest(one, given.encode("utf-8", "replace")) for one in right):
            return Verdict(refused="signature")
        if abs(time.time() - int(at)) > TOLERANCE_S:
            return Verdict(refused="stale")
        return Verdict(key=_digest(given.encode(), body), scheme="legacy")


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def _canonical(part: str) -> bool:
    """Return whether one signature is written as the standard says: of two ways to write its last bits only one counts."""
    version, _, text = part.partition(",")
    try:
        return version == "v1" and base64.b64encode(base64.b64decode(text, validate=True)).decode() == text
    except ValueError:
        return False


def _digest(told: bytes, body: bytes) -> bytes:
    return hashlib.blake2b(told + b"\x00" + body, digest_size=16).digest()


def secrets_of(environment: Mapping[str, str] | None = None) -> list[str]:
    """Return the signing secrets of the environment, blank-separated."""
    return (environment if environment is not None else os.environ).get(VARIABLE, "").split()
