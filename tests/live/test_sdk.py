"""The vendor's own SDK (linq-python) talks to the fake and accepts every answer, so that what the other tests rest on is the vendor's API."""

import asyncio

import httpx
import linq
import pytest

from tests.live import fake_linq
from tests.live.fake_linq import KEY, Fake, Faults


def using(fake: Fake, work, *, key: str = KEY, retries: int = 0):
    """Run work with an SDK client of the fake that validates every answer."""

    async def go():
        http = httpx.AsyncClient(transport=httpx.ASGITransport(fake.app))
        async with linq.AsyncLinqAPIV3(
            api_key=key, base_url="https://fake.example/api/partner", http_client=http, max_retries=retries,
            _strict_response_validation=True,
        ) as client:  # fmt: skip
            return await work(client)

    return asyncio.run(go())


def test_lines_chats_and_messages_page_by_page():
    made = fake_linq.world(4)
    fake = Fake(made)

    async def work(client):
        lines = (await client.phone_numbers.list()).phone_numbers
        chats = [c for line in lines async for c in client.chats.list_chats(from_=line.phone_number, limit=5)]
        messages = [m for chat in chats async for m in client.chats.messages.list(chat.id, limit=5)]
        one = await client.chats.retrieve(chats[0].id)
        return lines, chats, messages, one

    lines, chats, messages, one = using(fake, work)
    assert [x.phone_number for x in lines] == [x["phone_number"] for x in made.lines]
    assert [c.id for c in chats] == [c["id"] for cs in made.chats.values() for c in cs]
    assert [m.id for m in messages] == [m["id"] for c in chats for m in made.messages[c.id]]
    assert {type(p).__name__ for m in messages for p in m.parts or []} == {"TextPartResponse"}
    assert one == chats[0]
    assert len([c for c in fake.calls if c.endswith("/chats")]) == 6


def test_an_audit_from_asking_to_cooldown():
    fake = Fake(fake_linq.world(4))
    line, other = (x["phone_number"] for x in fake.world.lines)

    async def work(client):
        begun = await client.phone_numbers.start_reputation_audit(line)
        again = await client.phone_numbers.start_reputation_audit(line)
        first = await client.phone_numbers.get_reputation_audit(begun.audit_id, phone_number=line)
        with pytest.raises(linq.NotFoundError):
            await client.phone_numbers.get_reputation_audit(begun.audit_id, phone_number=other)
        done = await client.phone_numbers.get_reputation_audit(begun.audit_id, phone_number=line)
        with pytest.raises(linq.RateLimitError) as late:
            await client.phone_numbers.start_reputation_audit(line)
        return begun, again, first, done, late.value

    begun, again, first, done, late = using(fake, work)
    assert begun.audit_id == again.audit_id
    assert (begun.status, first.status, done.status) == ("pending", "pending", "complete")
    assert done.report.drivers[0].key == "new_conversation_rate"
    assert late.response.headers["Retry-After"] == str(late.response.json()["error"]["retry_after"])
    assert begun.audit_id not in late.response.text


def test_errors_are_those_of_the_vendor():
    fake = Fake(fake_linq.world(4))
    for key, forbidden, error, code in (("no", False, linq.AuthenticationError, 2004), (KEY, True, linq.PermissionDeniedError, 2005)):  # fmt: skip
        fake.forbidden = forbidden
        with pytest.raises(error) as told:
            using(fake, lambda client: client.phone_numbers.list(), key=key)
        assert told.value.response.json()["error"]["code"] == code
    fake.forbidden = False
    with pytest.raises(linq.BadRequestError):
        using(fake, lambda client: _all(client.chats.list_chats(from_="+14155550000", limit=101)))
    with pytest.raises(linq.NotFoundError):
        using(fake, lambda client: client.chats.retrieve("no-such-chat"))


async def _all(pages):
    return [row async for row in pages]


def test_the_sdk_gets_through_the_faults_too():
    fake = Fake(fake_linq.world(4), Faults(1, limited=0.2, broken=0.2))
    chats = using(fake, lambda client: _all(client.chats.list_chats(from_="+14155550000", limit=100)), retries=9)
    assert len(chats) == 14


def test_rows_have_the_fields_of_the_vendors_examples(examples):
    made = fake_linq.world(4)
    told = {e["n"]: e["body"] for e in examples if e["n"] in (1, 3, 4)}
    line, chat = next(iter(made.lines)), next(iter(made.chats.values()))[0]
    pairs = [
        (line, told[1]["phone_numbers"][0]),
        (chat, told[3]["chats"][0]),
        (chat["handles"][0], told[3]["chats"][0]["handles"][0]),
        (chat["health_status"], told[3]["chats"][0]["health_status"]),
        (made.messages[chat["id"]][0], told[4]["messages"][0]),
    ]
    for ours, theirs in pairs:
        assert set(ours) == set(theirs)
