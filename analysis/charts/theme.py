"""A theme's name in, its colours and Vega-Lite configuration out: the one place where a colour or a health mark is decided.

Health is told by height, shape and word; colour only repeats it. Contrasts and colour-blind distances were checked for
both themes (design sheet, section 2).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

Theme = Literal["light", "dark"]

HEALTH_WORDS = {"HEALTHY": "Healthy", "AT_RISK": "At risk", "CRITICAL": "Critical"}
STATUS_WORDS = {"ACTIVE": "Active", "FLAGGED": "Flagged"}
CHAT_WORDS = {**HEALTH_WORDS, "OPTED_OUT": "Opted out"}
UNKNOWN_WORD = "Not scored"
MARKS = {"HEALTHY": "●", "AT_RISK": "▲", "CRITICAL": "◆", "FLAGGED": "⚑", "ACTIVE": "●", "OPTED_OUT": "⊘"}
"""Text marks beside the words; shapes of points are circle, triangle, diamond in the same order."""
HEIGHTS = {"HEALTHY": 0.34, "AT_RISK": 0.68, "CRITICAL": 1.0}
"""Part of a ribbon's height that a state fills: ink is for trouble."""


@dataclass(frozen=True)
class Palette:
    """Colours of one theme, named by what they mean."""

    bg: str
    surface: str
    sunk: str
    ink: str
    mut: str
    faint: str
    hair: str
    grid: str
    accent: str
    r2: str
    r3: str
    r4: str
    on1: str
    on2: str
    hatch: str
    band: str
    thr: str
    healthy: str
    healthy_text: str
    healthy_ground: str
    at_risk: str
    at_risk_text: str
    at_risk_on: str
    at_risk_ground: str
    critical: str
    critical_text: str
    critical_on: str
    critical_ground: str


LIGHT = Palette(
    bg="#FAF8F4",
    surface="#FFFFFF",
    sunk="#F1EEE7",
    ink="#1D2430",
    mut="#5A6270",
    faint="#8A909B",
    hair="#E2DED5",
    grid="#ECE8DF",
    accent="#1F4E8C",
    r2="#6E93C4",
    r3="#AFC3DF",
    r4="#D4DEEC",
    on1="#FFFFFF",
    on2="#0D1420",
    hatch="#B9B6AE",
    band="#DDE3EA",
    thr="#7A5C2E",
    healthy="#DCE5E1",
    healthy_text="#22695E",
    healthy_ground="#E6EFEB",
    at_risk="#C97F0E",
    at_risk_text="#8A5200",
    at_risk_on="#1D1300",
    at_risk_ground="#FBF0DC",
    critical="#A3123A",
    critical_text="#A3123A",
    critical_on="#FFFFFF",
    critical_ground="#FAE6EB",
)
DARK = Palette(
    bg="#12161C",
    surface="#1A2028",
    sunk="#1F2630",
    ink="#ECE9E2",
    mut="#A7AEB9",
    faint="#7C8592",
    hair="#2D3541",
    grid="#252D38",
    accent="#8DB8F0",
    r2="#5B86BF",
    r3="#3C5A84",
    r4="#2A3C55",
    on1="#0D1420",
    on2="#0D1420",
    hatch="#5B6370",
    band="#2A333F",
    thr="#CDB07A",
    healthy="#2A3B3B",
    healthy_text="#7CC7B8",
    healthy_ground="#1B2E2C",
    at_risk="#D08A1E",
    at_risk_text="#F0B45A",
    at_risk_on="#1D1300",
    at_risk_ground="#33280F",
    critical="#FF7A90",
    critical_text="#FF8FA1",
    critical_on="#2A0610",
    critical_ground="#3A1A24",
)


def palette(theme: Theme) -> Palette:
    """Return the colours of a theme."""
    return DARK if theme == "dark" else LIGHT


def health_fill(p: Palette, health: str | None) -> str:
    """Return the fill of a health state; without one there is no fill, only an outline."""
    return {"HEALTHY": p.healthy, "AT_RISK": p.at_risk, "CRITICAL": p.critical}.get(health or "", "transparent")


def state_text(p: Palette, state: str | None) -> str:
    """Return the text colour of a health or status on the card's surface."""
    texts = {"HEALTHY": p.healthy_text, "AT_RISK": p.at_risk_text, "CRITICAL": p.critical_text, "FLAGGED": p.ink}
    return texts.get(state or "", p.mut)


def state_word(state: str | None) -> str:
    """Return the word of a health or status, with its text mark."""
    words = {**HEALTH_WORDS, **STATUS_WORDS}
    return f"{MARKS[state]} {words[state]}" if state in words else f"– {UNKNOWN_WORD}"


def config(theme: Theme) -> dict[str, Any]:
    """Return the Vega-Lite configuration that every chart carries, as one dict (never the global registry)."""
    p = palette(theme)
    quiet = {
        "labelColor": p.mut,
        "titleColor": p.mut,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "gridColor": p.grid,
        "gridWidth": 1,
        "tickColor": p.hair,
        "tickSize": 4,
        "labelPadding": 5,
        "titlePadding": 8,
        "domain": False,
    }
    return {
        "background": "transparent",
        "font": "Source Sans, sans-serif",
        "view": {"stroke": None},
        "axis": quiet,
        "axisX": {"grid": False, "domain": True, "domainColor": p.hair},
        "legend": {
            "orient": "bottom",
            "labelColor": p.mut,
            "titleColor": p.mut,
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
        },
        "text": {"fontSize": 12, "color": p.mut},
        # Vega names no empty layer, and a thousand cells read out tell nobody anything: the chart's alt says what they show
        "rect": {"aria": False},
        "tick": {"aria": False},
    }


def css() -> str:
    """Return the app's style sheet: colour tokens of both themes at once, then the rules of look.css."""
    return f"{tokens('.stApp')}\n{look()}"


def tokens(where: str) -> str:
    """Return the colours of both themes as CSS variables of a selector; ``color-scheme`` chooses between them."""
    told = "".join(
        f"--lh-{f.name.replace('_', '-')}:light-dark({getattr(LIGHT, f.name)},{getattr(DARK, f.name)});"
        for f in fields(Palette)
    )
    return f"{where}{{{told}}}"


def look() -> str:
    """Return the rules of look.css, which paint by these variables."""
    return Path(__file__).with_name("look.css").read_text(encoding="utf-8")


def repaint(where: str) -> str:
    """Return CSS that gives pictures drawn with the light colours the dark ones where ``color-scheme`` is dark.

    A rule of a style sheet wins over a fill or stroke written in an SVG; where two roles share a light colour, the first one's dark colour is taken.
    """
    seen: dict[str, str] = {}
    for f in fields(Palette):
        seen.setdefault(getattr(LIGHT, f.name), getattr(DARK, f.name))
    return "\n".join(
        f'{where} [{what}="{light}"]{{{what}:light-dark({light},{dark})}}'
        for light, dark in seen.items()
        for what in ("fill", "stroke")
    )
