"""Messages and addresses in; deliveries with retries, and what could not be delivered kept for the next run, out. The only user of apprise.

Addresses hold secrets: they come from the environment or an owner-only file, and are never printed, logged or kept; errors name the kind of service.
"""

from analysis.notify.outbox import Outbox
from analysis.notify.sending import Message, Sent, flush, keep, send
from analysis.notify.targets import CONFIG, ENVIRONMENT, Target, configured, target_of

__all__ = [
    "CONFIG",
    "ENVIRONMENT",
    "Message",
    "Outbox",
    "Sent",
    "Target",
    "configured",
    "flush",
    "keep",
    "send",
    "target_of",
]
