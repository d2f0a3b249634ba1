"""Lines of one planted cause each, all with a worsening at T: name in, World out."""

from __future__ import annotations

from collections.abc import Callable

from tests.explain.builders import World

T = 41.1


def up_to(world: World, day: float = T) -> World:
    """Leave out what is later."""
    end = world.at(day)
    world.messages = [m for m in world.messages if m["at"] <= end]
    return world


def fall(seed: int) -> World:
    return World(seed).steady(change=lambda day: {"reply": 0.1} if day >= 38 else {}).turn("+1", T)


def nagging(seed: int) -> World:
    """Forty chats get six sends each in two days, whatever they answer."""
    world = World(seed).steady()
    for chat in range(40):
        for i in range(6):
            world.message("+1", f"+1-c{chat}", 39 + i * 0.35 + chat / 300)
    return up_to(world).turn("+1", T)


def burst(seed: int) -> World:
    return World(seed).steady().burst("+1", 40.4, 70).turn("+1", T)


def blast(seed: int) -> World:
    world = World(seed).steady(chats=500)
    return world.burst("+1", 40.4, 300, new=False, hours=4, reply=0.05, chats=500).turn("+1", T)


def pace(seed: int) -> World:
    """Five times the usual sends for three days, of which a third is answered."""
    world = World(seed)
    for i in range(600):
        world.message("+1", f"+1-c{i}", i / 600, "inbound")
    world.steady(chats=600, change=lambda day: {"asks": 200, "reply": 0.35} if day >= 38 else {})
    return world.turn("+1", T)


def loop(seed: int) -> World:
    return World(seed).steady().burst("+1", 40.4, 400, new=False, hours=4, reply=0, chats=1).turn("+1", T)


def failures(seed: int) -> World:
    world = World(seed).steady(asks=100, chats=300)
    for i in range(60):
        world.message("+1", f"+1-c{i % 40}", 40.4 + i / 240, failed=True)
    return world.turn("+1", T)


def opt_outs(seed: int) -> World:
    """Eight people have opted out long ago, and each gets three sends."""
    world = World(seed).steady()
    for i in range(8):
        world.opt_out(f"+1-c{20 + i}", 30)
        for k in range(3):
            world.message("+1", f"+1-c{20 + i}", 40.3 + i / 50 + k * 0.2)
    return world.turn("+1", T)


def nothing(seed: int) -> World:
    return World(seed).steady().turn("+1", T)


Plant = Callable[[int], World]
CAUSES: dict[str, Plant] = {
    "engagement": fall,
    "follow-ups": nagging,
    "new_conversations": burst,
    "recipient_spread": blast,
    "send_pace": pace,
    "loop": loop,
    "deliverability": failures,
    "opt_outs": opt_outs,
}


def unhealthy(seed: int) -> World:
    """Replies are as usual, but 48 of 80 chats are told to be at risk."""
    world = World(seed).steady()
    for i in range(80):
        ill = i < 48
        at = world.at(39 if ill else 2)
        world.health.append({"chat_id": f"+1-c{i}", "at": at, "health": "AT_RISK" if ill else "HEALTHY"})
    return world.turn("+1", T)


def wave(seed: int) -> World:
    """25 people opt out in a day, and get nothing after it."""
    world = World(seed).steady()
    left = {f"+1-c{i}": 40 + i / 40 for i in range(25)}
    for chat, day in left.items():
        world.opt_out(chat, day)
    world.messages = [m for m in world.messages if m["at"] < world.at(left.get(m["chat_id"], 99) - 0.01)]
    return world.turn("+1", T)


def flagged(seed: int) -> World:
    return World(seed).steady().turn("+1", T - 0.5, "FLAGGED", "ACTIVE", kind="status").turn("+1", T)
