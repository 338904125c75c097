"""Answer questions from a handbook in two hops; a judge reads the answers."""

import os
import re
from pathlib import Path

import openai

HERE = Path(__file__).parent
CONTRACTS, PRODUCTS = (HERE / "handbook.txt").read_text(encoding="utf-8").split("\n\n")
QUERY = (HERE / "prompts/query.md").read_text(encoding="utf-8")
ANSWER = (HERE / "prompts/answer.md").read_text(encoding="utf-8")
JUDGE = (HERE / "prompts/judge.md").read_text(encoding="utf-8")

client = openai.OpenAI()


def ask(prompt, text: str) -> str:
    reply = client.chat.completions.create(
        model=os.environ.get("DESK_MODEL", "gpt-4.1-mini"),
        messages=[
            {"role": "system", "content": prompt},
            {"role": "user", "content": text},
        ],
        temperature=0,
        max_tokens=60,
    )
    return reply.choices[0].message.content.strip()


def search(query: str, chapter: str) -> str:
    """Return the line of the chapter that has most words in common with the query."""
    words = set(re.findall(r"\w{4,}", query.lower()))
    return max(
        chapter.splitlines(), key=lambda line: len(words & set(re.findall(r"\w{4,}", line.lower())))
    )


def answer(question: str) -> str:
    contract = search(question, CONTRACTS)
    product = search(ask(QUERY, contract), PRODUCTS)
    return ask(ANSWER, f"{contract}\n{product}\n\nQuestion: {question}")


def judge(question: str, said: str) -> bool:
    return ask(JUDGE, f"Question: {question}\n\nAnswer: {said}") == "yes"
