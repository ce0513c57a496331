"""The conversation: append-only, and what happens when it grows too long."""

from __future__ import annotations

from codeact_kernel.agent import prompt
from codeact_kernel.agent.context import Conversation, high_water
from codeact_kernel.agent.observe import show, stub
from codeact_kernel.trace.values import Delta, Image, Status, Usage, Variable


def talk(steps: int, words: int = 700) -> Conversation:
    """A conversation of some steps with long outputs."""
    made = Conversation(system="Be brief.")
    made.tell("Task")
    for number in range(1, steps + 1):
        made.messages()
        made.hear(f"reply {number}", Usage())
        made.tell(f"[step {number}/9: ok]\n" + "word " * words, stub=stub(number))
    return made


def test_what_is_told_before_a_question_is_one_message() -> None:
    """Roles alternate however much there is to say."""
    made = Conversation(system="s")
    made.tell("a")
    made.tell("b", images=(Image(mime="image/png", data="x"),))
    assert [message.text for message in made.messages()] == ["s", "a\n\nb"]
    assert made.messages()[1].images == (Image(mime="image/png", data="x"),)


def test_an_unanswered_message_is_extended() -> None:
    """After a failed question the next words join the same message."""
    made = Conversation(system="s")
    made.tell("a")
    made.messages()
    made.tell("b")
    assert [message.text for message in made.messages()] == ["s", "a\n\nb"]


def test_an_empty_reply_keeps_its_turn() -> None:
    """Providers refuse empty turns, and roles must alternate."""
    made = Conversation(system="s")
    made.tell("a")
    made.messages()
    made.hear("  ", Usage())
    made.tell("b")
    assert [message.role for message in made.messages()] == ["system", "user", "assistant", "user"]
    assert made.messages()[2].text == "-"


def test_room_is_made_in_one_batch_and_stays() -> None:
    """All old observations go at once, the newest stay, and it is stable afterwards."""
    made = talk(12)
    before = made.messages()
    assert made.make_room()
    after = made.messages()
    stubs = [n for n, message in enumerate(after) if "output removed" in message.text]
    assert len(stubs) == 7
    assert after[-1] == before[-1]
    assert [message.role for message in after] == [message.role for message in before]
    assert not made.make_room()
    made.hear("more", Usage())
    made.tell("next", stub="[stub]")
    assert made.messages()[: len(after)] == after


def test_room_that_gains_nothing_is_not_made() -> None:
    """Breaking the cache for a few words costs more than it saves."""
    made = talk(12, words=5)
    before = made.messages()
    assert not made.make_room()
    assert made.messages() == before


def test_a_users_words_outlive_the_stub() -> None:
    """What a person said together with an old observation is never removed."""
    made = Conversation(system="s")
    made.tell("output " * 500, stub="[stub]")
    made.tell("Now in blue, please.")
    made.messages()
    made.hear("ok", Usage())
    made.tell("x")
    assert made.make_room(keep=0)
    assert made.messages()[1].text == "[stub]\n\nNow in blue, please."


def test_the_length_is_anchored_on_what_the_provider_counted() -> None:
    """Estimates are only for what came after the last count."""
    made = talk(3)
    made.messages()
    made.hear("ok", Usage(input_tokens=5000, output_tokens=10))
    made.tell("x" * 35)
    assert 5010 < made.tokens() < 5030


def test_the_high_water_mark() -> None:
    """60 % of the window, at most 100k, and careful when nobody knows."""
    assert high_water(20_000) == 12_000
    assert high_water(1_000_000) == 100_000
    assert high_water(None) == 19_200


def test_fifty_trivial_steps_stay_cheap() -> None:
    """51 steps of one line each send at most 100,000 tokens in all (4 characters each)."""
    made = Conversation(system=prompt.system())
    made.tell(prompt.opening("Count to fifty.", {}, (), 60))
    sent = 0
    for number in range(1, 52):
        sent += sum(len(message.text) for message in made.messages())
        made.hear(f"Next number.\n\n<execute>\nx = {number}\nx\n</execute>", Usage())
        delta = Delta(changed={"x": Variable(type="int", preview=str(number))})
        result = {"output_type": "execute_result", "data": {"text/plain": str(number)}}
        shown = show(
            number=number,
            of=60,
            status=Status.OK,
            reason="",
            outputs=(result,),
            delta=delta,
            sees=False,
        )
        made.tell(shown.text, stub=stub(number))
    assert sent / 4 < 100_000


def test_a_conversation_can_be_cut_before_a_step() -> None:
    """Before step 2 there is what step 1 brought and not what was asked; numbers are not used twice."""
    made = Conversation(system="s")
    made.tell("Task")
    for number in (1, 2, 3):
        assert made.begin() == number
        made.messages()
        made.hear(f"reply {number}", Usage(input_tokens=9, output_tokens=1))
        made.tell(f"observation {number}")
    cut = made.before(2)
    assert [m.text for m in cut.messages()] == ["s", "Task", "reply 1", "observation 1"]
    assert (cut.taken, cut.steps, cut.begin()) == ((1,), 3, 4)
    assert made.before().messages() == made.messages()
    assert made.taken == (1, 2, 3)
    made.begin()
    made.give_up()
    assert (made.taken, made.steps) == ((1, 2, 3), 3)
