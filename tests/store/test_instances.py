"""Who opens a store after a write sees what was written, whoever else still reads the store before; within a reader all is of one state."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from analysis import pipeline
from analysis.errors import StoreError
from analysis.store import Store, instances


@pytest.fixture
def counted(store):
    """A store that holds a number."""
    target = Store(store)
    write(target, 0)
    return target


def write(target, number):
    with target.writer() as con:
        con.execute("insert or replace into meta values ('number', ?)", [str(number)])


def number_in(con):
    return int(con.execute("select value from meta where key = 'number'").fetchall()[0][0])


def read(target):
    with target.reader() as con:
        return number_in(con)


def elsewhere(call, *given):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call, *given).result()


def test_another_thread_sees_what_was_written_while_this_one_reads_the_store_before(counted):
    with counted.reader() as old:
        write(counted, 1)
        assert elsewhere(read, counted) == 1
        write(counted, 2)
        assert elsewhere(read, Store(counted.path.parent / ".." / counted.path.parent.name / counted.path.name)) == 2
        assert number_in(old) == 0
    assert read(counted) == 2
    assert instances._SHARED == {}


def test_within_a_reader_all_is_of_one_state(counted):
    with counted.reader():
        write(counted, 1)
        assert read(counted) == 0
        with counted.reader() as inner:
            assert number_in(inner) == 0
            assert inner.execute("select current_setting('TimeZone')").fetchall() == [("UTC",)]
        write(counted, 2)
    with counted.reader() as newer:
        write(counted, 3)
        assert elsewhere(read, counted) == 3
        assert (number_in(newer), read(counted)) == (2, 2)


def test_an_apart_database_reads_as_the_shared_one_does(demo_store, tmp_path):
    path = tmp_path / "it's" / "demo.duckdb"
    path.parent.mkdir()
    path.write_bytes(demo_store.read_bytes())
    shared = pipeline.status(path), pipeline.signals(path), pipeline.explanations(path)
    with Store(path).reader():
        write(Store(path), 1)
        status, *rest = elsewhere(lambda: (pipeline.status(path), pipeline.signals(path), pipeline.explanations(path)))
    assert rest[0].equals(shared[1])
    assert rest[1] == shared[2]
    assert status["as_of"] == shared[0]["as_of"]


def test_a_store_that_cannot_be_opened_leaves_nothing_behind(counted):
    with counted.reader():
        counted.path.with_name("other").write_bytes(b"no store at all" * 1000)
        counted.path.with_name("other").replace(counted.path)
        with pytest.raises(StoreError):
            elsewhere(read, counted)
    with pytest.raises(StoreError):
        read(counted)
    assert instances._SHARED == {}


def test_no_reader_among_many_is_behind_what_was_written_before_it_opened(counted):
    written, stop, behind = [0], threading.Event(), []

    def reads(pause):
        n = 0
        while not stop.is_set():
            least = written[0]
            with counted.reader() as con:
                found = number_in(con)
                time.sleep(pause)  # some hold the store before for long
                if found < least or number_in(con) != found:
                    behind.append((found, least))
            n += 1
        return n

    with ThreadPoolExecutor(4) as pool:
        counts = [pool.submit(reads, pause) for pause in (0.0, 0.001, 0.05, 0.2)]
        for number in range(1, 13):
            write(counted, number)
            written[0] = number
        stop.set()
        assert min(count.result() for count in counts) > 2
    assert behind == []
    assert instances._SHARED == {}


def test_a_page_opens_a_store_once_and_reads_one_state(counted, monkeypatch):
    opened, plain = [], instances.connect
    monkeypatch.setattr(instances, "connect", lambda *given, **named: opened.append(given) or plain(*given, **named))
    with instances.kept_open():
        assert [read(counted), read(counted)] == [0, 0]
        assert len(opened) == 1
        write(counted, 1)
        assert (read(counted), elsewhere(read, counted)) == (0, 1)
    assert read(counted) == 1
    assert instances._SHARED == {}


def test_what_is_held_open_is_checked_once_and_not_by_who_only_asks_for_its_age(counted, monkeypatch):
    checked, plain = [], Store._check_current
    monkeypatch.setattr(Store, "_check_current", lambda self, con: checked.append(con) or plain(self, con))
    with instances.kept_open():
        assert not counted.is_old()
        assert [read(counted), read(counted)] == [0, 0]
        assert len(checked) == 1
    with counted.reader():
        read(counted)
    assert len(checked) == 2


def test_a_store_of_an_older_version_is_refused_also_where_it_is_held_open(counted):
    with counted.writer() as con:
        con.execute("update meta set value = '1' where key = 'schema_version'")
    with instances.kept_open():
        assert counted.is_old()
        for _ in range(2):
            with pytest.raises(StoreError, match="older version"):
                read(counted)


def test_what_a_page_keeps_is_closed_where_it_fails(counted):
    def page():
        with instances.kept_open():
            read(counted)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        page()
    assert instances._SHARED == {}
