"""peephole gate label: who is this? The pictures that the gate kept become a photo folder to train with, and a recording to judge with."""

import json
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from peephole.cli.gateshow import AsJson, Settings, say

if TYPE_CHECKING:
    from peephole.gateway.door import Door
    from peephole.gateway.gathering import Gathered, Looked
    from peephole.gateway.interview import Interview, Question
    from peephole.gateway.labelled import Exported, Published

__all__ = ["label"]

WHO = "who is this? (name, unknown, unknown NAME, not NAME, mixed, skip, back, quit) "
LIKE = 0.6  # a cluster further away from every answer is like none of them
LAST = "\nthat was the last question (Enter: write the photo folder; back: not yet) "


def label(
    context: typer.Context,
    settings: Settings,
    output: Annotated[Path, typer.Option("-o", "--output", help="The photo folder to write; the answers are kept beside it.")] = Path("labelled"),
    answers: Annotated[
        Path | None, typer.Option(help="A JSON file {question or sha256 of a picture: answer}, instead of asking on the terminal.")
    ] = None,
    export_recording: Annotated[
        Path | None, typer.Option(help="Write the visits with who it was as a recording (time,file,visit,truth) into this new folder.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask who is on the pictures that the gate kept, a cluster at a time, and write a photo folder for `peephole train`.

    With --json and without --answers the questions are only listed.
    """
    from peephole.decide.predictor import load
    from peephole.gateway.answers import read_kept
    from peephole.gateway.door import load_door
    from peephole.gateway.gathering import gather, look, require_pictures
    from peephole.gateway.interview import Interview, questions
    from peephole.gateway.labelled import answers_beside, labels_in, require_folder

    door = load_door(settings)
    given = None if answers is None else _given(answers, settings)
    require_folder(output)
    _require_new(export_recording)
    gathered = gather(door)
    before = read_kept(answers_beside(output), gathered.gate).without(gathered.erased)
    if not before.answers:
        require_pictures(gathered, door)
    predictor: Any = load(door.model)
    looked = look([one for one in gathered.seen if one.digest not in before.answers], predictor, None if as_json else _progress)
    taken_for = sorted({one.label for one in gathered.seen if one.label is not None})  # people of the gallery too
    interview = Interview(questions(looked), (*predictor.labels, *taken_for, *labels_in(output)), before.answers)
    if not as_json:
        _tell_looked(gathered, looked, interview)
    asked = interview.open
    if given is None and as_json:
        typer.echo(json.dumps({"questions": [_as_json(one, output) for one in asked], **_left_out(gathered, looked)}, ensure_ascii=False))
        return
    try:
        _hear(interview, given, settings) if given is not None else _ask(interview, output, gathered.gate, before.written)
    finally:
        _clear(output)
    unanswered = [one for one in asked if any(seen.digest not in interview.answers for seen in one.seen)]
    published, exported = _publish(door, output, interview, before.written, export_recording)
    if as_json:
        told = {"open": [one.id for one in unanswered], **_told(published), **_left_out(gathered, looked)}
        typer.echo(json.dumps(told | ({} if exported is None else {"recording": vars(exported)}), ensure_ascii=False))
        return
    _report(published, gathered, predictor.labels, output)
    if exported is not None:
        _report_recording(exported, export_recording)
    _next(context, settings, output, export_recording)


def _require_new(folder: Path | None) -> None:
    """Raise before anybody was asked anything."""
    from peephole.base.errors import InputError

    if folder is not None and (folder.is_file() or (folder.is_dir() and any(folder.iterdir()))):
        raise InputError(f"{folder} is there already", "choose a new folder for --export-recording")


def _given(path: Path, settings: Path) -> dict[str, str]:
    """Read answers from a file."""
    from peephole.base.errors import InputError, MissingInput

    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingInput(f"there is no file {path}", f"list the questions: peephole gate label {settings} --json") from error
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as JSON: {getattr(error, 'strerror', None) or error}", 'write {"QUESTION": "ana"}') from error
    if not isinstance(value, dict) or not all(isinstance(answer, str) for answer in value.values()):
        raise InputError(f"{path} does not hold answers", f'write {{"QUESTION": "ana"}}; list the questions: peephole gate label {settings} --json')
    return value


def _hear(interview: "Interview", given: dict[str, str], settings: Path) -> None:
    """Take the answers of a file; what it does not answer is left out. Nothing is kept when one of them is wrong."""
    from peephole.base.errors import InputError, did_you_mean
    from peephole.gateway.oneline import one_line

    left, known = dict(given), [question.id for question in interview.open]
    pictures = {one.digest for question in interview.open for one in question.seen} & left.keys()
    while interview.current is not None:
        answer = left.pop(interview.current.id, "skip")
        if answer.strip() in ("back", "quit", "mixed"):
            raise InputError(
                f"question {interview.current.id}: '{answer.strip()}' is for the terminal", "leave it out, or name single pictures by their sha256"
            )
        try:
            interview.hear(answer, sure=True)
        except InputError as error:
            raise InputError(f"question {interview.current.id}: {error.what}", error.hint) from error
    for digest in sorted(pictures):
        interview.name(digest, left.pop(digest))
    if left:
        odd = next(iter(left))
        raise InputError(
            f"there is no question '{one_line(odd)[:40]}'{did_you_mean(odd, known)}",
            f"pictures came or went since: list the questions again with peephole gate label {settings} --json",
        )


def _ask(interview: "Interview", output: Path, gate: str, written: Any) -> None:
    """Ask on the terminal until nothing is left, or its end; each answer is on disk before the next question."""
    from peephole.base.errors import InputError
    from peephole.data.layout import label_of
    from peephole.gateway.answers import Kept, write_kept
    from peephole.gateway.labelled import answers_beside

    shown, text = "", None
    while interview.open or text not in (None, "", "quit"):  # after the last question, once more: it can still be taken back
        question = interview.current
        if question is not None and question.id != shown:
            _show(question, interview, _sheet(question, output))
            shown = question.id
        text = _line(WHO if question is not None else LAST)
        if text is None:
            say("\nnobody is there to answer; the rest can be answered later" if question is not None else "")
            return
        text = text.strip()
        if question is None and text in ("", "quit"):
            return
        try:
            if text.startswith("not ") and label_of(text[4:].strip()) in interview.names:
                who = _line("who is it then? (a name; Enter: a stranger) ")
                text = f"{text}: {who}" if who and who.strip() else text
            told = interview.hear(text)
        except InputError as error:
            say(f"[yellow]{escape(str(error))}[/]")
            continue
        write_kept(answers_beside(output), Kept(gate, interview.answers, written))
        say(f"  [green]{escape(told)}[/]")


def _line(prompt: str) -> str | None:
    """Return what was typed; None when the terminal ended, or on Ctrl-C."""
    typer.echo(prompt, nl=False)
    try:
        text = sys.stdin.readline()
    except KeyboardInterrupt:
        return None
    except UnicodeDecodeError:
        return "\ud800"  # told as no valid text
    return text.rstrip("\r\n") if text else None


def _sheet(question: "Question", output: Path) -> Path:
    from peephole.base.files import write_atomic
    from peephole.gateway.sheet import sheet

    return write_atomic(_sheets(output) / f"{question.id}.jpg", sheet(question.seen))


def _sheets(output: Path) -> Path:
    """Contact sheets lie beside the photo folder, not in it; they are there while somebody is asked."""
    from peephole.base.errors import OutputError

    folder = output.with_name(f"{output.name}.sheets")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror or error}", "choose another place with -o FOLDER") from error
    return folder


def _clear(output: Path) -> None:
    """Delete the contact sheets: an erasure would not find faces there."""
    folder = output.with_name(f"{output.name}.sheets")
    for path in folder.glob("*.jpg"):
        path.unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _publish(door: "Door", output: Path, interview: "Interview", written: Any, recording: Path | None) -> "tuple[Published, Exported | None]":
    """Write the answers, the folder and the recording; the journal is read anew, for somebody may have been erased meanwhile."""
    from peephole.gateway.answers import Kept, write_kept
    from peephole.gateway.gathering import gather
    from peephole.gateway.labelled import answers_beside, export_recording, publish

    gathered = gather(door)
    published = publish(output, Kept(gathered.gate, interview.answers, written), gathered)
    write_kept(answers_beside(output), published.kept)
    if published.problem is not None:
        raise published.problem
    return published, None if recording is None else export_recording(recording, gathered, published.kept.answers)


def _progress(done: int, of: int) -> None:
    if of > 64 and (done % 64 == 0 or done >= of):
        typer.echo(f"\rlooked at {done:,} of {of:,} pictures" + ("\n" if done >= of else ""), nl=False, err=True)


def _tell_looked(gathered: "Gathered", looked: "Looked", interview: "Interview") -> None:
    from peephole.gateway.reasons import plural

    visits = len({one.visit for one in looked.seen})
    say(f"{plural(len(looked.seen), 'picture')} of {plural(visits, 'visit')} without a name, in {plural(len(interview.open), 'question')}")
    if gathered.gone:
        be = "is" if gathered.gone == 1 else "are"
        say(f"of {plural(gathered.told, 'picture')} that were kept, {gathered.gone:,} {be} gone, by age, size or erasure")
    for reason, count in looked.refused.most_common():
        say(f"[yellow]{plural(count, 'picture')} left out[/]: {escape(reason)}")
    if looked.left:
        say(f"{plural(looked.left, 'later picture')} will be asked about next time")


def _show(question: "Question", interview: "Interview", sheet: Path) -> None:
    from peephole.gateway.oneline import one_line
    from peephole.gateway.reasons import plural

    visits = list(question.visits.items())
    some = ", ".join(f"{one_line(visit)[:60]} ({count})" for visit, count in visits[:5]) + (", ..." if len(visits) > 5 else "")
    left = plural(len(interview.open), "question")
    say(f"\n[bold]{plural(len(question.seen), 'picture')}[/] of {plural(len(visits), 'visit')}, {_when(question)}; {left} left")
    say(f"  visits: {escape(some)}")
    say(f"  the gate said: {escape(question.said)}")
    if (near := interview.nearest) is not None and near[1] < LIKE:
        say(f"  most like: {escape(one_line(near[0].stranger or near[0].label))} (distance {near[1]:.2f})")
    say(f"  look at: {escape(str(sheet))}")


def _when(question: "Question") -> str:
    from peephole.gateway.rows import is_date

    walls = [one.wall for one in question.seen if is_date(one.wall)]
    if not walls:
        return "when is not known: the clock was not set"
    first, last = (f"{datetime.fromtimestamp(wall):%Y-%m-%d %H:%M}" for wall in (min(walls), max(walls)))
    return first if first == last else f"{first} to {last}"


def _as_json(question: "Question", output: Path) -> dict[str, Any]:
    return {
        "question": question.id,
        "sheet": str(_sheet(question, output)),
        "said": question.said,
        "visits": question.visits,
        "pictures": [{"sha256": one.digest, "visit": one.visit, "wall": one.wall, "label": one.label, "like": one.like} for one in question.seen],
    }


def _left_out(gathered: "Gathered", looked: "Looked") -> dict[str, Any]:
    return {"gone": gathered.gone, "left_out": dict(looked.refused), "later": looked.left}


def _told(published: "Published") -> dict[str, Any]:
    counts = Counter(str(answer.place) for digest, answer in published.kept.answers.items())
    return {
        "named": dict(counts),
        "written": published.written,
        "removed": published.removed,
        "already": published.already,
        "refused": dict(published.refused),
    }


def _report(published: "Published", gathered: "Gathered", labels: tuple[str, ...], output: Path) -> None:
    """Say what is in the folder now, how often the gate was wrong, and whom a model trained on the folder alone would not know."""
    from peephole.gateway.labelled import labels_in, mistaken
    from peephole.gateway.oneline import one_line
    from peephole.gateway.reasons import plural

    for reason, count in published.refused.most_common():
        say(f"[yellow]{plural(count, 'picture')} not written[/]: {escape(reason)}")
    say(
        f"\n{escape(str(output))}: {plural(published.written, 'picture')} written, {published.already} there already"
        + (f", {published.removed} removed" if published.removed else "")
    )
    accepted, wrong = mistaken(gathered.seen, published.kept.answers)
    if accepted:
        say(f"of {plural(accepted, 'picture')} that the gate took for somebody it knows, {wrong} {'was' if wrong == 1 else 'were'} of somebody else")
    nameless = {answer.stranger for answer in published.kept.answers.values() if answer.stranger and not answer.named}
    if len(nameless) > 1:
        say(
            f"[yellow]{len(nameless)} strangers have no name[/]; some may be one person, and would be counted as several in the evidence: "
            "call those by the same name, as in: unknown postman"
        )
    missing = sorted(set(labels) - set(labels_in(output)))
    if missing:
        some = ", ".join(one_line(name) for name in missing[:5]) + (", ..." if len(missing) > 5 else "")
        say(f"[yellow]a model trained on this folder alone would not know {escape(some)}[/]: put their photos into it as well")


def _report_recording(exported: "Exported", folder: Path | None) -> None:
    from peephole.gateway.reasons import plural

    say(f"{escape(str(folder))}: {plural(exported.visits, 'visit')}, of {exported.known} it is known who came")
    if exported.mixed:
        say(f"{plural(exported.mixed, 'visit')} showed several people and count for nobody")
    if exported.undated:
        say(f"{plural(exported.undated, 'visit')} left out: the clock was not set then")
    say("these pictures are in the photo folder too: a model trained with them has seen the answers, so prove no rate for it with these visits")


def _next(context: typer.Context, settings: Path, output: Path, recording: Path | None) -> None:
    """Say how it goes on, by the verbs that there are."""
    verbs = getattr(context.parent.command, "commands", {}) if context.parent is not None else {}
    say("\nnext:")
    for line in next_commands(verbs, settings, output, recording):
        say(f"  {escape(line)}")


def next_commands(verbs: Any, settings: Path, output: Path, recording: Path | None) -> list[str]:
    """Return the commands that lead from the folder to a new model at the door; `verbs` are those of `peephole gate`."""
    lines = [f"peephole train {output} -o new.onnx"]
    if "replay" in verbs:
        lines.append(f"peephole gate replay {settings} {f'{recording}/recording.csv' if recording else 'RECORDING'} --model new.onnx")
    if "promote" in verbs:
        lines.append(f"peephole gate promote {settings} new.onnx")
    return lines
