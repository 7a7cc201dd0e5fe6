"""The Train tab: a real training seen in a browser while it goes, also over the death of the server; its addresses hold against strangers."""

import json
import time
from contextlib import ExitStack

import pytest
from live import free_port, running

from drawings import folder
from peephole.studio import learning
from peephole.studio.jobs import Jobs

SMALL = {"network": "plain", "filters": [4], "hidden": 12, "threads": 1, "steps": 60}


class Studio:
    """A page's server that can be stopped and begun again on its port, and its owner who sends requests."""

    def __init__(self, work):
        """Take a free port; serve, and give the code."""
        self.work, self.port = work, free_port()
        self.begin()
        self.headers = self.live.owner()

    def begin(self):
        """Serve."""
        self.serving = ExitStack()
        self.live = self.serving.enter_context(running(self.work, port=self.port))

    def end(self):
        """Stop serving; trainings go on."""
        self.serving.close()

    def ask(self, method, path, sent=None, **more):
        """Send a request as the owner; return the status and the text that came back."""
        headers = {name: value for name, value in (self.headers | more).items() if value is not None}
        body = None if sent is None else json.dumps(sent).encode()
        answer = self.live.ask(method, path, headers, body)
        return answer.status, answer.body.decode()

    def jobs(self):
        """Return the trainings, the newest first."""
        return json.loads(self.ask("GET", "/api/jobs")[1])["jobs"]

    def start(self, **more):
        """Start a small training; return its id."""
        status, text = self.ask("POST", "/api/train", {"data": "photos", "output": "xo.onnx"} | SMALL | more)
        assert status == 200, text
        return json.loads(text)["id"]

    def events(self, job, more="", **headers):
        """Return the ids and events of a job's stream, and the job that ends it."""
        status, text = self.ask("GET", f"/api/job/events?job={job}{more}", **headers)
        assert status == 200
        parts = [dict(line.split(": ", 1) for line in part.split("\n")) for part in text.split("\n\n") if part]
        events = [(int(part["id"]), json.loads(part["data"])) for part in parts if "id" in part]
        return events, next(json.loads(part["data"]) for part in parts if part.get("event") == "end")


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    """A studio on a folder of drawings, its owner logged in; whatever still trains at the end is stopped."""
    work = tmp_path_factory.mktemp("train-page")
    folder(work / "photos", 6, strangers="=IL")
    found = Studio(work)
    yield found
    found.end()
    left = Jobs(work / ".peephole-studio" / "jobs", work, patience=5)
    for job in left.list():
        left.stop(job.id)
    while any(not job.ended for job in left.list()):
        time.sleep(0.05)
    left.close()


@pytest.fixture
def page(browser, studio):
    """The page of the owner; requests and complaints are collected on it."""
    context = browser.new_context(locale="en-US", reduced_motion="reduce")
    name, _, value = studio.headers["Cookie"].partition("=")
    context.add_cookies([{"name": name, "value": value, "url": studio.live.url}])
    page = context.new_page()
    page.requests, page.complaints = [], []
    page.on("request", lambda request: page.requests.append(request.url))
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.visit = lambda hash_: page.goto(f"{studio.live.url}{hash_}")
    yield page
    context.close()


def test_a_training_in_the_browser(studio, page):
    """From the form to the promise: loss, filters, points, a sum that closes, scores with n and bounds, the way to the See tab."""
    page.visit("#train?lang=en")
    page.select_option("#data", "photos")
    page.fill("#output", "page")
    page.click("summary")
    page.fill("#filters", "4")
    page.fill("#rotate", "5")
    page.evaluate("document.querySelector('#seconds').value = 0; document.querySelector('#seconds').dispatchEvent(new Event('input'))")
    page.click("#start")
    page.wait_for_selector("main[data-state=done]", timeout=60_000)
    job = studio.jobs()[0]
    asked = {name: job["train"][name] for name in ("output", "seconds", "filters", "vary")}
    assert job["state"] == "done" and asked == {"output": "page.onnx", "seconds": 5, "filters": [4], "vary": [["rotate", 5]]}
    events, _ = studio.events(job["id"])
    last = [event for _, event in events if event["event"] == "inside"][-1]
    assert page.locator(".filters canvas").count() == 4 and page.locator("svg.points text").count() == 12
    assert page.locator("svg.chart polyline").count() >= 3
    shown = page.locator("#update").evaluate("element => ({...element.dataset, text: element.textContent})")
    assert float(shown["after"]) == last["update"]["after"] and float(shown["gradient"]) == last["update"]["gradient"]
    before, decay, move, after = (float(word.strip("() ").replace("−", "-")) for word in shown["text"].replace("=", " − ").split(" − "))
    assert before - decay - move == pytest.approx(after, abs=1e-10) and "✓" in page.inner_text("#closes")
    promise = page.inner_text("#end")
    assert f"of {events[-1][1]['scores']['held_out']['n']} held-out photos" in promise and "95 % confidence" in promise and "strangers" in promise
    page.locator("#twin-curve").click()
    page.wait_for_selector("[data-part=curve] tbody th")
    assert page.locator("[data-part=curve] tbody tr").count() > 3
    page.fill("#look", "0")
    assert "Step 1 of" in page.inner_text("[data-part=filters]")
    page.click("#start")
    page.wait_for_selector("#notice .failure")
    assert "there is a page.onnx already" in page.inner_text("#notice") and page.is_visible("#replace")
    assert page.complaints.pop().startswith("Failed to load resource")  # the browser's own word on a refused request
    assert page.get_attribute("#see-it", "href") == "#see?model=page.onnx"
    assert all(url.startswith(studio.live.url) for url in page.requests) and page.complaints == []
    page.click("text=한국어")
    page.wait_for_selector("main[data-state=done]")
    assert "약속할 수 있는 것" in page.inner_text("#end") and page.complaints == []


def test_the_server_dies_and_comes_back(studio, page):
    """The page says so, the training goes on, and after the restart nothing is missing and nothing is there twice."""
    job = studio.start(output="away.onnx", steps=100000)
    page.visit(f"#train?lang=en&job={job}")
    page.wait_for_selector('main[data-step]:not([data-step="0"])', timeout=30_000)
    studio.end()
    page.wait_for_selector("#away")
    assert "lost the server" in page.inner_text("#away")
    events = studio.work / ".peephole-studio" / "jobs" / job / "events.jsonl"
    size = events.stat().st_size
    while events.stat().st_size <= size:
        time.sleep(0.05)
    studio.begin()
    page.wait_for_selector("#away", state="detached", timeout=15_000)
    page.click("#stop")
    page.wait_for_selector("main[data-state=stopped]", timeout=20_000)
    assert "a checkpoint was kept" in page.inner_text("#end")
    steps = [json.loads(line)["step"] for line in events.read_text().splitlines() if '"learned"' in line]
    assert page.get_attribute("main", "data-step") == str(steps[-1])
    page.locator("#twin-curve").click()
    page.wait_for_selector("[data-part=curve] tbody th")
    rows = page.locator("[data-part=curve] tbody th").all_inner_texts()
    assert [int(row.replace(",", "")) for row in rows] == [
        step for at, step in enumerate(steps) if at % -(-len(steps) // 20) == 0 or at == len(steps) - 1
    ]


def test_events_resume(studio):
    """Numbered from 1 without a gap; Last-Event-ID or ?after= goes on behind it; nonsense begins anew; the end names the job."""
    job = next((job["id"] for job in studio.jobs() if job["state"] == "done"), None) or studio.start(output="resumed.onnx", steps=20)
    while json.loads(studio.ask("GET", f"/api/job?job={job}")[1])["state"] != "done":
        time.sleep(0.05)
    events, end = studio.events(job)
    assert [number for number, _ in events] == list(range(1, len(events) + 1)) and events[-1][1]["event"] == "done"
    assert (end["id"], end["state"], end["ended"]) == (job, "done", True)
    assert studio.events(job, **{"Last-Event-ID": "3"})[0] == events[3:]
    assert studio.events(job, f"&after={len(events)}")[0] == []
    for nonsense in ("-1", "x", "\u00b2", "9" * 30):
        assert studio.events(job, **{"Last-Event-ID": nonsense})[0] == events
    said = json.loads(studio.ask("GET", f"/api/job?job={job}")[1])
    assert said["state"] == "done" and said["model"] in said["output"]


@pytest.mark.parametrize("address", learning.ADDRESSES, ids=lambda address: f"{address.method} {address.path}")
def test_strangers_and_other_sites(studio, address):
    """Nobody but the owner; no change without the token, from another page, or under another name."""
    sent = {} if address.method == "POST" else None
    before = studio.jobs()
    assert studio.ask(address.method, address.path, sent, Cookie=None)[0] == 401
    if address.method == "POST":
        assert studio.ask(address.method, address.path, sent, **{"x-peephole-token": None})[0] == 403
    assert studio.ask(address.method, address.path, sent, Origin="http://evil.example")[0] == 403
    assert studio.ask(address.method, address.path, sent, Host="evil.example")[0] == 421
    assert studio.jobs() == before


@pytest.mark.parametrize("id", ["", "..", "../../x", "000001-00000000", "%00", "a" * 500])
def test_ids_of_nobody(studio, id):
    """A sentence, no file."""
    for method, path, sent in (
        ("GET", f"/api/job?job={id}", None),
        ("GET", f"/api/job/events?job={id}", None),
        ("POST", "/api/job/stop", {"job": id}),
    ):
        status, text = studio.ask(method, path, sent)
        assert status == 404 and "training" in json.loads(text)["error"]


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"data": "photos"},
        {"data": "../x", "output": "a.onnx"},
        {"data": "photos", "output": "../a.onnx"},
        {"data": "photos", "output": "a.onnx", "argv": "x"},
        {"data": "photos", "output": "a.onnx", "seconds": "1"},
    ],
    ids=str,
)
def test_what_cannot_be_trained(studio, sent):
    """A sentence and a hint; nothing is started."""
    before = len(studio.jobs())
    status, text = studio.ask("POST", "/api/train", sent)
    assert status == 400 and json.loads(text)["error"] and json.loads(text)["hint"]
    assert studio.ask("POST", "/api/train", {"data": "x" * 9000, "output": "a.onnx"})[0] == 413
    assert len(studio.jobs()) == before


def test_drawings_that_come_with_it(studio):
    """30 X, 30 O and strangers, written once into the working folder; asking again changes nothing."""
    made = json.loads(studio.ask("POST", "/api/train/drawings", {})[1])["made"]
    files = {path.relative_to(studio.work / made).as_posix(): path.read_bytes() for path in (studio.work / made).rglob("*.png")}
    assert sum(name.startswith("X/") for name in files) == sum(name.startswith("O/") for name in files) == 30
    assert len({name.split("/")[1] for name in files if name.startswith("unknown/")}) >= 20
    (studio.work / made / "X" / "00.png").unlink()
    studio.ask("POST", "/api/train/drawings", {})
    assert not (studio.work / made / "X" / "00.png").exists()
