"""The palette for colour-blind readers: how far apart its fills stay, and that no health is told by colour alone."""

import math

import pytest

from analysis.charts.theme import CHAT_WORDS, HEIGHTS, MARKS, palette, state_word

MACHADO = {  # Machado, Oliveira and Fernandes 2009, severity 1.0, for linear RGB
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
}
XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
WHITE = (0.95047, 1.0, 1.08883)


def _times(matrix, vector):
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def _lab(colour: str, sight: str) -> tuple[float, float, float]:
    srgb = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in srgb]
    seen = [min(1.0, max(0.0, c)) for c in _times(MACHADO[sight], linear)]
    x, y, z = (
        t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116
        for t in (c / w for c, w in zip(_times(XYZ, seen), WHITE, strict=True))
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _ciede2000(one, two) -> float:
    (l1, a1, b1), (l2, a2, b2) = one, two
    c7 = ((math.hypot(a1, b1) + math.hypot(a2, b2)) / 2) ** 7
    g = 1.5 - 0.5 * math.sqrt(c7 / (c7 + 25**7))
    (c1, h1), (c2, h2) = (
        (math.hypot(g * a, b), math.degrees(math.atan2(b, g * a)) % 360) for a, b in (one[1:], two[1:])
    )
    dh = (h2 - h1 + 180) % 360 - 180 if c1 * c2 else 0.0
    mean_l, mean_c = (l1 + l2) / 2, (c1 + c2) / 2
    mean_h = (h1 + dh / 2) % 360 if c1 * c2 else h1 + h2
    cos = lambda degrees: math.cos(math.radians(degrees))  # noqa: E731
    t = 1 - 0.17 * cos(mean_h - 30) + 0.24 * cos(2 * mean_h) + 0.32 * cos(3 * mean_h + 6) - 0.2 * cos(4 * mean_h - 63)
    by_l = (l2 - l1) / (1 + 0.015 * (mean_l - 50) ** 2 / math.sqrt(20 + (mean_l - 50) ** 2))
    by_c = (c2 - c1) / (1 + 0.045 * mean_c)
    by_h = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(dh / 2)) / (1 + 0.015 * mean_c * t)
    turn = 2 * math.sqrt(mean_c**7 / (mean_c**7 + 25**7))
    turn *= -math.sin(math.radians(60 * math.exp(-(((mean_h - 275) / 25) ** 2))))
    return math.sqrt(by_l**2 + by_c**2 + by_h**2 + turn * by_c * by_h)


def _apart(one: str, two: str, sight: str) -> float:
    return _ciede2000(_lab(one, sight), _lab(two, sight))


def test_the_distance_is_the_published_one():
    # pairs 1, 7 and 25 of Sharma, Wu and Dalal 2005, table 1
    assert _ciede2000((50, 2.6772, -79.7751), (50, 0, -82.7485)) == pytest.approx(2.0425, abs=1e-4)
    assert _ciede2000((50, 0, 0), (50, -1, 2)) == pytest.approx(2.3669, abs=1e-4)
    assert _ciede2000((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387)) == pytest.approx(1.2644, abs=1e-4)


# design sheet, section 2: healthy to at risk, at risk to critical, healthy to critical
@pytest.mark.parametrize(
    ("theme", "sight", "sheet"),
    [
        ("light", "normal", (36, 42, 57)),
        ("light", "deuteranopia", (33, 26, 45)),
        ("light", "protanopia", (36, 35, 57)),
        ("dark", "normal", (48, 37, 49)),
        ("dark", "deuteranopia", (49, 16, 50)),
        ("dark", "protanopia", (42, 25, 34)),
    ],
)
def test_fills_of_health_stay_as_far_apart_as_the_design_says(theme, sight, sheet):
    p = palette(theme)
    pairs = ((p.healthy, p.at_risk), (p.at_risk, p.critical), (p.healthy, p.critical))
    for (one, two), said in zip(pairs, sheet, strict=True):
        assert _apart(one, two, sight) == pytest.approx(said, abs=1.0)


@pytest.mark.parametrize("sight", MACHADO)
@pytest.mark.parametrize(("theme", "sheet"), [("light", (26, 15, 9)), ("dark", (15, 17, 11))])
def test_steps_of_rank_stay_apart(theme, sheet, sight):
    p = palette(theme)
    for one, two, said in zip((p.accent, p.r2, p.r3), (p.r2, p.r3, p.r4), sheet, strict=True):
        assert _apart(one, two, sight) == pytest.approx(said, abs=2.0)


def test_a_health_is_told_by_height_shape_and_word_too():
    healths = ("HEALTHY", "AT_RISK", "CRITICAL")
    assert len({HEIGHTS[h] for h in healths}) == len({MARKS[h] for h in healths}) == 3
    assert [state_word(h) for h in healths] == [f"{MARKS[h]} {CHAT_WORDS[h]}" for h in healths]
