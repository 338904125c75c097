"""Changes to the gate's project since its lock, each with the line that tells it."""

from __future__ import annotations

from gate_project import write_words

UPDATE = "--mipro-update-lock"


def edit(gate, name, old, new):
    path = gate.path / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def prompt_file(gate):
    edit(gate, "prompts/pipeline.say.yaml", "Say the word.", "Speak the word.")
    return "prompts/pipeline.say.yaml changed: the difference from the lock is this edit's"


def prompt_file_gone(gate):
    (gate.path / "prompts/pipeline.say.yaml").unlink()
    return "prompts/pipeline.say.yaml is gone; the docstring of pipeline.say is used instead: *"


def docstring(gate):
    edit(gate, "pipeline.py", "Say the word.", "Utter the word.")
    return (
        "the docstring of pipeline.say changed, but prompts/pipeline.say.yaml overrides it: "
        "no score is affected; carry the change over to the file, or delete the file"
    )


def signature(gate):
    edit(gate, "pipeline.py", "text: str)", 'text: str, tone: str = "")')
    return (
        "the inputs or the output of pipeline.say changed: "
        "the difference from the lock is the program's too"
    )


def model(gate):
    edit(gate, "tox.ini", "test/fake", "test/other")
    return (
        "pipeline.say was locked with test/fake and ran with test/other: "
        "the difference from the lock is the model's too"
    )


def parameters(gate):
    edit(gate, "pipeline.py", "@lm_module", "@lm_module(temperature=0.5)")
    return (
        "pipeline.say was locked with temperature=0 and ran with temperature=0.5: "
        "the difference from the lock is the parameters' too"
    )


def new_module(gate):
    edit(gate, "pipeline.py", "from pytest_mipro", "# two modules\nfrom pytest_mipro")
    source = (gate.path / "pipeline.py").read_text()
    more = source.partition("@lm_module")[2].replace("def say", "def repeat")
    (gate.path / "pipeline.py").write_text(f"{source}\n@lm_module{more}")
    edit(gate, "test_words.py", "say(text=text) ==", "repeat(text=say(text=text)) ==")
    edit(gate, "test_words.py", "import say", "import repeat, say")
    return "module pipeline.repeat is new: the difference from the lock is the program's too"


def module_gone(gate):
    new_module(gate)
    gate.runpytest(UPDATE)
    edit(gate, "test_words.py", "repeat(text=say(text=text)) ==", "say(text=text) ==")
    return "module pipeline.repeat is no longer called: *"


def prompt_path(gate):
    (gate.path / "prompts/say.md").write_text("Speak the word.")
    edit(gate, "pipeline.py", "@lm_module", '@lm_module(prompt="prompts/say.md")')
    return (
        "the prompt file of pipeline.say is prompts/say.md, and was prompts/pipeline.say.yaml: "
        "the difference from the lock is this edit's"
    )


def renamed(gate):
    edit(gate, "pipeline.py", "def say", "def speak")
    edit(gate, "test_words.py", "import say", "import speak as say")
    return "module pipeline.say is no longer called, but prompts/pipeline.say.yaml is still there"


def moved_without_its_prompt(gate):
    (gate.path / "core").mkdir()
    (gate.path / "pipeline.py").rename(gate.path / "core/pipeline.py")
    edit(gate, "test_words.py", "from pipeline", "from core.pipeline")
    return (
        "pipeline.say found no prompt file core/prompts/pipeline.say.yaml, and ran without; "
        "move prompts/pipeline.say.yaml there: the difference from the lock is this edit's"
    )


def rows(gate):
    write_words(gate, ("one", "two=deux", "three", "four", "seven", "eight"))
    return "cases differ (2 new, 1 changed, 2 gone): compared on the 3 common ones"


CHANGES = [
    prompt_file,
    prompt_file_gone,
    docstring,
    signature,
    model,
    parameters,
    new_module,
    module_gone,
    prompt_path,
    rows,
]
