"""The loopback server over real HTTP: answers, faults, limits, keys, counts."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import httpx
import pytest
from simulated_worlds import classification, world

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.runtime.client.contract import Request
from pytest_mipro.simulated.client import SimulatedClient
from pytest_mipro.simulated.serving.faults import FaultPlan, Latency, RateLimit
from pytest_mipro.simulated.serving.server import serve

HERE = world(0)


def body(text="falamik", **more):
    messages = classification(HERE, HERE.instruction(), text, HERE.train[:2])
    listed = [{"role": message.role, "content": message.content} for message in messages]
    return {"model": "small", "messages": listed, "temperature": 0, **more}


def post(running, data=None, timeout=5.0, **headers):
    url = f"{running.url}/chat/completions"
    return httpx.post(url, json=data or body(), headers=headers, timeout=timeout, trust_env=False)


def test_it_answers_as_the_model_in_process_does():
    with serve() as running:
        answer = post(running, body(HERE.test[0][0])).json()
        stats = running.stats()
    messages = tuple(classification(HERE, HERE.instruction(), HERE.test[0][0], HERE.train[:2]))
    reply = asyncio.run(SimulatedClient().complete(Request("simulated/small", messages)))
    assert answer["choices"][0]["message"]["content"] == reply.text
    assert answer["usage"]["prompt_tokens"] == reply.usage.prompt_tokens
    assert answer["model"] == reply.model == "simulated/small"
    assert {name: stats[name] for name in ("prompt_tokens", "completion_tokens")} == {
        "prompt_tokens": reply.usage.prompt_tokens,
        "completion_tokens": reply.usage.completion_tokens,
    }


def test_sixty_four_calls_at_once_over_kept_connections():
    async def many(running):
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            url = f"{running.url}/chat/completions"
            calls = [client.post(url, json=body(f"falamik {n}")) for n in range(128)]
            return await asyncio.gather(*calls)

    with serve(latency=Latency(0.15)) as running:
        answers = asyncio.run(many(running))
        stats = running.stats()
    assert {answer.status_code for answer in answers} == {200}
    assert stats["calls"] == stats["answered"] == 128
    assert stats["max_in_flight"] >= 64
    assert 0.15 <= stats["busy_seconds"] < stats["call_seconds"]


def test_a_429_says_when_to_come_back_and_the_retry_succeeds():
    with serve(faults=FaultPlan({"429": 1.0}, most=1), retry_after=2) as running:
        first, second = post(running), post(running)
        assert (first.status_code, first.headers["retry-after"]) == (429, "2")
        assert second.status_code == 200
        assert running.stats()["faults"] == {"429": 1}


def test_a_500():
    with serve(faults=FaultPlan({"500": 1.0}, most=1)) as running:
        assert [post(running).status_code for _ in range(2)] == [500, 200]


def test_broken_json():
    with serve(faults=FaultPlan({"garbage": 1.0}, most=1)) as running:
        with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
            post(running).json()
        assert post(running).json()["object"] == "chat.completion"


def test_a_cut_connection():
    with serve(faults=FaultPlan({"cut": 1.0}, most=1)) as running:
        with pytest.raises(httpx.RemoteProtocolError):
            post(running)
        assert post(running).status_code == 200


def test_a_time_out():
    with serve(faults=FaultPlan({"timeout": 1.0}, most=1)) as running:
        with pytest.raises(httpx.ReadTimeout):
            post(running, timeout=0.2)
        assert post(running).status_code == 200


def test_faults_follow_seed_request_and_attempt_alone():
    plan = FaultPlan({"429": 0.2, "500": 0.2}, seed=1)
    drawn = [plan.fault(str(n), 0) for n in range(2000)]
    assert drawn == [plan.fault(str(n), 0) for n in range(2000)]
    assert 300 < drawn.count("429") < 500
    assert 300 < drawn.count("500") < 500
    assert drawn != [
        FaultPlan({"429": 0.2, "500": 0.2}, seed=2).fault(str(n), 0) for n in range(2000)
    ]
    assert all(plan.fault(str(n), plan.most) is None for n in range(200))


@pytest.mark.parametrize("rates", [{"418": 0.1}, {"429": -0.1}, {"429": 0.6, "500": 0.6}])
def test_a_wrong_fault_plan_is_refused(rates):
    with pytest.raises(ConfigurationError):
        FaultPlan(rates)


def test_a_key_is_required_where_one_is_set():
    with serve(api_key="right") as running:
        assert post(running).status_code == 401
        assert post(running, Authorization="Bearer wrong").status_code == 401
        assert post(running, Authorization="Bearer right").status_code == 200
        assert running.stats()["refused"] == 2


def test_the_rate_limit_refuses_what_comes_too_fast():
    with serve(requests_per_second=2) as running:
        answers = [post(running, body(f"n {n}")) for n in range(5)]
        codes = [answer.status_code for answer in answers]
        assert codes[:2] == [200, 200]
        assert 429 in codes[2:]
        assert 0 < float(answers[codes.index(429)].headers["retry-after"]) <= 0.5
        assert running.stats()["rate_limited"] == codes.count(429)


def test_the_rate_limit_lets_pass_what_it_promised():
    limit = RateLimit(2.0)
    assert [limit.wait(0.0), limit.wait(0.0)] == [0.0, 0.0]
    assert limit.wait(0.0) == pytest.approx(0.5)
    assert limit.wait(0.5) == 0.0
    assert limit.wait(0.6) == pytest.approx(0.4)


def test_latency_is_lognormal_and_repeatable():
    latency = Latency(0.1, 0.5)
    drawn = sorted(latency.seconds(str(n)) for n in range(999))
    assert drawn[499] == pytest.approx(0.1, rel=0.1)
    assert drawn[840] == pytest.approx(0.1 * 2.718**0.5, rel=0.15)
    assert latency.seconds("5") == latency.seconds("5")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"model": "huge", "messages": [{"role": "user", "content": "x"}]}, 404),
        ({"model": "small"}, 400),
        ({"model": "small", "messages": [{"role": "ghost", "content": "x"}]}, 400),
        ({"model": "small", "messages": [{"role": "user"}]}, 400),
        ({"model": "small", "messages": [], "stream": True}, 400),
    ],
)
def test_bad_requests_are_named(data, status):
    with serve() as running:
        answer = post(running, data)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


def test_models_and_unknown_paths():
    with serve() as running:
        listed = httpx.get(f"{running.url}/models", trust_env=False).json()
        assert "simulated/small" in [model["id"] for model in listed["data"]]
        assert httpx.get(f"{running.url}/nothing", trust_env=False).status_code == 404


def test_repeats_are_further_samples_only_where_asked():
    hot = body("bubu", temperature=1.5)
    hot["messages"][0]["content"] = (
        "Sort.\n\nReply with exactly one of these values:\n- Q1\n- Q2\n- Q3"
    )
    contents = {}
    for vary in (False, True):
        with serve(vary_repeats=vary) as running:
            answers = [post(running, hot).json() for _ in range(12)]
            contents[vary] = {a["choices"][0]["message"]["content"] for a in answers}
    assert len(contents[False]) == 1
    assert len(contents[True]) > 1


def test_the_command_prints_its_url_and_serves():
    command = [sys.executable, "-m", "pytest_mipro.simulated", "--port", "0", "--fault", "500=1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().strip()
            first = httpx.post(f"{url}/chat/completions", json=body(), trust_env=False)
            assert first.status_code == 500
            root = url.removesuffix("/v1")
            assert httpx.get(f"{root}/stats", trust_env=False).json()["faults"] == {"500": 1}
        finally:
            process.terminate()


def test_the_command_refuses_an_unknown_fault():
    command = [sys.executable, "-m", "pytest_mipro.simulated", "--fault", "418=1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "unknown fault '418'" in done.stderr
