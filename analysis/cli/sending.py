"""What commands that send share: the option, where to, what waits from earlier runs, and how a failure is told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from analysis.cli.shared import fail
from analysis.errors import UsageError

if TYPE_CHECKING:
    from analysis.notify import Message, Outbox, Sent, Target

SEND = click.option(
    "--send",
    is_flag=False,
    flag_value="",
    multiple=True,
    metavar="[TARGET]",
    help="Deliver it: to $LINEHEALTH_NOTIFY (or the owner-only file `notify` beside the key), or to this folder or address. "
    "An address with a secret belongs in the variable or the file, not on a command line.",
)


def targets_of(send: tuple[str, ...]) -> list[Target]:
    """Return where to send to; raises UsageError where nothing is named."""
    from analysis import notify

    named = [notify.target_of(word, "--send") for word in send if word]
    own = notify.configured() if "" in send else []
    found = named + own
    if not found or ("" in send and not own):
        raise UsageError(
            "no place to send to",
            where="--send",
            fix=f"set ${notify.ENVIRONMENT} (an apprise URL such as mailto:// or slack://, or a folder), or name a folder: --send reports/",
        )
    return list(dict.fromkeys(found))


def outbox_of(store: str | None) -> Outbox:
    """Return where messages wait that could not be delivered: beside the store."""
    from analysis import notify, pipeline

    return notify.Outbox.beside(Path(store) if store else pipeline.default_store())


def delivered(
    messages: list[Message], targets: list[Target], outbox: Outbox, *, due_again: bool = False
) -> tuple[Sent, Sent]:
    """Deliver what waits from earlier runs, then the messages; return what became of both.

    Args:
        messages: the new ones.
        targets: where to.
        outbox: keeps what fails.
        due_again: a message that no target took is due again by itself, and not kept.
    """
    from analysis import notify

    earlier = notify.flush(outbox, targets)
    now = notify.send(messages, targets)
    taken = now.taken
    notify.keep(outbox, [(m, t) for m, t in now.failed if not due_again or m.name in taken])
    for sent, word in ((earlier, "kept from an earlier run, delivered"), (now, "delivered")):
        for message, target in sent.delivered:
            click.echo(f"{word} ({target.kind}): {message.title}", err=True)
    return earlier, now


def tell(earlier: Sent, now: Sent, outbox: Outbox) -> None:
    """Leave with exit code 1 and one sentence where something was not delivered."""
    told = [
        *([f"of earlier runs, {earlier.complaint}"] if earlier.complaint else []),
        *([now.complaint] if now.complaint else []),
    ]
    if told:
        fail(
            f"{'; '.join(told)}. What failed is tried again by the next run with --send; what waits is in {outbox.folder}",
            1,
        )
