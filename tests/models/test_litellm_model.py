"""The litellm adapter against a real server on this machine; no provider is called."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from codeact_kernel.agent.ask import ask
from codeact_kernel.agent.ports import Chunk, Finished
from codeact_kernel.errors import (
    ContextOverflow,
    MissingKey,
    ModelError,
    Refused,
    StreamCut,
    UnknownModel,
    Unreachable,
)
from codeact_kernel.models.choose import open_model
from codeact_kernel.models.litellm_model import LiteLLMModel
from codeact_kernel.models.loading import load
from codeact_kernel.trace.values import Image, Message, Trace
from tests.fakes import FakeClock
from tests.models.server import Fail, Say, Server, serving

pytestmark = [
    # litellm walks over all attributes of its pydantic models, deprecated ones too
    pytest.mark.filterwarnings("ignore:Accessing the 'model_"),
    # its client for a loop that is gone is closed by the garbage collector
    pytest.mark.filterwarnings("ignore:.*[Uu]nclosed.*:ResourceWarning"),
]

ASKED = (Message(role="system", text="Be brief."), Message(role="user", text="Hello?"))


@pytest.fixture(autouse=True)
async def _clients() -> AsyncIterator[None]:
    """litellm keeps its clients per event loop; each test has its own."""
    yield
    await load().close_litellm_async_clients()


def at(server: Server, name: str = "openai/served", silence: float = 20.0) -> LiteLLMModel:
    """The model at that server."""
    return LiteLLMModel(name, api_base=server.address, silence=silence)


async def read(model: LiteLLMModel) -> tuple[str, Finished]:
    """The whole reply."""
    pieces = [piece async for piece in model.stream(ASKED)]
    *chunks, last = pieces
    assert isinstance(last, Finished)
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, Chunk)), last


async def error_of(model: LiteLLMModel) -> ModelError:
    """The error the reply ends with."""
    with pytest.raises(ModelError) as caught:
        await read(model)
    return caught.value


async def test_a_reply_streams_with_its_usage() -> None:
    """Chunks come as the server sends them; usage is the server's; an unknown price is None."""
    usage = {
        "prompt_tokens": 1200,
        "completion_tokens": 7,
        "total_tokens": 1207,
        "prompt_tokens_details": {"cached_tokens": 1000},
    }
    async with serving(Say(text="four and four", usage=usage)) as server:
        text, last = await read(at(server))
    assert text == "four and four"
    assert (last.usage.input_tokens, last.usage.output_tokens) == (1200, 7)
    assert last.usage.cached_tokens == 1000
    assert last.usage.cost is None
    assert not last.usage.estimated
    assert last.model == "openai/served"


async def test_a_known_model_has_a_price_and_a_window() -> None:
    """Cost, window and eyes come from litellm's table, the user's settings go before it."""
    async with serving(Say()) as server:
        model = at(server, "openai/gpt-4o-mini")
        _, last = await read(model)
        assert last.usage.cost == pytest.approx(12 * 0.15e-6 + 3 * 0.6e-6)
        assert (model.window, model.sees) == (128_000, True)
        set_by_user = LiteLLMModel("openai/gpt-4o-mini", api_base="http://x", window=5, sees=False)
        assert (set_by_user.window, set_by_user.sees) == (5, False)


async def test_no_usage_is_estimated_and_said() -> None:
    """A server that sends no usage: tokens are counted here and marked as estimated."""
    async with serving(Say(usage=None)) as server:
        _, last = await read(at(server))
    assert last.usage.estimated
    assert last.usage.input_tokens > 0


async def test_the_request_is_one_plain_question() -> None:
    """Roles and images arrive as OpenAI has them; no retry, no stop, no foreign key."""
    shown = Message(role="user", text="See.", images=(Image(mime="image/png", data="AAAA\n"),))
    async with serving(Say()) as server:
        model = at(server)
        assert [piece async for piece in model.stream((ASKED[0], shown))]
    request = server.requests[0]
    assert request["messages"] == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "See."},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            ],
        },
    ]
    assert "stop" not in request
    assert server.headers[0]["authorization"] == "Bearer none"


async def test_a_bare_name_is_a_model_of_the_given_server() -> None:
    """With an address a name needs no provider."""
    async with serving(Say()) as server:
        text, last = await read(at(server, "my-model"))
    assert (text, last.model) == ("hello", "my-model")
    assert server.requests[0]["model"] == "my-model"


@pytest.mark.parametrize(
    ("fail", "kind", "retryable", "words"),
    [
        (Fail(status=401, message="Incorrect key sk-abcdefghijk"), Refused, False, "key was not"),
        (Fail(status=403), Refused, False, "may not use this model"),
        (
            Fail(status=404, message="no such model"),
            UnknownModel,
            False,
            "does not know this model",
        ),
        (Fail(status=422), Refused, False, "could not read the request"),
        (Fail(status=429), Refused, True, "too many requests"),
        (Fail(status=429, message="You exceeded your current quota."), Refused, False, "quota"),
        (Fail(status=500), Refused, True, "problem of its own"),
        (Fail(status=503, kind="invalid_request_error"), Refused, True, "503"),
        (Fail(status=529), Refused, True, "overloaded"),
        (
            Fail(
                status=400, message="maximum context length is 8192", code="context_length_exceeded"
            ),
            ContextOverflow,
            False,
            "longer than",
        ),
    ],
)
async def test_an_error_status_is_one_sentence(
    fail: Fail, kind: type[ModelError], retryable: bool, words: str
) -> None:
    """Each status is translated by the one table; asked once; no key in the sentence."""
    async with serving(fail) as server:
        error = await error_of(at(server))
    assert type(error) is kind
    assert error.retryable is retryable
    assert words in str(error)
    assert "sk-abc" not in str(error)
    assert "\n" not in str(error)
    assert len(server.requests) == 1


async def test_429_then_success_waits_as_long_as_told() -> None:
    """The retry loop asks again after the provider's retry-after, and says so."""
    clock, said = FakeClock(), list[str]()
    async with serving(
        Fail(status=429, headers={"retry-after": "7"}), Fail(status=500), Say(text="at last")
    ) as server:
        answered = await ask(
            at(server), ASKED, clock=clock, grew=lambda shown: None, waited=said.append
        )
    assert answered.reply.text == "at last"
    assert clock.slept[0] == 7.0
    assert 3.0 <= clock.slept[1] <= 5.0
    assert "Trying again in 7 s (try 2 of 5)" in said[0]


async def test_refused_connection_says_where_to_look() -> None:
    """Nobody at the address: one sentence with the address, at once, not worth retrying."""
    error = await error_of(LiteLLMModel("openai/x", api_base="http://127.0.0.1:9/v1"))
    assert type(error) is Unreachable
    assert not error.retryable
    assert "http://127.0.0.1:9/v1" in str(error)


@pytest.mark.parametrize("then", ["cut", "stop"])
async def test_a_cut_stream_is_told_apart_from_an_end(then: str) -> None:
    """A connection that breaks, or ends without a finish reason, is no complete reply."""
    async with serving(Say(text="half of it", then=then)) as server:
        error = await error_of(at(server))
    assert type(error) is StreamCut


async def test_something_else_at_the_address_is_said() -> None:
    """A server that is no model server: the sentence says what the address should be."""
    async with serving(Say(text="", then="stop")) as server:
        error = await error_of(at(server))
    assert type(error) is Unreachable
    assert "OpenAI-compatible" in str(error)


async def test_a_cut_stream_is_asked_for_once_more() -> None:
    """The part that came is thrown away, the question is asked again, and that is said."""
    said: list[str] = []
    async with serving(Say(text="half", then="cut"), Say(text="whole")) as server:
        answered = await ask(
            at(server), ASKED, clock=FakeClock(), grew=lambda shown: None, waited=said.append
        )
    assert answered.reply.text == "whole"
    assert "thrown away" in said[0]


async def test_the_output_limit_is_told() -> None:
    """finish_reason "length" means the reply must not be run."""
    async with serving(Say(then="length")) as server:
        _, last = await read(at(server))
    assert last.truncated


async def test_a_reply_in_pieces_without_end_is_given_up() -> None:
    """What has to be kept is bounded; the provider is stopped, and asking again is not offered."""
    async with serving(Say(text="word " * 100, then="stall")) as server:
        model = LiteLLMModel("openai/served", api_base=server.address, pieces=20)
        error = await error_of(model)
        assert "more than 20 pieces" in str(error)
        assert not error.retryable
        await asyncio.wait_for(server.hung_up.wait(), 10)


async def test_silence_is_an_error() -> None:
    """A provider that says nothing for too long is given up."""
    async with serving(Say(text="", then="stall")) as server:
        error = await error_of(at(server, silence=0.3))
    assert type(error) is Unreachable
    assert error.retryable


@pytest.mark.parametrize("text", ["", "some words"])
async def test_cancelling_closes_the_connection_at_once(text: str) -> None:
    """The provider sees the hang-up when the reading task is cancelled, also before the first word."""
    async with serving(Say(text=text, then="stall")) as server:
        task = asyncio.create_task(read(at(server)))
        await asyncio.wait_for(server.streaming.wait(), 20)
        await asyncio.sleep(0.05)
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.hung_up.wait(), 5)
        assert time.monotonic() - began < 1.0


async def test_a_provider_nobody_knows() -> None:
    """An unknown provider is said before anything is sent, with what to write instead."""
    with pytest.raises(UnknownModel, match="provider/model"):
        await LiteLLMModel("nobody/x").prepare()


def test_a_missing_key_names_its_variable(tmp_path: Path) -> None:
    """No key: the sentence names the variable to set. Asked of a process that has none."""
    code = (
        "import asyncio\n"
        "from codeact_kernel.errors import MissingKey\n"
        "from codeact_kernel.models.litellm_model import LiteLLMModel\n"
        "try: asyncio.run(LiteLLMModel('anthropic/claude-sonnet-4-6').prepare())\n"
        "except MissingKey as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        env={"HOME": str(tmp_path)},
    )
    assert "Set ANTHROPIC_API_KEY" in done.stdout
    assert done.stderr == ""
    assert MissingKey.__name__ not in done.stdout


def test_choosing_a_model_imports_no_litellm() -> None:
    """Naming a model, replay or live, is cheap: litellm comes with the first question."""
    code = (
        "import sys\n"
        "from codeact_kernel.models.choose import open_model\n"
        "from codeact_kernel.trace.values import Trace\n"
        "open_model('anthropic/x', load_trace=lambda path: Trace())\n"
        "open_model('replay/x', load_trace=lambda path: Trace())\n"
        "assert not {'litellm', 'IPython', 'pyflakes'} & set(sys.modules), 'imported'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_no_name_is_said() -> None:
    """Without a model the sentence tells the three places to name one."""
    with pytest.raises(UnknownModel, match="--model"):
        open_model("", load_trace=lambda path: Trace())
