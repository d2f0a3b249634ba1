"""A store, an address and secrets in, a receiver that runs until it is stopped out, with the folding as a process beside it."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator

from analysis import pipeline
from analysis.errors import LineHealthError, StoreError
from analysis.logs import note
from analysis.serve.receiver import Receiver, application
from analysis.serve.run import serve
from analysis.serve.signature import Signatures
from analysis.serve.together import API_KEY, Part, Stopping, own_command, run_together, stopping
from analysis.sources import Pseudonyms, load_key
from analysis.sources.delivered import Keeper

GRACE_S = 60.0
"""How long a receiver may take to stop: requests in work, the folding, and a last fold."""
RIGHT_S = 5.0
"""How long to wait for a receiver that is just stopping, or a fold that is just closing what a killed one left."""


def receive(
    store: pipeline.Where,
    held: socket.socket,
    secrets: list[str],
    *,
    folding: bool = True,
    durable: bool = True,
    say: Callable[[str], None] = lambda s: None,
) -> None:
    """Receive deliveries until told to stop (SIGTERM, SIGINT); what was acknowledged is then in closed files of the spool.

    Args:
        store: the store that the deliveries are for; its spool lies beside it.
        held: the socket to listen on.
        secrets: signing secrets.
        folding: also run the process that moves the spool into the store, and stop it last.
        durable: False leaves out the sync, for measuring only.
        say: told what happens, in sentences.

    Raises:
        UsageError: no secret. StoreError: another receiver has this spool, or it cannot be written.
    """
    signatures = Signatures(secrets)
    spool = pipeline.spool_of(store)
    spool.make()
    pipeline.to_current_key(store)
    keeper = Keeper(Pseudonyms(load_key()))
    with stopping() as stopped, spool.only(pipeline.RECEIVER, wait_s=RIGHT_S) as alone:
        if not alone:
            raise StoreError(
                "another receiver has the spool of this store",
                where=str(spool.folder),
                fix="stop it, or name another --store",
            )
        spool.seal()
        settings = pipeline.settings_or_default(store)
        app = application(Receiver(spool, signatures, keeper, settings=settings, durable=durable))
        with _folding(store, say) if folding else contextlib.nullcontext():
            note("receiving")
            serve(app, held, grace_s=settings.receive_time_s, stop=stopped.event)


@contextlib.contextmanager
def _folding(store: pipeline.Where, say: Callable[[str], None]) -> Iterator[None]:
    """Run the process that folds, again where it ends; at the end let it fold what was closed last."""
    path = str(pipeline.spool_of(store).folder).removesuffix(".spool")
    part = Part(
        "folding", own_command("fold", "--watch", "--under", str(os.getpid()), "--store", path), secrets=(API_KEY,)
    )
    over = Stopping()
    thread = threading.Thread(
        target=run_together, args=([part],), kwargs={"stopped": over, "say": say, "give_up": False}, name="folding"
    )
    thread.start()
    try:
        yield
    finally:
        over.event.set()
        thread.join()
        try:
            pipeline.fold(store)  # what that process had no time for
        except LineHealthError as e:
            say(f"what came last is in the spool and goes into the store at the next start ({e})")
