"""Commands that try the product on made-up fleets: evaluate."""

from __future__ import annotations

import secrets
from typing import Any

import click

from analysis.cli.shared import AS_JSON, Bar, print_json
from analysis.errors import UsageError


@click.command()
@click.option("--family", "families", multiple=True, help="Only this family of fleets (drawn, replay); again for more.")
@click.option("--scorer", "scorers", multiple=True, help="Only this hidden scorer; again for more.")
@click.option("--seeds", type=click.IntRange(1, 100), default=2, show_default=True, help="Fleets per hidden scorer.")
@click.option(
    "--seed", type=click.IntRange(0), default=None, help="The first seed; new ones each time where not given."
)
@click.option(
    "--lines", "lines_", type=click.IntRange(1, 5000), default=60, show_default=True, help="Lines of a fleet."
)
@click.option("--days", type=click.IntRange(14, 400), default=56, show_default=True, help="Days of a fleet.")
@click.option("--strength", type=float, default=1.0, show_default=True, help="Size of every planted cause.")
@click.option("--noise", type=float, default=1.0, show_default=True, help="Noise and whims of the hidden vendor.")
@click.option("--labelled", is_flag=True, help="Also a boosting machine that is taught labels (extra evaluate).")
@click.option("--causes", is_flag=True, help="Also per planted cause and per kind of line.")
@click.option("--fit", "fit_", is_flag=True, help="Find the constants of the shares again on these fleets instead.")
@click.option(
    "--forecast",
    "forecast_",
    is_flag=True,
    help="How right forecasts are instead; with --fit, their documented prior again.",
)
@click.option("--helped", "helped_", is_flag=True, help="How often actions are said to have helped instead.")
@click.option(
    "--harder",
    is_flag=True,
    help="With --forecast: also on fleets whose vendor's limits drift, with few worsenings, of one line, with data missing.",
)
@AS_JSON
def evaluate(
    families: tuple[str, ...],
    scorers: tuple[str, ...],
    seeds: int,
    seed: int | None,
    lines_: int,
    days: int,
    strength: float,
    noise: float,
    labelled: bool,
    causes: bool,
    fit_: bool,
    forecast_: bool,
    helped_: bool,
    harder: bool,
    as_json: bool,
) -> None:
    """How often reasons are right on made-up fleets with known causes, beside simpler methods; fresh fleets each time."""
    from analysis import evaluate as room

    if harder and (fit_ or not forecast_):
        raise UsageError("--harder tries forecasts", where="evaluate", fix="give it with --forecast, without --fit")
    first = secrets.randbelow(10**6) if seed is None else seed
    chosen = room.fleets(
        seeds=list(range(first, first + seeds)),
        lines=lines_,
        days=days,
        families=families,
        scorers=scorers,
        strength=strength,
        noise=noise,
    )
    if not as_json:
        click.echo(
            f"{len(chosen)} fleets of {lines_} lines and {days} days, seeds {first} to {first + seeds - 1}", err=True
        )
    asked = {"seed": first, "seeds": seeds, "lines": lines_, "days": days, "strength": strength, "noise": noise}
    if harder:
        _harder(chosen, asked, as_json=as_json)
        return
    if forecast_:
        _forecasts(chosen, fit=fit_, as_json=as_json)
        return
    if helped_:
        _helped(chosen, as_json=as_json)
        return
    with Bar() as bar:
        cases = room.all_cases(chosen, peers=not fit_, progress=bar)
        told = room.fitted(cases) if fit_ else room.evaluated(cases, labelled=labelled)
    if as_json:
        print_json(asked | told)
    else:
        click.echo(room.fit_text(told) if fit_ else room.as_text(told, causes=causes))


def _forecasts(chosen: list[Any], *, fit: bool, as_json: bool) -> None:
    from analysis import evaluate as room

    with Bar() as bar:
        ticks, told = room.all_ticks(chosen, progress=bar)
        found: Any = room.prior_of(ticks) if fit else room.forecasts_evaluated(told)
    if as_json:
        print_json(found)
    else:
        click.echo(room.prior_text(found) if fit else room.forecasts_text(found))


def _helped(chosen: list[Any], *, as_json: bool) -> None:
    from analysis import evaluate as room

    with Bar() as bar:
        found = room.helping_evaluated(room.all_trials(chosen, progress=bar))
    if as_json:
        print_json(found)
    else:
        click.echo(room.helping_text(found))


def _harder(chosen: list[Any], asked: dict[str, Any], *, as_json: bool) -> None:
    from analysis import evaluate as room

    with Bar() as bar:
        told = room.harder_evaluated(room.all_harder_ticks(chosen, progress=bar))
    if as_json:
        print_json(asked | told)
    else:
        click.echo(room.harder_text(told))
