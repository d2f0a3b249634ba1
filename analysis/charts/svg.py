"""A few numbers in; a small picture out, for rows of tables: a health ribbon, or a sparkline with its usual; as a data URI, or as SVG itself."""

from __future__ import annotations

from base64 import b64encode

from analysis.charts.theme import HEIGHTS, Theme, health_fill, palette


def as_image(svg: str) -> str:
    """Return an SVG as a data URI."""
    return "data:image/svg+xml;base64," + b64encode(svg.encode()).decode()


def _svg(body: str, width: int, height: int) -> str:
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">{body}</svg>'


def ribbon_svg(
    spells: list[tuple[float, float, str | None]],
    window: tuple[float, float],
    *,
    theme: Theme = "light",
    width: int = 180,
    height: int = 16,
    margin: int = 0,
    lost: list[tuple[float, float]] | None = None,
) -> str:
    """Return spells (from, to, state) as a ribbon: thin healthy, two thirds at risk, full critical; open boxes without data (``lost``)."""
    p, (start, end) = palette(theme), window
    scale = (width - 2 * margin) / max(end - start, 1)
    parts = []
    for t0, t1, state in spells:
        x0, x1 = margin + (max(t0, start) - start) * scale, margin + (min(t1, end) - start) * scale
        if x1 <= x0:
            continue
        tall = 5.0 if state == "HEALTHY" else height * 0.8 * HEIGHTS.get(state or "", 0.12)
        fill = health_fill(p, state) if state else p.sunk
        parts.append(
            f'<rect x="{x0:.1f}" y="{(height - tall) / 2:.1f}" width="{max(x1 - x0, 1):.1f}" height="{tall:.1f}" fill="{fill}"/>'
        )
    for t0, t1 in lost or []:
        x0, x1 = (margin + (t - start) * scale for t in (t0, t1))
        parts.append(
            f'<rect x="{x0:.1f}" y="{height * 0.1:.1f}" width="{max(x1 - x0, 1.5):.1f}" height="{height * 0.8:.1f}" fill="{p.surface}" stroke="{p.faint}"/>'
        )
    return _svg("".join(parts), width, height)


def spark_svg(
    values: list[float | None],
    *,
    usual: tuple[float, float] | None = None,
    theme: Theme = "light",
    width: int = 110,
    height: int = 26,
    margin: int = 3,
    lost: list[tuple[float, float]] | None = None,
) -> str:
    """Return values from old to new as a line scaled to its own maximum, over the band of its usual, with the last point.

    ``lost``: parts of the time without data, as shares of the whole; grey columns.
    """
    p = palette(theme)
    known = [v for v in values if v is not None]
    if not known:
        return _svg("", width, height)
    top = max([*known, usual[1] if usual else 0.0]) or 1.0
    step = (width - 2 * margin) / max(len(values) - 1, 1)

    def y(v: float) -> float:
        return margin + (height - 2 * margin) * (1 - v / top)

    parts = []
    if usual:
        low, high = usual
        parts.append(
            f'<rect x="{margin}" y="{y(high):.1f}" width="{width - 2 * margin}" height="{max(y(low) - y(high), 1.5):.1f}" fill="{p.band}"/>'
        )
    for a, b in lost or []:
        x0, x1 = (margin + (width - 2 * margin) * share for share in (a, b))
        parts.append(
            f'<rect x="{x0:.1f}" y="0" width="{max(x1 - x0, 1.5):.1f}" height="{height}" fill="{p.hatch}" opacity="0.5"/>'
        )
    path, pen = [], "M"
    for i, v in enumerate(values):
        if v is None:
            pen = "M"
            continue
        path.append(f"{pen}{margin + i * step:.1f} {y(v):.1f}")
        pen = "L"
    last = max(i for i, v in enumerate(values) if v is not None)
    parts.append(
        f'<path d="{"".join(path)}" fill="none" stroke="{p.accent}" stroke-width="1.5" stroke-linejoin="round"/>'
    )
    parts.append(f'<circle cx="{margin + last * step:.1f}" cy="{y(known[-1]):.1f}" r="2.2" fill="{p.accent}"/>')
    return _svg("".join(parts), width, height)
