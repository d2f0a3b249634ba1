"""A copy holds what the file holds, whatever the system can do."""

import errno
import os

import pytest

from analysis.store.copying import copied


def _missing(*_):
    raise OSError(errno.EXDEV, "Invalid cross-device link")


def _none(*_):
    return 0


_WHOLE = getattr(os, "copy_file_range", None)


def _short(here, there, count):
    return _WHOLE(here, there, min(count, 1_000))


@pytest.mark.parametrize("system", [None, _missing, _none, _short, AttributeError])
def test_a_copy_holds_what_the_file_holds(tmp_path, monkeypatch, system):
    source, target, what = tmp_path / "a", tmp_path / "b", os.urandom(70_001)
    source.write_bytes(what)
    target.write_bytes(b"what was there before" * 10_000)
    if system is _short and _WHOLE is None:
        pytest.skip("this system has none")
    if system is AttributeError:
        monkeypatch.delattr(os, "copy_file_range", raising=False)
    elif system:
        monkeypatch.setattr(os, "copy_file_range", system, raising=False)
    copied(source, target)
    assert target.read_bytes() == source.read_bytes() == what


def test_a_copy_that_cannot_be_made_is_an_error_of_the_system(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        copied(tmp_path / "none", tmp_path / "b")
