"""A field is words wherever it comes out: no SQL, HTML, formula, path or log injection from names, ids, codes, labels, keys and file names."""

import csv
import io
import json
from datetime import datetime, timedelta

import duckdb
import pytest

from analysis import pipeline
from tests.sweep import EVERY

HTML = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'>"
SQL = "'; drop table message; --"
FORMULA = "=cmd|' /C calc'!A0"
LOG = "x\r\nlinehealth: all is well\x1b[31m"
PATH = "../../../../etc/passwd"
START = datetime(2026, 3, 1)
PAGES = ("fleet", "why", "replies", "delivery", "new", "ahead", "helped", "transitions", "data", "chats")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A store whose lines, chats, codes, words, audit and file names are all attacks."""
    folder = tmp_path_factory.mktemp("hostile")
    patch = pytest.MonkeyPatch()
    patch.setenv("LINEHEALTH_KEY", "a key that only the tests use")
    out = io.StringIO()
    write = csv.writer(out)
    write.writerow(("message_id", "line", "chat_id", "direction", "sent_at", "failed_at", "failure_code", "service"))
    lines = (HTML, SQL, FORMULA, PATH)
    for i in range(1200):
        at = (START + timedelta(minutes=25 * i)).strftime("%Y-%m-%dT%H:%M:%SZ")
        write.writerow((f"{FORMULA}{i}", lines[i % 4], f"{(SQL, HTML, FORMULA, LOG)[i % 4]}{i % 20}", "inbound" if i % 12 > 8 else "outbound", at, at if i % 5 == 0 else "", HTML if i % 2 else SQL, LOG))  # fmt: skip
    write.writerow(("x", HTML, LOG, SQL, FORMULA, "", "", ""))
    files = [folder / "<svg onload=alert(3)>=1+1;.csv", folder / "c.csv"]
    files[0].write_text(out.getvalue())
    out = io.StringIO()
    write = csv.writer(out)
    write.writerow(("line", "changed_at", "previous_health", "new_health"))
    for n, line in enumerate(lines):
        write.writerow((line, f"2026-03-{18 + n}T12:00:00Z", "HEALTHY", "AT_RISK"))
    files[1].write_text(out.getvalue())
    store = folder / "hostile.duckdb"
    pipeline.load([str(f) for f in files], store=store)
    pipeline.add_action("slower", line=HTML, at="2026-03-10", label="<b onclick=x>=1+1", store=store)
    answer = {"audit_id": SQL, "status": HTML, "phone": HTML, "report": {"primary_driver": {"key": HTML}, "drivers": [{"key": SQL}], "evidence": {"unhealthy_chats": [{"chat_id": HTML}]}}}  # fmt: skip
    pipeline.keep_audit(answer, store=store)
    patch.undo()
    return store


def test_the_store_holds_them_as_words(hostile):
    with duckdb.connect(str(hostile), read_only=True) as con:
        assert con.execute("select count(*) from message").fetchall() == [(1200,)]
        assert {x for (x,) in con.execute("select distinct line from message").fetchall()} == {HTML, SQL, FORMULA, PATH}
        # an id of free text may tell a person: it is under a keyed name
        assert not con.execute(
            "select 1 from message where chat_id like '%alert%' or chat_id like '%drop%' or failure_code <> 'other'"
        ).fetchall()
    for line in (SQL, HTML):
        assert pipeline.signals(hostile, line=line)["line"].unique().to_list() == [line]
        assert pipeline.explanations(hostile, line=line)


@pytest.mark.parametrize("page", PAGES if EVERY else ("why", "data"))
def test_pages_show_them_as_words(open_app, hostile, page):
    at = open_app(hostile, page, line=HTML, at=SQL, day=FORMULA, days=PATH)
    assert not at.exception
    told = "".join(h.proto.body for h in at.get("html"))
    assert "<img src=x" not in told
    assert "<script>alert" not in told
    assert "<svg onload" not in told
    assert "<b onclick" not in told
    assert page not in ("data", "fleet") or "&lt;" in told
    assert not [m.value for m in at.markdown if "<img src=x" in m.value and getattr(m, "allow_html", False)]


def test_tables_for_a_spreadsheet_hold_no_formula(hostile, command, tmp_path):
    code, _, err = command("signals", "--store", hostile, "--out", tmp_path / "s.csv")
    assert code == 0, err
    cells = [cell for row in csv.reader((tmp_path / "s.csv").read_text().splitlines()) for cell in row if cell]
    assert any("cmd|" in cell for cell in cells)
    assert not [cell for cell in cells if cell[:1] in "=@\t\r"]
    assert not [
        cell for cell in cells if cell[:1] in "+-" and not cell[1:].replace(".", "").replace("e-", "").isdigit()
    ]


def test_logs_and_errors_stay_on_their_line(hostile, command, write, store):
    path = write("a\x1b[31m\nlinehealth: ok.jsonl", b"\x00not json")
    _, out, err = command("load", path, "--store", store)
    assert "\x1b" not in out + err
    assert not [row for row in (out + err).splitlines() if row.startswith("linehealth: ok")]
    _code, out, _ = command("quarantine", "--store", hostile, "--json")
    assert SQL not in out
    assert "\x1b" not in out
    assert json.loads(out)[0]["reason"]


@pytest.mark.parametrize("line", [SQL, "' or '1'='1", PATH, HTML + "x"])
def test_a_line_that_is_not_there_is_not_there(hostile, line, command, tmp_path):
    known = line in (SQL, PATH)
    code, out, _ = command("signals", "--line", line, "--store", hostile, "--json")
    assert (code, bool(json.loads(out))) == (0, known)
    code, _, err = command("evidence", "--line", line, "--store", hostile, "--out", tmp_path / "e.zip")
    assert (code == 0) == known, err
