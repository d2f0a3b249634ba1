"""`receive` and `up` with real processes: they start, take a delivery, and stop cleanly with everything in the store."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from analysis import pipeline
from analysis.bench.chromium import free_port
from analysis.bench.deliveries import PATH, SECRET, delivery, signed
from analysis.serve.together import Part, Stopping, run_together
from analysis.sources.spool import Spool
from analysis.store import Store
from tests.sweep import EVERY


def ids(store):
    with Store(store).reader() as con:
        return sorted(m for (m,) in con.sql("select message_id from message").fetchall())


@contextlib.contextmanager
def running(*words, **env):
    process = subprocess.Popen(
        [sys.executable, "-m", "analysis", *map(str, words)],
        stderr=subprocess.PIPE, text=True, start_new_session=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1", "LINQ_WEBHOOK_SECRET": SECRET} | env,
    )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
        process.stderr.close()


def until(ask, seconds: float = 40.0):
    """Ask again until there is an answer."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(httpx.TransportError):
            if found := ask():
                return found
        assert time.monotonic() < end, "nothing came of it in time"
        time.sleep(0.05)


def send(address: str, number: int) -> int:
    event, body = delivery(number)
    return httpx.post(address + PATH, content=body, headers=signed(event, body)).status_code


def in_group(group: int) -> list[str]:
    """The words of every process of a group that lives."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.getpgid(int(place.name)) == group and (words := (place / "cmdline").read_bytes()):
                found.append(words.replace(b"\x00", b" ").decode())
    return found


def heard_at(port: int) -> set[str]:
    """The addresses of this machine on which somebody listens on a port."""
    found = set()
    for table in ("tcp", "tcp6"):
        for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            local, state = row.split()[1], row.split()[3]
            address, _, number = local.partition(":")
            if state == "0A" and int(number, 16) == port:
                found.add(".".join(str(byte) for byte in reversed(bytes.fromhex(address))) if table == "tcp" else "::")
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, *([signal.SIGTERM] if EVERY else [])])
def test_receive_says_where_it_listens_and_stopping_it_puts_all_into_the_store(store, number):
    with running("receive", "--port", 0, "--store", store) as process:
        told = process.stderr.readline()
        assert "for this machine only" in told
        address = re.search(r"http://[\d.]+:\d+", told)[0]
        until(lambda: httpx.get(f"{address}/healthz").is_success)
        assert heard_at(int(address.rpartition(":")[2])) == {"127.0.0.1"}
        assert [send(address, n) for n in range(5)] == [200] * 5
        assert SECRET not in "".join(in_group(process.pid))
        os.killpg(process.pid, number)  # as a terminal's Ctrl-C, which reaches the whole group
        assert process.wait(40) == 0
        assert "Traceback" not in process.stderr.read()
    assert ids(store) == [f"run-{n}" for n in range(5)]
    assert Spool.of(store).waiting()[0] == 0


def test_up_runs_app_and_receiver_on_one_store_starts_again_what_ends_and_stops_without_loss(store):
    port, app_port = free_port(), free_port()
    address = f"http://127.0.0.1:{port}"
    with running("up", "--port", port, "--app-port", app_port, "--store", store) as process:
        until(lambda: httpx.get(f"http://127.0.0.1:{app_port}/_stcore/health").text == "ok")
        until(lambda: httpx.get(f"{address}/healthz").is_success)
        assert send(address, 1) == 200
        words = in_group(process.pid)
        assert len([w for w in words if "streamlit" in w]) == 1
        assert heard_at(port) == heard_at(app_port) == {"127.0.0.1"}
        (receiver,) = (int(p.name) for p in Path("/proc").glob("[0-9]*") if _is_receiver(p, process.pid))
        os.kill(receiver, signal.SIGKILL)
        until(lambda: send(address, 2) == 200)
        process.terminate()
        assert process.wait(60) == 0
        told = process.stderr.read()
        assert "the receiver ended (exit code -9); it is started again" in told
        assert "Traceback" not in told
        assert in_group(process.pid) == []
    assert ids(store) == ["run-1", "run-2"]


def test_who_opens_them_to_others_is_told(store):
    port, app_port = free_port(), free_port()
    words = ("up", "--host", "0.0.0.0", "--app-host", "0.0.0.0", "--port", port, "--app-port", app_port)
    with running(*words, "--store", store) as process:
        until(lambda: heard_at(port) == heard_at(app_port) == {"0.0.0.0"})
        process.terminate()
        assert process.wait(60) == 0
        told = process.stderr.read()
    assert "every machine that can reach it: put HTTPS before it" in told
    assert "is open to every machine that can reach it, without a password" in told


def _is_receiver(place: Path, group: int) -> bool:
    try:
        return os.getpgid(int(place.name)) == group and b"analysis\x00receive" in (place / "cmdline").read_bytes()
    except OSError:
        return False


def test_a_part_that_cannot_run_stops_all_with_a_sentence(monkeypatch):
    from analysis.serve import together

    monkeypatch.setattr(together, "LONGEST_S", 0.01)
    told = []
    good = Part("the good one", [sys.executable, "-c", "import time; time.sleep(60)"])
    bad = Part("the bad one", [sys.executable, "-c", "raise SystemExit(3)"])
    assert run_together([good, bad], stopped=Stopping(), say=told.append) == 1
    assert told[-1].startswith("the bad one ended 5 times right after its start (exit code 3): all stop")
    assert good.running is None


def test_a_part_is_not_reached_by_ctrl_c_from_its_first_instant_on():
    part = Part("one", [sys.executable, "-c", "import time; time.sleep(30)"])
    part.start()
    try:
        part.running.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            part.running.wait(0.3)
    finally:
        part.running.kill()
        part.running.wait(10)
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_a_part_gets_only_its_own_secrets(monkeypatch, capfd):
    monkeypatch.setenv("LINQ_WEBHOOK_SECRET", "w")
    monkeypatch.setenv("LINQ_API_V3_API_KEY", "a")
    code = "import os; print(sorted(n for n in os.environ if n.startswith('LINQ')))"
    for secrets in ((), ("LINQ_WEBHOOK_SECRET",)):
        part = Part("one", [sys.executable, "-c", code], secrets=secrets)
        part.start()
        part.running.wait(10)
    assert capfd.readouterr().out.split("\n")[:2] == ["[]", "['LINQ_WEBHOOK_SECRET']"]


def test_a_second_receiver_of_one_store_and_a_missing_secret_are_told_in_a_sentence(command, store, monkeypatch):
    code, _, told = command("receive", "--port", 0, "--store", store)
    assert code == 2
    assert "no signing secret in $LINQ_WEBHOOK_SECRET" in told
    assert command("up", "--store", store)[0] == 2
    monkeypatch.setenv("LINQ_WEBHOOK_SECRET", SECRET)
    spool = Spool.of(store)
    spool.make()
    monkeypatch.setattr("analysis.serve.receive.RIGHT_S", 0.1)
    with spool.only(pipeline.RECEIVER):
        code, _, told = command("receive", "--port", 0, "--store", store)
    assert code == 1
    assert "another receiver has the spool of this store" in told


def test_fold_by_hand_brings_the_store_up_to_date(command, store, monkeypatch):
    from tests.serve.receiving import made, post

    event, body = delivery(1)
    post(made(store), (signed(event, body), body))
    code, out, _ = command("fold", "--store", store)
    assert (code, out.strip()) == (
        0,
        "1 deliveries of 1 files: 1 inserted, 0 merged, 0 duplicates, 0 ignored, 0 quarantined",
    )
    assert pipeline.signals(store)["outbound"].sum() == 1
