"""The vendor's test vector and every one-bit change of it; rotation; the older header only where only that is sent."""

import base64
from datetime import UTC, datetime

import pytest
from standardwebhooks import webhooks as library

from analysis.errors import UsageError
from analysis.serve import signature
from analysis.serve.signature import Signatures, secrets_of

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
AT = 1789584120
BODY = b'{"event_type":"phone_number.status_updated"}'
NEW = {
    "webhook-id": "msg_test_1",
    "webhook-timestamp": str(AT),
    "webhook-signature": "v1,sIFU/2Ouc/2uClGjha/bRU/dDTDlne5k++U2kVSwL6c=",
}
OLD = {
    "x-webhook-event": "phone_number.status_updated",
    "x-webhook-timestamp": str(AT),
    "x-webhook-signature": "5663a17eef304464ba5b91be5e3f45630ef7dae5710918b5241fb6bf10dae063",
}
OTHER = "whsec_" + base64.b64encode(b"another secret of 24 byte").decode()


@pytest.fixture
def clock(monkeypatch):
    """Set the time that both schemes see; the vector's own at first."""

    def _set(seconds: float) -> None:
        class Clock(datetime):
            @classmethod
            def now(cls, tz=None):
                return datetime.fromtimestamp(AT + seconds, tz or UTC)

        monkeypatch.setattr(library, "datetime", Clock)
        monkeypatch.setattr(signature.time, "time", lambda: float(AT + seconds))

    _set(0)
    return _set


def flipped(text: str):
    """Every text that differs in one bit."""
    raw = text.encode()
    for place in range(len(raw)):
        for bit in range(8):
            yield (raw[:place] + bytes([raw[place] ^ 1 << bit]) + raw[place + 1 :]).decode("latin-1")


def verdict(headers, body=BODY, secrets=(SECRET,)):
    return Signatures(list(secrets)).verify(headers, body)


def test_the_vendors_vector_passes_in_both_schemes(clock):
    assert verdict(NEW).scheme == "standard"
    assert verdict(OLD).scheme == "legacy"


@pytest.mark.parametrize("headers", [NEW, OLD], ids=["standard", "legacy"])
def test_no_bit_of_a_signed_delivery_can_be_changed(clock, headers):
    checks = Signatures([SECRET])
    signed = [name for name in headers if name != "x-webhook-event"]  # that header is not signed, and not read
    for name in signed:
        for value in flipped(headers[name]):
            assert checks.verify(headers | {name: value}, BODY).refused == "signature", (name, value)
    for place in range(len(BODY)):
        for bit in range(8):
            body = BODY[:place] + bytes([BODY[place] ^ 1 << bit]) + BODY[place + 1 :]
            assert checks.verify(headers, body).refused == "signature", (place, bit)


@pytest.mark.parametrize("headers", [NEW, OLD], ids=["standard", "legacy"])
@pytest.mark.parametrize(("seconds", "refused"), [(299, ""), (-299, ""), (302, "stale"), (-302, "stale")])
def test_a_delivery_is_fresh_for_300_seconds_either_way(clock, headers, seconds, refused):
    clock(seconds)
    assert verdict(headers).refused == refused


@pytest.mark.parametrize("headers", [NEW, OLD], ids=["standard", "legacy"])
def test_only_what_was_truly_signed_is_called_stale(clock, headers):
    clock(1000)
    assert verdict(headers, BODY + b" ").refused == "signature"
    assert verdict(headers, secrets=[OTHER]).refused == "signature"


@pytest.mark.parametrize("headers", [NEW, OLD], ids=["standard", "legacy"])
def test_during_a_rotation_the_old_and_the_new_secret_count(clock, headers):
    assert verdict(headers, secrets=[OTHER]).refused == "signature"
    for secrets in ([OTHER, SECRET], [SECRET, OTHER]):
        assert not verdict(headers, secrets=secrets).refused


def test_the_old_header_does_not_help_out_a_wrong_new_one(clock):
    assert verdict(NEW | OLD).scheme == "standard"
    assert verdict(OLD | NEW | {"webhook-signature": "v1,AAAA"}).refused == "signature"
    for name in NEW:
        assert verdict(OLD | {name: NEW[name]}).refused == "unsigned"


def test_one_right_signature_of_several_passes_and_other_versions_do_not(clock):
    right = NEW["webhook-signature"]
    for several in (f"v1,AAAA {right}", f"v1a,xx {right}", f"nonsense {right} v1,"):
        assert not verdict(NEW | {"webhook-signature": several}).refused, several
    assert verdict(NEW | {"webhook-signature": right.replace("v1,", "v2,")}).refused == "signature"


def test_the_same_bytes_written_in_another_way_are_no_signature(clock):
    right = NEW["webhook-signature"]
    for other in ("d=", "e=", "f="):  # bits that base64 leaves unused
        assert base64.b64decode(right[3:-2] + other) == base64.b64decode(right[3:])
        assert verdict(NEW | {"webhook-signature": right[:-2] + other}).refused == "signature"


@pytest.mark.parametrize("left_out", [*NEW])
def test_a_missing_or_empty_header_is_unsigned(clock, left_out):
    assert verdict({k: v for k, v in NEW.items() if k != left_out}).refused == "unsigned"
    assert verdict(NEW | {left_out: ""}).refused == "unsigned"
    assert verdict({}).refused == "unsigned"


def test_a_repeat_has_the_same_name_and_another_delivery_has_not(clock):
    assert verdict(NEW).key == verdict(dict(NEW)).key
    assert verdict(NEW).key != verdict(OLD).key


def test_secrets_are_words_of_one_variable_and_a_wrong_one_is_told_without_its_value():
    assert secrets_of({"LINQ_WEBHOOK_SECRET": f" {SECRET}\n{OTHER} "}) == [SECRET, OTHER]
    with pytest.raises(UsageError, match=r"no signing secret in \$LINQ_WEBHOOK_SECRET"):
        Signatures([])
    for wrong in ("whsec_", "whsec_a"):
        with pytest.raises(UsageError, match="is no signing secret") as told:
            Signatures([SECRET, wrong])
        assert SECRET not in str(told.value)
