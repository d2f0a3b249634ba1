"""Commands that look ahead: forecast, gate, plan, alerts; what the past shows; and replay, which tries a rule on it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from analysis.cli.sending import SEND, delivered, outbox_of, targets_of, tell
from analysis.cli.shared import AS_JSON, STORE, print_json
from analysis.errors import UsageError

if TYPE_CHECKING:
    from analysis.notify import Target

_AT = click.option("--at", default=None, help="As of this time, from nothing later; the latest event where not given.")


@click.command()
@_AT
@STORE
@AS_JSON
def forecast(at: str | None, store: str | None, as_json: bool) -> None:
    """How likely each line is to turn worse within 24 h and 72 h, and what raises it."""
    from analysis import pipeline

    found = [
        {**row, "drivers": json.loads(row["drivers"])} for row in pipeline.records(pipeline.forecast(store, at=at))
    ]
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo("no line here")
    for row in sorted(found, key=lambda r: -(r["p_worse_24h"] or 0)):
        click.echo(_told(row))


def _told(row: dict[str, Any]) -> str:
    if row["note"]:
        return f"{row['line']}  {row['health'] or 'unscored'}: {row['note']}"
    chances = "; ".join(
        f"{row[f'p_worse_{h}h']:.1%} ({row[f'p_worse_{h}h_low']:.1%} to {row[f'p_worse_{h}h_high']:.1%}) within {h} h"
        for h in (24, 72)
    )
    causes = "".join(f"\n    {d['driver']}: {d['summary']}" for d in row["drivers"])
    return f"{row['line']}  {row['health'] or 'unscored'}: {chances}{causes}"


@click.command()
@_AT
@click.option(
    "--now", "now_", is_flag=True, help="As of this machine's clock: with old data nothing new may be opened."
)
@STORE
@AS_JSON
def gate(at: str | None, now_: bool, store: str | None, as_json: bool) -> None:
    """What each line may still send today: send, slow or pause, with what is left and why."""
    from analysis import pipeline

    found = pipeline.records(pipeline.gate(store, at=pipeline.clock() if now_ else at).drop("risk_by_new"))
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo("no line here")
    for row in found:
        left = f"{row['new_recipients_left_today']} new recipients and {row['sends_left_today']} sends left today"
        click.echo(f"{row['line']}  {row['health'] or 'unscored'}  {row['decision']}: {left}\n    {row['why']}")


@click.command()
@click.option("--new", type=click.IntRange(0), required=True, help="Recipients nobody has written to yet.")
@click.option(
    "--days", type=click.IntRange(1), default=1, show_default=True, help="Days they may take, today included."
)
@_AT
@STORE
@AS_JSON
def plan(new: int, days: int, at: str | None, store: str | None, as_json: bool) -> None:
    """Which line opens how many new conversations on which day, so that no line leaves its safe band."""
    from analysis import pipeline

    found = pipeline.plan(store, new=new, days=days, at=at)
    if as_json:
        figures = {
            "asked": found.asked,
            "placed": found.placed,
            "worse_with": found.worse_with,
            "worse_at_once": found.worse_at_once,
        }
        print_json({**figures, "rows": pipeline.records(found.rows)})
        return
    click.echo(f"{found.placed:,} of {found.asked:,} placed on {found.lines:,} healthy lines")
    for row in found.rows.iter_rows(named=True):
        click.echo(f"day {row['day'] + 1}  {row['line']}  {row['new_recipients']} of at most {row['most']}")


@click.command()
@_AT
@click.option(
    "--now", "now_", is_flag=True, help="Sent now: quiet hours, repeats and the data's age by this machine's clock."
)
@click.option("--mark", is_flag=True, help="They are delivered: don't tell them again while nothing is new.")
@SEND
@STORE
@AS_JSON
def alerts(at: str | None, now_: bool, mark: bool, send: tuple[str, ...], store: str | None, as_json: bool) -> None:
    """Which lines to tell somebody about: likely to turn worse, or turned worse, with the reason. One message a reason.

    With --send they are delivered as of now (or --at), and told again only where no target took them.
    """
    from analysis import pipeline

    if mark and send:
        raise UsageError(
            "two ways to mark", where="alerts", fix="give --send, which marks what was delivered, or --mark"
        )
    targets = targets_of(send) if send else []
    first = pipeline.alerted(store).is_empty()
    record = pipeline.alert_record(store)
    clock = pipeline.clock() if now_ or (send and at is None) else None
    found = pipeline.alerts(store, at=at, clock=clock, mark=mark)
    if as_json:
        rows = {part["group"][0]: pipeline.records(part) for part in found.rows.partition_by("group")}
        told = [
            {"group": m.group, "kind": m.kind, "main_driver": m.main_driver, "text": m.text, "alerts": rows[m.group]}
            for m in found.messages
        ]
        known = {"at": pipeline.iso(found.at), "level": found.level, "waiting": found.waiting}
        print_json({**known, "messages": told, "record": record})
    else:
        _say(found, record["sentence"] if first else "")
    if targets:
        _deliver(found, targets, store)


def _say(found: Any, record: str) -> None:
    if record:
        click.echo(record + "\n")
    for message in found.messages:
        click.echo(message.text)
    if not found.messages:
        click.echo("nothing new to tell")
    if found.waiting:
        click.echo(f"{found.waiting} more {'waits' if found.waiting == 1 else 'wait'} for the quiet hours to end")


def _deliver(found: Any, targets: list[Target], store: str | None) -> None:
    """Send what is due, and keep which alerts at least one target took: the others are due again."""
    from dataclasses import replace

    from analysis import notify, pipeline

    names = {m.group: f"line-health-alert-{m.group.replace(' ', '-')}" for m in found.messages}
    least = pipeline.settings(store).report_small_group
    messages = [
        notify.Message(names[m.group], pipeline.few(m.title, least), pipeline.few("\n".join(m.lines), least))
        for m in found.messages
    ]
    outbox = outbox_of(store)
    earlier, now = delivered(messages, targets, outbox, due_again=True)
    taken = [group for group, name in names.items() if name in now.taken]
    pipeline.mark_alerts(store, replace(found, rows=found.rows.filter(found.rows["group"].is_in(taken))))
    tell(earlier, now, outbox)


@click.command()
@STORE
@AS_JSON
def thresholds(store: str | None, as_json: bool) -> None:
    """From which level on your lines fall twice as often, and how long falls, recoveries and relapses take."""
    from analysis import pipeline

    levels, times = pipeline.thresholds(store), pipeline.lags(store)
    if as_json:
        print_json({"thresholds": levels.to_dicts(), "lags": times})
        return
    if levels.is_empty():
        click.echo("nothing measured yet")
        return
    for row in levels.iter_rows(named=True):
        lines = f"{row['lines']:,} lines, {row['group_low']:,.0f} to {row['group_high']:,.0f} sends a day"
        click.echo(f"{row['line_group']} ({lines}): {row['sentence']}")
    for sentence in pipeline.lag_sentences(times):
        click.echo(sentence)


@click.command()
@click.option("--line", required=True, help="The line (E.164).")
@click.option(
    "--since", default=None, help="Begin of the period; the week before the line's last fall where not given."
)
@click.option("--until", default=None, help="Its end, not part of it.")
@click.option("--spread", type=int, default=None, help="Open the period's new conversations evenly over so many days.")
@click.option("--cap", type=int, default=None, help="Open at most so many a day, the rest on the next day with room.")
@click.option(
    "--over-lines", default=None, help="Open them in turn on this line and these others (E.164, commas between)."
)
@click.option("--stop-after", type=int, default=None, help="Leave out sends after so many unanswered turns.")
@STORE
@AS_JSON
def replay(
    line: str,
    since: str | None,
    until: str | None,
    spread: int | None,
    cap: int | None,
    over_lines: str | None,
    stop_after: int | None,
    store: str | None,
    as_json: bool,
) -> None:
    """What if, on your own history: one rule, the messages altered by it, and how the risk changes in this model."""
    from analysis import pipeline

    found = pipeline.replay(
        store,
        line=line,
        since=since,
        until=until,
        spread=spread,
        cap=cap,
        lines=[one.strip() for one in over_lines.split(",") if one.strip()] if over_lines is not None else None,
        stop_after=stop_after,
    )
    if as_json:
        print_json({**found.record, "rows": pipeline.records(found.rows)})
        return
    click.echo(found.record["title"] + "\n")
    for sentence in found.record["sentences"]:
        click.echo(sentence)
    click.echo("\nWhat this can't say:")
    for limit in found.record["limits"]:
        click.echo(f"- {limit}")
