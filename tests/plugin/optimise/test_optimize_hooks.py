"""The extension points under `--mipro-optimize`: searcher, strategies, trials, results."""

import pytest
from optimize_project import live_calls, optimize, stopped, write_project, written

SEARCHER = """
class Backwards:
    def __init__(self, space, seed):
        self.space, self.told = space, {{}}
        self.left = [tuple(a) for a in space][::-1]
    def ask(self):
        return {ask}
    def tell(self, assignment, score, weight):
        assert 0 <= score <= 1 and weight > 0
        self.told[assignment] = score

def pytest_mipro_searcher(config, study):
    assert study.name == "test_numbers.mipro.json"
    return Backwards

def pytest_mipro_trial_finished(config, trial):
    print("tried", trial.kind, trial.assignment)
"""


def test_a_searcher_given_by_the_hook_searches(pytester):
    ask = "self.left.pop(0) if self.left else None"
    write_project(pytester, conftest=SEARCHER.format(ask=ask))
    result = optimize(pytester, "-s", "-o", "mipro_max_demos=0", "--mipro-trials=9")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "*tried minibatch (3, 0)",
            "*tried minibatch (2, 0)",
            "*tried minibatch (1, 0)",
            "*tried full *",
        ]
    )


@pytest.mark.parametrize("ask", ["(99, 0)", "'best'", "(0,)"])
def test_a_searcher_that_asks_for_nonsense_is_one_line(pytester, ask):
    write_project(pytester, conftest=SEARCHER.format(ask=ask))
    result = optimize(pytester)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*the searcher Backwards of pytest_mipro_searcher asked for *"])
    assert written(pytester) == {}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("Mine()", "pytest_mipro_searcher returned a Mine; return the class of a searcher"),
        (
            "lambda space, seed: Mine()",
            "the searcher Mine of pytest_mipro_searcher has no method `tell`; write it",
        ),
    ],
)
def test_a_searcher_that_is_none_is_one_line(pytester, given, told):
    hook = f"def pytest_mipro_searcher(config, study):\n    return {given}\n"
    write_project(pytester, conftest=f"\nclass Mine:\n    def ask(self): pass\n\n{hook}")
    result = optimize(pytester)
    stopped(result, f"*{told}*")
    assert written(pytester) == {}


STRATEGY = """
from pytest_mipro.optimizer.proposing.strategy import ProposalRequest
from pytest_mipro.runtime.client.contract import Message

class Curt:
    name = "curt"
    def request(self, context, rng):
        {body}
        text = f"Shorten: {{context.instruction}}"
        return ProposalRequest((Message("user", text),))

def pytest_mipro_proposal_strategies(config):
    return [Curt()]

def pytest_mipro_client(config):
    class Recording(Client):
        async def complete(self, request):
            if request.messages[0].content.startswith("Shorten:"):
                with open("shortened.txt", "a") as file:
                    file.write(request.messages[0].content + chr(10))
            return await super().complete(request)
    return Recording(reply)
"""


def test_a_strategy_given_by_the_hook_proposes_beside_the_built_in_one(pytester):
    write_project(pytester, conftest=STRATEGY.format(body="pass"))
    assert optimize(pytester).ret == 0
    asked = (pytester.path / "shortened.txt").read_text().splitlines()
    assert asked[0] == "Shorten: Say whether the number is odd."
    assert written(pytester)


def test_what_a_strategy_raises_is_shown_from_its_own_code_on(pytester):
    write_project(pytester, conftest=STRATEGY.format(body="raise LookupError('no idea')"))
    result = optimize(pytester)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["conftest.py:*: in request", "E   LookupError: no idea"])
    assert written(pytester) == {}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            "def request(self, context, rng): pass",
            "has no name; set its `name` to a unique text",
        ),
        ("name = 'x'", "*x* has no method `request`; write it"),
        (
            "name = 'x'\n    def requests(self, context, count, rng): pass",
            "*x* has no method `request`; write it",
        ),
        (
            "name = 'grounded'\n    def request(self, context, rng): pass",
            "there are two strategies named 'grounded'; give one another name",
        ),
    ],
)
def test_a_strategy_that_is_none_is_one_line(pytester, body, told):
    hook = "def pytest_mipro_proposal_strategies(config):\n    return [Mine()]\n"
    write_project(pytester, conftest=f"\nclass Mine:\n    {body}\n\n{hook}")
    result = optimize(pytester)
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"*pytest_mipro_proposal_strategies: *{told}*"])
    assert written(pytester) == {}


def test_one_strategy_in_place_of_a_list_is_one_line(pytester):
    hook = "\ndef pytest_mipro_proposal_strategies(config):\n    return object()\n"
    write_project(pytester, conftest=hook)
    stopped(optimize(pytester), "*a object is no list of strategies; return one*")


ASKS = """
from pytest_mipro.extending import Message, ProposalRequest

class Mine:
    name = "mine"
    def request(self, context, rng):
        return {made}

def pytest_mipro_proposal_strategies(config):
    return [Mine()]
"""


@pytest.mark.parametrize(
    "made",
    [
        "'Shorten it.'",
        "ProposalRequest(())",
        "ProposalRequest(({'role': 'user'},))",
        "ProposalRequest((Message('user', 'Shorten it.')))",
    ],
)
def test_a_request_that_is_none_is_one_line(pytester, made):
    write_project(pytester, conftest=ASKS.format(made=made))
    stopped(optimize(pytester), "*the strategy 'mine' made a * that can't be asked; *")
    assert written(pytester) == {}


OWN = """
class Shorter(ProposalRequest):
    def __init__(self, text):
        super().__init__((Message("user", text),))
"""


@pytest.mark.parametrize(
    "made",
    ["ProposalRequest([Message('user', context.instruction)])", "Shorter(context.instruction)"],
)
def test_a_request_may_hold_a_list_or_be_of_a_class_of_its_own(pytester, made):
    write_project(pytester, conftest=ASKS.format(made=made) + OWN)
    assert optimize(pytester).ret == 0
    assert written(pytester)


WATCHERS = """
NUMBERS = []
def pytest_mipro_trial_finished(config, trial):
    assert trial.study and trial.estimate is None or 0 <= trial.estimate <= 1
    NUMBERS.append(trial.number)

def pytest_mipro_study_finished(config, result):
    there = [path.name for path in pathlib.Path("prompts").glob("*")]
    with open("seen.txt", "w") as file:
        print(NUMBERS == list(range(1, len(NUMBERS) + 1)), len(NUMBERS) > result.trials > 0,
              result.decision.accepted, result.after.objective > result.before.objective,
              there, file=file)
"""


def test_trials_and_the_result_are_shown_to_plugins(pytester):
    write_project(pytester, conftest=WATCHERS)
    optimize(pytester)
    assert (pytester.path / "seen.txt").read_text().split() == ["True"] * 4 + ["[]"]
    assert written(pytester)


def test_a_hook_that_raises_ends_the_study(pytester):
    conftest = "\ndef pytest_mipro_study_finished(config, result):\n    raise LookupError('mine')\n"
    write_project(pytester, conftest=conftest)
    result = optimize(pytester)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["E   LookupError: mine"])
    assert written(pytester) == {}
    assert live_calls(pytester) > 0
