"""Commands about people's names: key rotate gives all of them new names, forget takes one person out."""

from __future__ import annotations

import sys

import click

from analysis.cli.shared import AS_JSON, STORE, print_json


@click.group()
def key() -> None:
    """The key by which people are named."""


@key.command()
@STORE
@AS_JSON
def rotate(store: str | None, as_json: bool) -> None:
    """Give every person a new name, in this store and in all that comes later.

    Adds a key to the key file and brings this store forward; other stores of the same key follow when they are next written. Keep the
    whole file: each name is made with all its keys. Stop a receiver first.
    """
    from analysis import pipeline

    done = pipeline.rotate_key(store)
    if as_json:
        print_json({"keys": done.keys, "names": done.names})
        return
    click.echo(
        f"{done.names:,} names changed; the key file now holds {done.keys} keys: back it up, and start a receiver again"
    )


@click.command()
@click.argument("recipient")
@STORE
@AS_JSON
def forget(recipient: str, store: str | None, as_json: bool) -> None:
    """Take a person out of the store; no later load brings them back.

    RECIPIENT is their number or address, their name as the store shows it (p_…), or - to read it from stdin, so that it stands in no
    history of a shell. Their messages still count, without a name and under random ids. Exports on disk are yours to erase.
    """
    from analysis import pipeline

    gone = pipeline.forget(sys.stdin.readline() if recipient == "-" else recipient, store)
    if as_json:
        print_json({"chats": gone.chats, "messages": gone.messages})
        return
    click.echo(
        f"forgotten: {gone.chats:,} chats and {gone.messages:,} messages have no name any more; later loads leave this person out"
        if gone.messages or gone.chats
        else "nothing of this person is in the store; later loads leave them out"
    )
