"""A person is asked who it is, for a cluster of pictures at a time; pure: what was asked and answered, and the way back."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from peephole.base.errors import InputError, did_you_mean
from peephole.gateway.answers import Answer, Word, read_answer
from peephole.gateway.clusters import clusters, distance, halves
from peephole.gateway.gathering import Looked, Seen
from peephole.gateway.oneline import one_line
from peephole.gateway.policy import UNKNOWN
from peephole.gateway.reasons import plural

__all__ = ["Interview", "Question", "questions"]


@dataclass(frozen=True, eq=False)
class Question:
    """A cluster of pictures, in order of time, with their `embeddings` (N, D); `id` stays while the cluster holds the same pictures."""

    id: str
    seen: tuple[Seen, ...]
    embeddings: np.ndarray

    @property
    def visits(self) -> dict[str, int]:
        """How many pictures are of which visit."""
        return dict(Counter(one.visit for one in self.seen))

    @property
    def said(self) -> str:
        """What the gate said then."""
        accepted = Counter(one.label for one in self.seen if one.label is not None)
        parts = [f"{one_line(name)} ({count})" for name, count in accepted.most_common()]
        strangers = [one.like for one in self.seen if one.label is None]
        if strangers:
            like = Counter(name for name in strangers if name).most_common(1)
            parts.append(f"a stranger ({len(strangers)}{f', most like {one_line(like[0][0])}' if like else ''})")
        return ", ".join(parts)


def _question(seen: Sequence[Seen], embeddings: np.ndarray, rows: Sequence[int]) -> Question:
    rows = sorted(rows, key=lambda at: (seen[at].wall, at))
    name = hashlib.sha256("".join(sorted(seen[at].digest for at in rows)).encode()).hexdigest()[:12]
    return Question(name, tuple(seen[at] for at in rows), embeddings[list(rows)])


def questions(looked: Looked) -> tuple[Question, ...]:
    """Return a question for each cluster of the pictures, the largest first."""
    return tuple(_question(looked.seen, looked.embeddings, rows) for rows in clusters(looked.embeddings, [one.visit for one in looked.seen]))


class Interview:
    """Goes through questions; every answer can be taken back. `answers` are those given so far, by picture."""

    def __init__(self, questions: Iterable[Question], names: Iterable[str], answers: Mapping[str, Answer]) -> None:
        """`names` are labels that are known already, also by earlier `answers`."""
        self.open = tuple(questions)
        self.answers = dict(answers)
        self._names = tuple(names)
        self._asked = self.open
        self._before: list[tuple[tuple[Question, ...], dict[str, Answer]]] = []
        self._doubted = ""

    @property
    def current(self) -> Question | None:
        """The question that is to be answered now; None when there is none left."""
        return self.open[0] if self.open else None

    @property
    def names(self) -> tuple[str, ...]:
        """All labels that are known, also by an answer."""
        return tuple(dict.fromkeys((*self._names, *(answer.label for answer in self.answers.values() if answer.label != UNKNOWN))))

    @property
    def nearest(self) -> tuple[Answer, float] | None:
        """The answer to the question that is most like the current one, and its distance, 0..2, among those answered just now."""
        question = self.current
        given = [({self.answers.get(one.digest) for one in asked.seen}, asked) for asked in self._asked]
        answered = [(answer, asked) for answers, asked in given if len(answers) == 1 and (answer := next(iter(answers))) is not None]
        if question is None or not answered:
            return None
        far = [distance(question.embeddings, asked.embeddings) for _, asked in answered]
        at = int(np.argmin(np.where(np.isfinite(far), far, np.inf)))
        return answered[at][0], far[at]

    def hear(self, text: str, sure: bool = False) -> str:
        """Take what a person wrote of the current question, and say what was understood; raises InputError for what is no answer.

        A new name that is much like a known one must be written twice, unless a program is `sure`.
        """
        if text.strip() == "back":
            return self._back()
        question = self.current
        if question is None:
            raise InputError("there is no question left", "write back to take the last answer back")
        answer = read_answer(text, question.id, self.names)
        if not isinstance(answer, Answer):
            return self._word(answer, question)
        if not sure:
            self._doubt(answer)
        self._step((*self.open[1:],), self.answers | dict.fromkeys((one.digest for one in question.seen), answer))
        who = answer.label if answer.label != UNKNOWN else f"a stranger, {answer.stranger}"
        return f"{plural(len(question.seen), 'picture')}: {one_line(who)}{f', not {one_line(answer.denied)}' if answer.denied else ''}"

    def name(self, digest: str, text: str) -> None:
        """Take an answer for a single picture, whatever is said of its cluster; raises InputError."""
        answer = read_answer(text, digest[:12], self.names)
        if not isinstance(answer, Answer):
            raise InputError(f"picture {digest[:12]}: '{answer}' does not say who it is", "write a name, unknown, unknown NAME or not NAME")
        self._step(self.open, self.answers | {digest: answer})

    def _word(self, word: Word, question: Question) -> str:
        if word == "quit":
            self.open = ()
            return "the rest can be answered later"
        if word == "skip":
            self._step((*self.open[1:],), self.answers)
            return "left out; it will be asked again next time"
        return self._split(question)

    def _back(self) -> str:
        if not self._before:
            raise InputError("this is the first question", "write quit to stop")
        self.open, self.answers = self._before.pop()
        return "the last answer is taken back"

    def _split(self, question: Question) -> str:
        parts = halves(question.embeddings)
        if len(parts) < 2:
            raise InputError("one picture cannot be taken apart", "write skip to leave it out")
        apart = [_question(question.seen, question.embeddings, rows) for rows in parts]
        self._asked += tuple(apart)
        self._step((*apart, *self.open[1:]), self.answers)
        return f"taken apart: {' and '.join(plural(len(rows), 'picture') for rows in parts)}"

    def _step(self, questions: tuple[Question, ...], answers: dict[str, Answer]) -> None:
        self._before.append((self.open, self.answers))
        self.open, self.answers = questions, answers

    def _doubt(self, answer: Answer) -> None:
        """Raise, once, when a new name is much like a known one."""
        near = "" if answer.label in (*self.names, UNKNOWN) else did_you_mean(answer.label, self.names)
        if near and self._doubted != answer.label:
            self._doubted = answer.label
            raise InputError(f"'{one_line(answer.label)}' is new{near}", "write it once more to keep it")
