"""Frames in, chart specs out: the only room that knows Altair. Nothing is computed here but where ink goes."""

from analysis.charts.ahead import OUTLOOK, RELIABILITY, REPLAYED, outlook, reliability, replayed
from analysis.charts.chat import EVENTS, HEALTHS, RULES, RUNS, timeline
from analysis.charts.delivery import STACK, STREAKS, stacked_days, streaks
from analysis.charts.events import ACTED, LOST, STATES, Moment
from analysis.charts.fleet import causes, ribbons
from analysis.charts.helped import EFFECT_MARKS, effects
from analysis.charts.history import HEALING, healing
from analysis.charts.lanes import LANE, LANE_MARKS, Lane, lanes
from analysis.charts.new import BURST_GAPS, BURSTS, CALENDAR, MARKED_DAYS, NO_DATA, burst_gaps, bursts, opener_calendar
from analysis.charts.panels import (
    FAILURE_HOURS,
    OPENER_HOURS,
    OPENINGS,
    POINTS,
    failures_by_hour,
    openers_by_hour,
    rate_against_volume,
)
from analysis.charts.quality import SILENCES, silences
from analysis.charts.recovery import TROUBLES, recoveries
from analysis.charts.replies import MOVES, growth, moves
from analysis.charts.spec import Spec, as_chart, draw_here
from analysis.charts.svg import as_image, ribbon_svg, spark_svg
from analysis.charts.theme import Theme, css

__all__ = [
    "ACTED",
    "BURSTS",
    "BURST_GAPS",
    "CALENDAR",
    "EFFECT_MARKS",
    "EVENTS",
    "FAILURE_HOURS",
    "HEALING",
    "HEALTHS",
    "LANE",
    "LANE_MARKS",
    "LOST",
    "MARKED_DAYS",
    "MOVES",
    "NO_DATA",
    "OPENER_HOURS",
    "OPENINGS",
    "OUTLOOK",
    "POINTS",
    "RELIABILITY",
    "REPLAYED",
    "RULES",
    "RUNS",
    "SILENCES",
    "STACK",
    "STATES",
    "STREAKS",
    "TROUBLES",
    "Lane",
    "Moment",
    "Spec",
    "Theme",
    "as_chart",
    "as_image",
    "burst_gaps",
    "bursts",
    "causes",
    "css",
    "draw_here",
    "effects",
    "failures_by_hour",
    "growth",
    "healing",
    "lanes",
    "moves",
    "opener_calendar",
    "openers_by_hour",
    "outlook",
    "rate_against_volume",
    "recoveries",
    "reliability",
    "replayed",
    "ribbon_svg",
    "ribbons",
    "silences",
    "spark_svg",
    "stacked_days",
    "streaks",
    "timeline",
]
