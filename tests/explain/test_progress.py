"""Progress: steps are done, not yet, or cannot be told, as the days after a worsening show; on lines that followed the advice or did not."""

import json

import polars as pl
import pytest

from analysis import pipeline
from analysis.errors import UsageError
from analysis.explain.progress import progress_of
from analysis.settings import Settings
from tests.explain.builders import World
from tests.explain.planted import CAUSES, T, unhealthy
from tests.explain.recount import DAY, asks_of, opted_out
from tests.explain.stores import stored
from tests.sweep import SEEDS

END = T + 3


def after(world, day=T):
    """A World with nothing later than its worsening: what comes then is added by hand."""
    end = world.at(day)
    world.messages = [m for m in world.messages if m["at"] <= end]
    return world


def goes_on(world, seed, *, asks=40, chats=80, new=0, days=3, quiet=(), reply=0.6, failed=0.0):
    """Usual days from the worsening on, with chats left out and a share of failures."""
    world.random.seed(seed)
    known = [i for i in range(chats) if f"+1-c{i}" not in quiet]
    start = len(world.messages)
    for day in range(days):
        for _ in range(asks):
            at = T + day + 0.05 + 0.9 * world.random.random()
            world.ask("+1", f"+1-c{world.random.choice(known)}", at, reply, failed=world.random.random() < failed)
        for i in range(new):
            world.ask("+1", f"+1-later{start}-{day}-{i}", T + day + 0.05 + 0.9 * i / new, 0.5)
    return world


def judged(world, until=END, **settings):
    """The steps at the worsening, each with what the time until then shows, by its driver (and the first number it names)."""
    chosen = Settings(**settings)
    e = world.explain(**settings)[0]
    messages, chats, health, _, _ = world.frames()
    messages = messages.filter(pl.col("at") <= world.at(until))
    return progress_of(e, messages, chats, health, since=world.at(T), until=world.at(until), settings=chosen)


def step(world, *fields, until=END, **settings):
    (found,) = [a for a in judged(world, until, **settings) if set(fields) <= set(a)]
    return found


def lately(world, until=END):
    """Asks of the last day of the time after the worsening."""
    since = max(world.at(T), world.at(until) - DAY)
    return [a for a in asks_of(world, until=until) if a.first > since]


class TestFollowUps:
    def world(self, seed, *, paused):
        world = after(CAUSES["follow-ups"](seed))
        last = {a.chat: a for a in asks_of(world, until=T)}
        silent = {chat for chat, a in last.items() if not a.replied and a.streak + 1 >= 2}
        goes_on(world, seed, asks=10, quiet=silent, reply=1.0)
        if not paused:
            for i, chat in enumerate(sorted(silent)):
                world.message("+1", chat, END - 0.5 + i / 1000)
        return world

    @pytest.mark.parametrize("seed", SEEDS)
    def test_done_where_silent_chats_are_left_alone(self, seed):
        found = step(self.world(seed, paused=True), "share_of_missing")
        assert found["done"] is True
        assert found["since"] == "0 follow-ups after 2 unanswered in the last day."

    @pytest.mark.parametrize("seed", SEEDS)
    def test_not_where_they_go_on(self, seed):
        world = self.world(seed, paused=False)
        found = step(world, "share_of_missing")
        late = sum(a.streak >= 2 and a.kind != "answer" for a in lately(world))
        assert found["done"] is False
        assert late > 5
        assert found["since"] == f"{late} follow-ups after 2 unanswered in the last day."

    @pytest.mark.parametrize("paused", [True, False])
    def test_the_part_of_sends_to_chats_that_do_not_answer(self, paused):
        world = self.world(1, paused=paused)
        found = step(world, "share_after")
        own = [a for a in lately(world) if a.kind in ("touch", "followup")]
        cold = sum(a.streak >= 2 for a in own)
        if len(own) < 10:
            assert (found["done"], paused) == (None, True)
        else:
            assert found["done"] is paused
            assert found["since"].startswith(f"{cold} of {len(own)} own sends")

    @pytest.mark.parametrize("chats", ["at risk", "healthy"])
    @pytest.mark.parametrize("seed", SEEDS)
    def test_chats_at_risk_are_left_alone_or_not(self, seed, chats):
        world = after(unhealthy(seed))
        for i in range(20):
            world.message("+1", f"+1-c{i + (0 if chats == 'at risk' else 50)}", END - 0.9 + i / 40)
        found = step(world, "unhealthy_chats")
        answers = sum(a.kind == "answer" for a in lately(world))
        assert found["done"] is (chats == "healthy")
        assert found["since"].startswith("0 sends" if chats == "healthy" else f"{20 - answers} send")


class TestFailures:
    @pytest.mark.parametrize(("share", "done"), [(0.0, True), (0.2, False), (1.0, False)])
    @pytest.mark.parametrize("seed", SEEDS)
    def test_ended_or_not(self, seed, share, done):
        world = goes_on(after(CAUSES["deliverability"](seed)), seed, asks=100, chats=300, failed=share)
        found = step(world, "chats", "sends")
        asks = lately(world)
        failed = {m["message_id"] for m in world.messages if m["failed"]}
        bad = sum(set(a.ids) <= failed and not a.replied for a in asks)  # who answers was reached
        assert found["done"] is done
        assert found["since"].startswith(f"{bad or 0} of {len(asks)} sends failed")

    @pytest.mark.parametrize("seed", SEEDS)
    def test_silence_about_deliveries_is_no_end_of_failures(self, seed):
        world = after(CAUSES["deliverability"](seed))
        for i in range(60):
            world.message("+1", f"+1-c{i}", END - 0.9 + i / 80, receipt=False)
        found = step(world, "chats", "sends")
        assert found["done"] is False
        assert found["since"].startswith("60 of 60 sends failed or got no receipt")

    def test_too_few_sends_cannot_tell(self):
        world = goes_on(after(CAUSES["deliverability"](1)), 1, asks=2, chats=300)
        found = step(world, "chats", "sends")
        assert found["done"] is None
        assert found["since"].startswith("Only ")


class TestNewConversations:
    @pytest.mark.parametrize(("new", "done"), [(0, True), (3, True), (20, False)])
    @pytest.mark.parametrize("seed", SEEDS)
    def test_back_under_the_usual_or_not(self, seed, new, done):
        world = goes_on(after(CAUSES["new_conversations"](seed)), seed, new=new)
        found = step(world, "opened")
        opened = sum(a.kind == "new" for a in lately(world))
        assert found["done"] is done is (opened <= found["a_day"])
        assert found["since"] == f"{opened} new conversations in the last day."


class TestOptOuts:
    @pytest.mark.parametrize("seed", SEEDS)
    @pytest.mark.parametrize("sends", [0, 1, 4])
    def test_honoured_or_not(self, seed, sends):
        world = after(CAUSES["opt_outs"](seed))
        goes_on(world, seed, quiet={f"+1-c{20 + i}" for i in range(8)})
        for i in range(sends):
            world.message("+1", f"+1-c{20 + i}", T + 0.3 + i / 10)
        found = step(world, "people")
        since = [a for a in asks_of(world, until=END) if a.first > world.at(T)]
        assert sum(opted_out(world, a.chat, a.first) for a in since) == sends
        assert found["done"] is (sends == 0)
        assert found["since"] == f"{sends} send{'s' * (sends != 1)} to people who had opted out, in the 3 days since."


class TestVolume:
    @pytest.mark.parametrize(("asks", "done"), [(30, True), (200, False)])
    @pytest.mark.parametrize("seed", SEEDS)
    def test_recipients_back_to_the_usual_or_not(self, seed, asks, done):
        world = goes_on(after(CAUSES["recipient_spread"](seed)), seed, asks=asks, chats=500)
        found = step(world, "recipients")
        assert found["done"] is done
        asks = asks_of(world, until=END)

        def late(ask):
            """A follow-up after two unanswered in the last seven days."""
            earlier = [a for a in asks if a.chat == ask.chat and a.first < ask.first][-ask.streak :]
            return ask.kind == "followup" and sum(a.first >= ask.first - 7 * DAY for a in earlier) >= 2

        people = {a.chat for a in lately(world) if a.kind != "new" and not late(a)}
        assert found["since"] == f"{len(people)} recipients in known chats in the last day."

    @pytest.mark.parametrize(("asks", "done"), [(20, True), (200, False)])
    @pytest.mark.parametrize("seed", SEEDS)
    def test_sends_back_to_the_usual_or_not(self, seed, asks, done):
        world = goes_on(after(CAUSES["send_pace"](seed)), seed, asks=asks, chats=600)
        found = step(world, "a_day", "to_one_chat")
        sends = sum(len(a.ids) for a in lately(world) if a.kind in ("answer", "touch") or len(a.ids) >= 4)
        assert found["done"] is done
        assert found["since"] == f"{sends} sends in the last day, new conversations and follow-ups apart."

    @pytest.mark.parametrize(("run", "done"), [(3, True), (200, False)])
    @pytest.mark.parametrize("seed", SEEDS)
    def test_a_loop_ended_or_not(self, seed, run, done):
        world = goes_on(after(CAUSES["loop"](seed)), seed, asks=20, quiet={"+1-c0"})
        for i in range(run):
            world.message("+1", "+1-c0", END - 0.5 + i / 2000)
        found = step(world, "to_one_chat")
        assert found["done"] is done
        longest = max(len(a.ids) for a in lately(world))
        assert found["since"] == f"The longest run of sends to one chat in the last day has {longest}."

    @pytest.mark.parametrize(("asks", "done"), [(30, True), (300, False)])
    def test_all_messages_below_the_published_limit_or_not(self, asks, done):
        world = goes_on(after(CAUSES["loop"](1)), 1, asks=asks)
        found = step(world, "a_day", "sends", ref_messages_per_day=200)
        total = sum(world.at(END - 1) < m["at"] <= world.at(END) for m in world.messages)
        assert found["done"] is done is (total < 200)
        assert found["since"] == f"{total} messages in the last day."


class TestWhen:
    @pytest.mark.parametrize("cause", CAUSES)
    def test_too_early_to_say(self, cause):
        world = goes_on(after(CAUSES[cause](1)), 1)
        found = judged(world, until=T + 0.4)
        assert found
        assert {(a["done"], a["since"]) for a in found} == {(None, "Too early to say.")}

    @pytest.mark.parametrize("cause", CAUSES)
    def test_every_step_of_a_driver_is_judged_and_keeps_its_words(self, cause):
        world = goes_on(after(CAUSES[cause](2)), 2)
        e = world.explain()[0]
        found = judged(world)
        assert [a["action"] for a in found] == [a["action"] for a in e.actions if "driver" in a]
        assert all(a["done"] in (True, False, None) and a["since"].endswith(".") for a in found)

    @pytest.mark.parametrize("cause", CAUSES)
    def test_what_is_later_than_the_end_does_not_matter(self, cause):
        world = goes_on(after(CAUSES[cause](3)), 3)
        e = world.explain()[0]
        messages, chats, health, _, _ = world.frames()
        until = world.at(T + 1.5)
        cut = messages.filter(pl.col("at") <= until)
        times = {"since": world.at(T), "until": until, "settings": Settings()}
        whole = progress_of(e, messages, chats, health, **times)
        assert [(a["done"], a["since"]) for a in whole] == [
            (a["done"], a["since"]) for a in progress_of(e, cut, chats, health, **times)
        ]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A line with a burst at T, thirty openers a day for two days, then few, healthy again at T + 4, then many again."""
    patch = pytest.MonkeyPatch()
    patch.setenv("LINEHEALTH_KEY", "a key that only the tests use")
    world = after(CAUSES["new_conversations"](1))
    goes_on(world, 1, new=30, days=2)
    for day in (2, 3):
        world.ask("+1", f"+1-few{day}", T + day + 0.5)
    for i in range(40):
        world.ask("+1", f"+1-many{i}", T + 4.5 + i / 100)
    world.turn("+1", T + 4, "HEALTHY", "AT_RISK")
    path = stored(world, tmp_path_factory.mktemp("progress") / "s")
    patch.undo()
    return path


class TestOnAStore:
    def at(self, day):
        return World().at(day)

    @pytest.mark.parametrize(("day", "done"), [(T + 0.3, None), (T + 1.5, False), (T + 3.9, True)])
    def test_as_of_any_time(self, store, day, done):
        (found,) = [a for a in pipeline.progress(store, line="+1", until=self.at(day)) if "opened" in a]
        assert found["done"] is done

    def test_ends_with_the_return_to_health(self, store):
        (found,) = [a for a in pipeline.progress(store, line="+1") if "opened" in a]
        assert found["done"] is True
        (later,) = [a for a in pipeline.progress(store, line="+1", until=self.at(T + 5)) if "opened" in a]
        assert later["done"] is False

    def test_the_kind_of_the_change_can_be_named(self, store):
        (e,) = [e for e in pipeline.explanations(store, line="+1") if e.new != "HEALTHY"]
        plain = pipeline.progress(store, line="+1", at=e.at)
        assert plain == pipeline.progress(store, line="+1", at=e.at, kind="health")
        with pytest.raises(UsageError, match="no worsening"):
            pipeline.progress(store, line="+1", at=e.at, kind="status")

    def test_a_line_without_worsening_is_an_error(self, store):
        with pytest.raises(UsageError, match="progress: no worsening of this line here"):
            pipeline.progress(store, line="+2")
        with pytest.raises(UsageError, match="no worsening"):
            pipeline.progress(store, line="+1", at=self.at(T + 4))

    @pytest.fixture
    def run(self, store, command):
        return lambda *words: command("progress", *words, "--store", store)

    @pytest.mark.parametrize(("day", "mark"), [(T + 0.3, "[?]"), (T + 1.5, "[ ]"), (T + 3.9, "[x]")])
    def test_the_command_marks_each_step(self, store, run, day, mark):
        until = self.at(day).isoformat()
        code, out, _ = run("--line", "+1", "--until", until)
        assert code == 0
        for a in pipeline.progress(store, line="+1", until=until):
            assert f"{a['action']}\n    {a['since']}" in out
        (line,) = [row for row in out.splitlines() if "Open at most" in row]
        assert line.startswith(f"{mark} ")

    def test_json_is_what_python_gets(self, store, run):
        _, out, _ = run("--line", "+1", "--json")
        assert json.loads(out) == pipeline.progress(store, line="+1")

    def test_an_error_is_a_sentence(self, run):
        code, out, told = run("--line", "+2")
        assert (code, out, len(told.strip().splitlines())) == (2, "", 1)
        assert "no worsening of this line here" in told
