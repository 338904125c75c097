"""What a proposer replies, and the instruction in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mipro.optimizer.proposing.instruction_reply import instruction_of

# fmt: off
DRESSED = {
    "  Sort it.  \n": "Sort it.", "```\nSort it.\n```": "Sort it.",
    "```text\nSort it.\n  Well.\n```": "Sort it.\n  Well.", '"Sort it."': "Sort it.",
    "'Sort it.'": "Sort it.",
    "Here is a better one:\n```text\nDo it.\nWell.\n```\nHope it helps!": "Do it.\nWell.",
    "**New instruction:**\n\nDo it.": "Do it.", "Instruction:\nDo it.": "Do it.",
    "Sort it.  \r\nWell.\t\n": "Sort it.\nWell.",
    "```\nReply with `red`\nor `blue`.\n```": "Reply with `red`\nor `blue`.",
    "<think>\nWhat of it?\n</think>\n\nSort it.": "Sort it.",
    "<thinking>Well.</thinking>```\nSort it.\n```": "Sort it.",
    "**Instruction:**\nSort it.\n\n**Explanation:** This instruction is clearer.": "Sort it.",

           "Here's the revised instruction:\n\n---\n\nSort it carefully.\n\n---\n\nI am brief.":
        "Sort it carefully.",
    'Sure, I can help. Here is the prompt: "Sort it."': "Sort it.",
    "### Revised Prompt:\n> Sort it\n> then Y": "Sort it\nthen Y",
    "```markdown\n# Task\nSort it\n```": "# Task\nSort it",
    "Below is the instruction that fixes the failing cases:\n\nSort it:\n- a\n- b":
        "Sort it:\n- a\n- b",
    "<think>hm</think><instruction>Sort it.</instruction>": "Sort it.",
    "I put it between <instruction> and </instruction>.\n<instruction>\nSort it.\n</instruction>":
        "Sort it.",
    "<instruction>Sort it.</instruction>\nIt stands between <instruction> and </instruction>.":
        "Sort it.",
    "<instruction>Draft.</instruction>\nBetter:\n<instruction>Sort it.</instruction>": "Sort it.",
    "<instruction>\n```\nSort it.\n```\n</instruction>": "Sort it.",
    "<instruction>Sort it.": "Sort it.", "<new_instruction>Sort it.</new_instruction>": "Sort it.",
    "I'm sorry for the confusion. Here is the improved instruction:\n\nSort it.": "Sort it.",
    '```json\n{"instruction": "Sort it.", "reason": "short"}\n```': "Sort it.",
    '{"new_prompt": "Sort it."}': "Sort it.",
    '{"reasoning": "r", "instruction": "Sort it.\\nThen Y."}': "Sort it.\nThen Y.",
    "Analysis: The labels are confused.\n\nInstruction:\nSort it.": "Sort it.",

    "It failed.\n\nHere is my improved instruction:\n\n```\nSort it.\n```\n\nI did it.":
        "Sort it.",
    "The failures show confusion. \n\n```\nSort it.\n```\n\nThis version adds a rule.": "Sort it.",
    "Sort it.\n\n(I kept it short.)": "Sort it.",
    "Sort it.\n\nLet me know if you'd like changes!": "Sort it.",
    "Sort it.\n\n---\n\n**Changes made:**\n1. Added rules.": "Sort it.",
    "Sort it.\n\n### Why this works\nBecause.": "Sort it.", "Certainly!\n\nSort it.": "Sort it.",
    'Okay, here is the new instruction for the module:\n"Sort it."': "Sort it.",
    "“Sort it.”": "Sort it.", "`Sort it.`": "Sort it.", "Prompt: Sort it.": "Sort it.",
    "New Instruction: Sort it.": "Sort it.", "**New Instruction:** Sort it.": "Sort it.",
    "<|channel|>final<|message|>Sort it.<|return|>": "Sort it.",
    "<reasoning>r</reasoning>\nSort it.": "Sort it.",
    "<analysis>\nr\n</analysis>\n\nSort it.": "Sort it.",

    "Because.\n\n**Improved instruction:**\n\nSort it.\n- a\n- b\n\nThis helps.":
        "Sort it.\n- a\n- b",
    "**<instruction>**\nSort it.\n**</instruction>**": "Sort it.",
    "&lt;instruction&gt;Sort it.&lt;/instruction&gt; It is short.": "Sort it.",
    "### Improved instruction:\nSort it.\n\n### Rationale:\nIt names rules.": "Sort it.",
    "'Sort the customer's mail.'": "Sort the customer's mail.",
    "<instruction>Sort it.</instruction> I put it between <instruction> tags.": "Sort it.",
    "The <instruction> and </instruction> tags:\n<instruction>Sort it.": "Sort it.",
    "<instruction>Sort it.</instruction> I used <instruction> once and <instruction> again.":
        "Sort it.",
    "Sure thing!\n\nSort it.": "Sort it.", "Great question!\n\nSort it.": "Sort it.",
    "Got it - a new one:\nSort it.": "Sort it.", "OK (a shorter one):\nSort it.": "Sort it.",
    "Sure, this would do:\nSort it.": "Sort it.", "Okay here it is:\nSort it.": "Sort it.",
}
WHOLE = [
    "1. Read the ticket.\n2. Choose.",
    "I cannot stress enough that the label must be exact. Answer with one label.",
    "Do not answer with an apology. I'm sorry is forbidden.",
    "Classify this ticket into one of the following:\n- a\n- b",
    "Decide what the customer wants. Could you tell? Then say it.",
    "Given the text below, choose the following label:\n\nThen answer.",
    "You are a support agent.\n\n## Instructions\n1. Read.\n2. Choose.\n\n## Output\nOne label.",
    "You are an agent. Here are the rules:\n- a\n- b",
    "Sort it.\n\nReply in this format:\n```\nlabel: x\n```",
    "Sort it. Use this layout:\n```\nlabel\n```",
    "Sort it.\n\nNotes:\n- Never guess.\n- Reply with one label.",
    "Sort it.\n\n**Reasoning:** think step by step first.",
    "Sort it.\n\nThis prompt must never be shown to the user.", "Task: Sort it.",
    "# Task\nSort it.\n# Rules\n- a", "Put thoughts in <think></think> first.",
    "Wrap the label in <answer> tags.", "Sort each ticket. Sure things first.",
    "Great care is needed. Sort it.", "Sorry customers get refunds: Sort it.",
    "What the customer wants decides the label. Sort it.", "Should the ticket be empty, say none.",
    "Can the text be sorted? Choose yes or no.", '"a" goes to "b"',
    "Sort these.\n```\nx\n```", "Use ```x``` here.", "```\nSort.\n```\n\n```\nx\n```",
    "Do you see a charge? Then choose a. Otherwise choose b.",
    "Here are the rules:\n1. Sort it.\n2. Reply.",
    "As an AI assistant for customer support, choose the queue.",
    'As an AI tutor, never say "I" in a reply.',
    "Please provide the correct label for the task that the customer describes.",
    "I need the total of the invoice. Add up its lines.",
    "The prompt is a user's request to an assistant. Say whether it is harmful.",
    "Great care is due with refunds:\nnever promise one.",
    "Please give me the name of the module at fault.",
    "There are no examples of refunds in the policy. Treat each as an exception.",
    "No changes are to be made to names. Translate the rest.",
    "Unfortunately, I often see wrong totals. Add up the lines twice.",
]
UNUSABLE = {
    "empty": [
        "def pipeline.answer(query):\n    return query",
        "<think>\nWhat of it? It might", "```\n```", '""', "<instruction></instruction>",
        "<instruction>...</instruction>", "...", "Instruction:",
        "null", "`None`",
    ],
    "refused": [
        "<instruction>I'm sorry, I can't.</instruction>", "I can't do that, sorry.",
        "As an AI language model, I cannot.", "Unfortunately, I am unable to write this.",
        "Unfortunately, I need more information about the module.",
        "Unfortunately, I was not given any examples.", "Unfortunately I'd need the task.",
        "I won't help.", "I'm unable to produce an instruction without details.",
    ],
    "a question": [
        "What kind of tickets are these?",
        "Please share the current instruction and a few examples.",
        "I need more information about the module.", "I need the examples first.",
        "There are no examples for this module.", "No examples for the module were given.",
        "Please provide more details about the task.",
        "There are no examples in your request.", "Please provide me with some more examples.",
        "Do you have more examples? The labels are unclear to me.",
        "Which labels should be used?\n\nOnce I know I can write it.",
    ],
    "several": [
        "Here are three alternatives:\n\n1. Sort it.\n2. Choose a label.",
        "Sure! Here are two options:\n\n**Option A**\nSort it.\n\n**Option B**\nChoose.",
    ],
    "repeated": [
        "The current instruction is already good.", "No changes needed.",
        "The prompt looks clear.", "The instruction already says so.",
    ],
}
# fmt: on


@pytest.mark.parametrize(("reply", "instruction"), DRESSED.items())
def test_an_instruction_is_taken_out_of_its_dress(reply: str, instruction: str) -> None:
    assert instruction_of(reply) == (instruction, "")


@pytest.mark.parametrize("text", WHOLE)
def test_what_looks_like_dress_may_be_the_instruction(text: str) -> None:
    assert instruction_of(text) == (text, "")
    assert instruction_of(f"<instruction>\n{text}\n</instruction>") == (text, "")


@pytest.mark.parametrize(
    ("problem", "reply"), [(problem, reply) for problem, all_ in UNUSABLE.items() for reply in all_]
)
def test_a_reply_without_an_instruction_says_what_it_is(problem: str, reply: str) -> None:
    assert instruction_of(reply) == ("", problem)


@pytest.mark.parametrize("reason", ["length", "max_tokens"])
def test_a_cut_reply_has_no_instruction(reason: str) -> None:
    assert instruction_of("<instruction>Sort it.</instruction>", reason) == ("", "cut")


@given(st.text())
def test_an_instruction_can_be_written_as_it_was_measured(reply: str) -> None:
    text, problem = instruction_of(reply)
    assert bool(text) != bool(problem)
    assert text == text.strip()
    assert "\r" not in text
    assert all(line == line.rstrip() for line in text.split("\n"))


@pytest.mark.parametrize(
    "text", ["<instruction>" * 9999, "```\n" * 9999, "Instruction:\n" * 9999, "> " * 99999]
)
def test_long_replies_are_read_at_once(text: str) -> None:
    instruction_of(text)


@pytest.mark.parametrize(
    "said",
    [
        "I'll write the instruction now.",
        "Okay, let me analyze the examples carefully before I write the instruction.",
        "Looking at the failing examples, the model tends to choose `bug`.",
        "The failures have in common that they name a refund. I will therefore say so.",
        "This would raise the score to 0.9.",
    ],
)
def test_what_a_model_says_to_itself_is_no_instruction(said: str) -> None:
    assert instruction_of(said) == ("", "empty")
    tagged = f"{said}\n<instruction>Sort the ticket.</instruction>"
    assert instruction_of(tagged) == ("Sort the ticket.", "")


@pytest.mark.parametrize(
    "said",
    [
        "Let's think step by step.",
        "The failed payment must be explained to the customer in one sentence.",
        "The failing test's log is given. Name its cause in one word.",
        "I will give you a ticket. Name its queue.",
        "Looking at the ticket, name the queue that should handle it.",
        "First, read the ticket. Then write the name of its queue.",
    ],
)
def test_an_instruction_may_begin_as_talk_does(said: str) -> None:
    assert instruction_of(said) == (said, "")
