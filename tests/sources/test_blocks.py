"""A log that is read in blocks, by the MB and side by side, tells what its lines tell one by one."""

import json
import random
from collections import Counter

import polars as pl
import pytest

from analysis.errors import SourceError
from analysis.settings import Settings
from analysis.sources import Pseudonyms, opening, read_source, reading, rows
from analysis.sources.checks import Rules
from analysis.sources.opening import Stream
from analysis.sources.rows import Rows
from analysis.sources.webhook import read_line, read_lines
from tests import events
from tests.fuzz.files import seeds
from tests.fuzz.mutate import Mutator
from tests.sources.test_delivered import KNOWN, ODD, places, put

KEY = b"a key that only the tests use"
KINDS = ("messages", "chats", "health", "changes")
BETWEEN = (b"", b" ", b"\r", b"\t \r", b"\xef\xbb\xbf", b"{}", b"[1]", b"null")


def told(frames: dict[str, list[pl.DataFrame]]) -> dict[str, list]:
    """Rows by kind; a chat's health may be told by several blocks."""
    rows = {kind: pl.concat(found).rows() if found else [] for kind, found in frames.items()}
    return rows | {"health": sorted(set(rows["health"])), "refused": sorted(rows["refused"])}


def one_by_one(lines: list[bytes]) -> tuple[dict, Counter, Counter, Counter]:
    """Read each line as if it were alone in the world."""
    rules, frames = Rules(Settings(), Pseudonyms(KEY)), {kind: [] for kind in (*KINDS, "refused")}
    ignored, notes, late = Counter(), Counter(), Counter()
    for position, line in enumerate(lines, start=1):
        rows = Rows()
        if line.strip():
            read_line(line, position, rows)
        ignored += rows.ignored
        for facts in rows.facts(rules):
            notes, late = notes + facts.notes, late + facts.late
            for kind in frames:
                frames[kind].append(getattr(facts, kind))
    return told(frames), ignored, notes, late


def in_blocks(path, spool) -> tuple[dict, Counter, Counter, Counter]:
    """Read the file as `load` does."""
    spool.mkdir(exist_ok=True)
    found = read_source(path, settings=Settings(), pseudonyms=Pseudonyms(KEY), mapping=None, spool=spool)
    frames = {kind: [pl.read_parquet(p) for p in sorted(spool.glob(f"{kind}-*.parquet"))] for kind in KINDS}
    return told(frames | {"refused": found.refused}), found.ignored, found.notes, found.late


@pytest.mark.parametrize("seed", range(3))
def test_mutated_lines_tell_the_same_in_blocks_as_alone(write, tmp_path, monkeypatch, seed):
    monkeypatch.setattr(opening, "CHUNK", 20_000)
    monkeypatch.setattr(reading, "BLOCK_LINES", 40)
    monkeypatch.setattr(rows, "PACKED", 15)
    m, known = Mutator(seed), seeds()
    lines = [m.json(m.draw.choice(known), known).replace(b"\n", b" ")[:15_000] for _ in range(150)]
    lines += [json.dumps(event).encode() + m.draw.choice((b"", b"\r", b"  ")) for event in known]
    lines += [m.draw.choice(BETWEEN) for _ in range(30)]
    m.draw.shuffle(lines)
    first = json.dumps(events.message("message.sent", "first", 0)).encode()
    path = write("log.jsonl", b"\xef\xbb\xbf" + b"\n".join([first, *lines]))
    assert in_blocks(path, tmp_path / "spool") == one_by_one([first, *lines])


@pytest.mark.parametrize("seed", range(2))
def test_a_line_tells_the_same_read_as_the_vendors_envelope_first(seed):
    m, known = Mutator(seed), seeds()
    for line in [json.dumps(event).encode() for event in known] + [
        m.json(m.draw.choice(known), known) for _ in range(500)
    ]:
        first, plain = rows.Rows(), rows.Rows()
        if line.strip():
            read_lines([line], 1, first, 16)
            read_line(line, 1, plain)
        same(first, plain)


def same(one: Rows, other: Rows) -> None:
    for kind in ("messages", "chats", "changes"):
        assert list(getattr(one, kind)) == list(getattr(other, kind))
    assert (one.refused, one.ignored) == (other.refused, other.ignored)


def test_every_odd_value_in_every_place_is_read_in_a_piece_as_alone():
    lines = [
        json.dumps(put(event, path, value)).encode()
        for event in KNOWN
        for path in places(event)
        if path
        for value in ODD
    ]
    plain = Rows()
    for position, line in enumerate(lines, start=1):
        read_line(line, position, plain)
    for piece in (3, len(lines)):  # short ones, of which each first line is tried in every way, and one
        together = Rows()
        for start in range(0, len(lines), piece):
            read_lines(lines[start : start + piece], start + 1, together, 16)
        same(together, plain)


def test_a_chats_health_told_a_hundred_times_is_read_once_and_each_bad_report_counts(write, tmp_path):
    good = [events.message("message.sent", f"m{n}", n / 100, chat="c") for n in range(100)]
    for n, event in enumerate(good):
        event["data"]["chat"]["health_status"] = {
            "status": "at-risk" if n % 4 else "purple",
            "updated_at": "2026-09-01T00:00:00Z",
        }
    rows, _, notes, _ = in_blocks(write("log.jsonl", "\n".join(map(json.dumps, good))), tmp_path / "spool")
    assert [health for _, _, health in rows["health"]] == ["AT_RISK"]
    assert notes["chat health reports had an unknown word or no usable time and were left out"] == 25


def test_a_value_for_every_row_reaches_those_that_are_columns_already():
    cells = rows.Cells(("position", "chat_id", "is_group"))
    for n in range(3):
        cells.append((n, f"c{n}", None))
    cells.pack()
    cells.append((3, None, False))
    cells.put("is_group", True)
    assert list(cells) == [(0, "c0", True), (1, "c1", True), (2, "c2", True), (3, None, True)] == cells.frame().rows()
    assert len(cells) == 4


@pytest.mark.parametrize("seed", range(20))
def test_lines_are_cut_at_newlines_wherever_the_pieces_of_the_file_end(write, monkeypatch, seed):
    draw = random.Random(seed)
    monkeypatch.setattr(opening, "CHUNK", draw.choice((1, 3, 10, 64)))
    lines = [b"x" * draw.choice((0, 0, 1, 5, 12, 13, 40)) for _ in range(draw.randrange(1, 30))] + [b"end"]
    path = write("log.txt", b"\n".join(lines))
    expected = [None if len(line) > 12 else line for line in lines]
    assert list(Stream(path).lines(12)) == list(enumerate(expected, start=1))
    path.write_bytes(path.read_bytes() + b"\n")
    assert list(Stream(path).lines(12)) == list(enumerate(expected, start=1))


def test_a_line_that_is_too_long_is_refused_where_it_stands(write, tmp_path):
    line = json.dumps(events.message("message.sent", "m1", 1)).encode()
    found = read_source(
        write("log.jsonl", b"\n".join([line, b"", b"x" * (2 << 20), line])),
        settings=Settings(max_line_mb=1),
        pseudonyms=Pseudonyms(KEY),
        mapping=None,
        spool=tmp_path,
    )
    assert found.read == 3
    assert pl.concat(found.refused).select("position", "reason").rows() == [(3, "the line is longer than 1 MB")]


def test_a_file_that_changes_between_the_look_at_it_and_the_reading_is_refused(write, tmp_path):
    path = write("log.jsonl", json.dumps(events.message("message.sent", "m1", 1)))
    content = reading.Content.of(path, None)
    path.write_text(json.dumps(events.message("message.sent", "m22", 1)))
    with pytest.raises(SourceError, match="changed while it was read"):
        reading.read_unchanged(
            content, path, mapping=None, settings=Settings(), pseudonyms=Pseudonyms(KEY), spool=tmp_path
        )


def test_a_list_of_deliveries_longer_than_a_block_keeps_its_numbers_and_an_empty_one_holds_nothing(
    write, tmp_path, monkeypatch
):
    monkeypatch.setattr(reading, "BLOCK_LINES", 3)
    bodies = [events.message("message.sent", f"m{n}", n) for n in range(10)] + [{"event_type": 5}]
    rows, _, _, _ = in_blocks(write("list.json", json.dumps(bodies)), tmp_path / "spool")
    assert [row[:2] for row in rows["messages"]] == [(n + 1, f"m{n}") for n in range(10)]
    assert [row[0] for row in rows["refused"]] == [11]
    assert in_blocks(write("none.json", "[]"), tmp_path / "none")[0] == {kind: [] for kind in (*KINDS, "refused")}
