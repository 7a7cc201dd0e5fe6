"""The Train tab: a real training seen in a browser while it goes, also over the death of the server; its addresses hold against strangers."""

import http.client
import json
import socket
import threading
import time

import pytest
import uvicorn

from drawings import folder
from peephole.studio import learning
from peephole.studio.app import Served, Server, build
from peephole.studio.auth import Auth
from peephole.studio.house import House

SMALL = {"network": "plain", "filters": [4], "hidden": 12, "threads": 1, "steps": 60}


class Studio:
    """A page's server in a thread, on a port of its own, which can be stopped and begun again; and an owner who sends requests."""

    def __init__(self, work):
        """Take a free port."""
        self.work, self.visitor, self.token = work, "", ""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def begin(self):
        """Serve; return the code."""
        self.house = House.open(self.work)
        auth = Auth(self.house.state)
        application = build(self.house, auth, Served(port=self.port))
        options = {"log_level": "error", "ws": "none", "lifespan": "off"}
        self.server = Server(uvicorn.Config(application, host="127.0.0.1", port=self.port, **options), self.house)
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)
        return auth.code

    def end(self):
        """Stop serving; trainings go on."""
        self.server.should_exit = True
        self.thread.join()
        self.house.jobs.close()

    def ask(self, method, path, sent=None, **headers):
        """Send a request as the owner; return the status and what came back."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        body = None if sent is None else json.dumps(sent)
        cookie = {"cookie": f"peephole-{self.port}={self.visitor}"} if self.visitor else {}
        line.request(method, path, body, cookie | {"x-peephole-token": self.token, "content-type": "application/json"} | headers)
        answer = line.getresponse()
        found = answer.status, answer.read().decode(), answer.headers
        line.close()
        return found

    def login(self, code):
        """Become the owner."""
        self.visitor = self.ask("GET", "/")[2]["set-cookie"].partition("=")[2].partition(";")[0]
        self.token = json.loads(self.ask("GET", "/api/hello")[1])["token"]
        _, text, headers = self.ask("POST", "/api/login", {"code": code})
        self.visitor, self.token = headers["set-cookie"].partition("=")[2].partition(";")[0], json.loads(text)["token"]

    def start(self, **more):
        """Start a small training; return its id."""
        status, text, _ = self.ask("POST", "/api/train", {"data": "photos", "output": "xo.onnx"} | SMALL | more)
        assert status == 200, text
        return json.loads(text)["id"]


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    """A studio on a folder of drawings, its owner logged in."""
    work = tmp_path_factory.mktemp("train-page")
    folder(work / "photos", 6, strangers="=IL")
    found = Studio(work)
    found.login(found.begin())
    yield found
    for job in found.house.jobs.list():
        found.house.jobs.stop(job.id)
    while any(not job.ended for job in found.house.jobs.list()):
        time.sleep(0.05)
    found.end()


@pytest.fixture
def page(browser, studio):
    """The page of the owner; requests and complaints are collected on it."""
    context = browser.new_context(locale="en-US", reduced_motion="reduce")
    context.add_cookies([{"name": f"peephole-{studio.port}", "value": studio.visitor, "url": f"http://127.0.0.1:{studio.port}"}])
    page = context.new_page()
    page.requests, page.complaints = [], []
    page.on("request", lambda request: page.requests.append(request.url))
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.visit = lambda hash_: page.goto(f"http://127.0.0.1:{studio.port}/{hash_}")
    yield page
    context.close()


def told(text):
    """Return the ids and events of a stream, and the job that ends it."""
    parts = [dict(line.split(": ", 1) for line in part.split("\n")) for part in text.split("\n\n") if part]
    events = [(int(part["id"]), json.loads(part["data"])) for part in parts if "id" in part]
    return events, next(json.loads(part["data"]) for part in parts if part.get("event") == "end")


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
    job = studio.house.jobs.list()[0]
    assert (job.state, job.train.output, job.train.seconds, job.train.filters, dict(job.train.vary)) == ("done", "page.onnx", 5, (4,), {"rotate": 5})
    events, _ = told(studio.ask("GET", f"/api/job/events?job={job.id}")[1])
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
    assert page.get_attribute("#see-it", "href") == "#see?model=page.onnx"
    assert all(url.startswith(f"http://127.0.0.1:{studio.port}/") for url in page.requests) and page.complaints == []
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
    job = next((job.id for job in studio.house.jobs.list() if job.state == "done"), None) or studio.start(output="resumed.onnx", steps=20)
    status, text, headers = studio.ask("GET", f"/api/job/events?job={job}")
    events, end = told(text)
    assert status == 200 and headers["content-type"].startswith("text/event-stream")
    assert [number for number, _ in events] == list(range(1, len(events) + 1)) and events[-1][1]["event"] == "done"
    assert (end["id"], end["state"], end["ended"]) == (job, "done", True)
    assert told(studio.ask("GET", f"/api/job/events?job={job}", **{"last-event-id": "3"})[1])[0] == events[3:]
    assert told(studio.ask("GET", f"/api/job/events?job={job}&after={len(events)}")[1])[0] == []
    for nonsense in ("-1", "x", "²", "9" * 30):
        assert told(studio.ask("GET", f"/api/job/events?job={job}", **{"last-event-id": nonsense.encode()})[1])[0] == events
    said = json.loads(studio.ask("GET", f"/api/job?job={job}")[1])
    assert said["state"] == "done" and said["model"] in said["output"]


@pytest.mark.parametrize("address", learning.ADDRESSES, ids=lambda address: f"{address.method} {address.path}")
def test_strangers_and_other_sites(studio, address):
    """Nobody but the owner; no change without the token, from another page, or under another name."""
    sent = {} if address.method == "POST" else None
    owner, token = studio.visitor, studio.token
    before = studio.house.jobs.list()
    try:
        studio.visitor = ""
        assert studio.ask(address.method, address.path, sent)[0] == 401
        studio.visitor, studio.token = owner, ""
        assert address.method == "GET" or studio.ask(address.method, address.path, sent)[0] == 403
        studio.token = token
        assert studio.ask(address.method, address.path, sent, origin="http://evil.example")[0] == 403
        assert studio.ask(address.method, address.path, sent, host="evil.example")[0] == 421
    finally:
        studio.visitor, studio.token = owner, token
    assert studio.house.jobs.list() == before


@pytest.mark.parametrize("id", ["", "..", "../../x", "000001-00000000", "%00", "a" * 500])
def test_ids_of_nobody(studio, id):
    """A sentence, no file."""
    for method, path, sent in (
        ("GET", f"/api/job?job={id}", None),
        ("GET", f"/api/job/events?job={id}", None),
        ("POST", "/api/job/stop", {"job": id}),
    ):
        status, text, _ = studio.ask(method, path, sent)
        assert status == 400 and "training" in json.loads(text)["error"]


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
    before = len(studio.house.jobs.list())
    status, text, _ = studio.ask("POST", "/api/train", sent)
    assert status == 400 and json.loads(text)["error"] and json.loads(text)["hint"]
    assert studio.ask("POST", "/api/train", {"data": "x" * 9000, "output": "a.onnx"})[0] == 413
    assert len(studio.house.jobs.list()) == before


def test_drawings_that_come_with_it(studio):
    """30 X, 30 O and strangers, written once into the working folder; asking again changes nothing."""
    made = json.loads(studio.ask("POST", "/api/train/drawings", {})[1])["made"]
    files = {path.relative_to(studio.work / made).as_posix(): path.read_bytes() for path in (studio.work / made).rglob("*.png")}
    assert sum(name.startswith("X/") for name in files) == sum(name.startswith("O/") for name in files) == 30
    assert len({name.split("/")[1] for name in files if name.startswith("unknown/")}) >= 20
    (studio.work / made / "X" / "00.png").unlink()
    studio.ask("POST", "/api/train/drawings", {})
    assert not (studio.work / made / "X" / "00.png").exists()
