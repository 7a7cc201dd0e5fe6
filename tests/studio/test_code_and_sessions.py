"""The code that stands in the terminal: what wrong ones cost, how long right ones last, and where none of it is ever written."""

import json
import logging
import re
import shutil
import stat
import subprocess
import sys
import threading
import time

import pytest
from live import free_port, running, until

from peephole.base.errors import OutputError
from peephole.studio import auth as auths
from peephole.studio.auth import ALPHABET, Auth, Refusal
from peephole.studio.house import STATE, House


class Clock:
    """Monotonic and wall clock for `auth`, set by hand."""

    def __init__(self) -> None:
        self.now, self.wall = 1000.0, 1_790_000_000.0

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return self.now

    def time(self) -> float:
        """Seconds since 1970."""
        return self.wall


@pytest.fixture
def clock(monkeypatch) -> Clock:
    """Clocks that tests set."""
    found = Clock()
    monkeypatch.setattr(auths, "time", found)
    return found


WRONG = "AAAAAAAAAA"


def wrong(auth: Auth, times: int) -> list[Refusal]:
    found = [auth.let_in(WRONG) for _ in range(times)]
    assert all(isinstance(each, Refusal) for each in found)
    return found


def test_the_code_is_long_and_can_be_read_aloud(tmp_path):
    """50 bits, no letters that look alike, another at every start, accepted as people type it."""
    codes = {Auth(tmp_path / str(at)).code for at in range(50)}
    assert len(codes) == 50 and all(len(code) == 10 and set(code) <= set(ALPHABET) for code in codes)
    assert len(ALPHABET) ** 10 > 2**49 and not set("01OIL") & set(ALPHABET)
    auth = Auth(tmp_path / "typed")
    assert isinstance(auth.let_in(f" {auth.code[:5].lower()}-{auth.code[5:]} "), str)


def test_five_wrong_codes_cost_half_a_minute(tmp_path, clock):
    """Meanwhile even the right one is not heard; then it is, and the count begins anew."""
    auth = Auth(tmp_path)
    assert [each.seconds for each in wrong(auth, 5)] == [0, 0, 0, 0, 30]
    clock.now += 29.9
    assert auth.let_in(auth.code) == Refusal("login.wait", pytest.approx(0.1, abs=1e-6))
    clock.now += 0.2
    assert isinstance(auth.let_in(auth.code), str)
    assert [each.key for each in wrong(auth, 5)] == ["login.wrong"] * 5


def test_waiting_is_not_counted(tmp_path, clock):
    """Whoever knocks during the wait neither lengthens it nor comes nearer to the end."""
    auth = Auth(tmp_path)
    wrong(auth, 5)
    assert {each.key for each in wrong(auth, 100)} == {"login.wait"}
    clock.now += 31
    assert isinstance(auth.let_in(auth.code), str)


def test_fifty_wrong_codes_end_it_until_a_person_acts(tmp_path, clock):
    """Neither time nor a restart helps, nor the right code; --unlock does."""
    auth = Auth(tmp_path)
    for _ in range(10):
        wrong(auth, 5)
        clock.now += 31
    assert auth.let_in(auth.code) == Refusal("login.disabled")
    clock.now += 1e6
    again = Auth(tmp_path)
    assert again.let_in(again.code) == Refusal("login.disabled")
    unlocked = Auth(tmp_path, unlock=True)
    assert isinstance(unlocked.let_in(unlocked.code), str)
    later = Auth(tmp_path)
    assert isinstance(later.let_in(later.code), str)


@pytest.mark.parametrize("spent", [1, 3, 4, 5, 7, 49])
def test_restarts_forget_no_wrong_code(tmp_path, clock, spent):
    """A restart after each try is no cheaper than none: the count on disk never falls, and a wait begins anew."""
    for at in range(spent):
        auth = Auth(tmp_path)
        assert json.loads((tmp_path / "failures.json").read_text())["failures"] == at if at else True
        clock.now += 31
        auth.let_in(WRONG)
    assert json.loads((tmp_path / "failures.json").read_text()) == {"failures": spent}
    after = Auth(tmp_path).let_in("x")
    assert after == (Refusal("login.wait", 30.0) if spent % 5 == 0 else Refusal("login.wrong", 30.0 if (spent + 1) % 5 == 0 else 0.0))


def test_a_damaged_count_is_no_fresh_start(tmp_path, clock):
    """What cannot be read counts as one short of the end."""
    wrong(Auth(tmp_path), 3)
    for text in ("", "{", "[]", '{"failures": -1}', '{"failures": "0"}', '{"failures": 1e9}', "\0" * 40):
        (tmp_path / "failures.json").write_text(text)
        auth = Auth(tmp_path)
        assert auth.let_in(WRONG).key == "login.wrong" and auth.let_in(auth.code).key == "login.disabled"


def test_sessions_expire_and_clocks_that_lie_end_them(tmp_path, clock):
    """30 days; a clock before the session began makes it invalid too."""
    auth = Auth(tmp_path)
    visitor = auth.let_in(auth.code)
    assert auth.is_owner(visitor) and Auth(tmp_path).is_owner(visitor)
    for seconds, wanted in ((30 * 86400 - 1, True), (30 * 86400 + 1, False), (-1, False)):
        clock.wall = 1_790_000_000.0 + seconds
        assert auth.is_owner(visitor) is wanted
    clock.wall = 1_790_000_000.0
    auth.let_out(visitor)
    assert not auth.is_owner(visitor)


def test_only_the_newest_sessions_are_kept(tmp_path, clock):
    """The 21st pushes the oldest out."""
    auth, visitors = Auth(tmp_path), []
    for _ in range(21):
        clock.wall += 1
        visitors.append(auth.let_in(auth.code))
    assert [auth.is_owner(each) for each in visitors] == [False] + [True] * 20


@pytest.mark.parametrize("text", ["", "[]", "{", '{"x": "y"}', '{"x": NaN}', "null", '{"x": true}'])
def test_damaged_sessions_let_nobody_in(tmp_path, text):
    """The owner gives the code again."""
    auth = Auth(tmp_path)
    visitor = auth.let_in(auth.code)
    (tmp_path / "sessions.json").write_text(text)
    assert not auth.is_owner(visitor) and not auth.is_owner("") and not auth.is_owner("x")
    assert auth.is_owner(auth.let_in(auth.code))


def test_what_is_kept_gives_nobody_a_session(tmp_path):
    """Neither ids nor code lie on disk, only digests; all of it is readable by its user alone."""
    house = House.open(tmp_path)
    auth = Auth(house.state)
    visitor = auth.let_in(auth.code)
    wrong(auth, 1)
    text = b"".join(path.read_bytes() for path in house.state.rglob("*") if path.is_file())
    assert visitor.encode() not in text and auth.code.encode() not in text and auth.token(visitor).encode() not in text
    assert stat.S_IMODE(house.state.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in house.state.iterdir() if path.is_file() and path.name != ".gitignore"}
    assert modes == dict.fromkeys(("secret", "sessions.json", "failures.json"), 0o600)


def test_a_folder_that_anybody_could_read_is_closed(tmp_path):
    """An existing folder and secret of 0755 and 0644 become 0700 and 0600."""
    state = tmp_path / STATE
    state.mkdir(mode=0o755)
    (state / "secret").write_bytes(bytes(32))
    (state / "secret").chmod(0o644)
    Auth(state)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (state, state / "secret")] == [0o700, 0o600]


def test_a_copied_folder_brings_no_session(tmp_path):
    """Somebody unpacks an archive with a folder in which a stranger had been let in: the stranger is not."""
    auth = Auth(tmp_path / "theirs")
    visitor = auth.let_in(auth.code)
    shutil.copytree(tmp_path / "theirs", tmp_path / "mine")
    mine = Auth(tmp_path / "mine")
    assert auth.is_owner(visitor) and not mine.is_owner(visitor) and mine.token(visitor) != auth.token(visitor)


def test_a_state_folder_that_is_a_link_is_refused(tmp_path):
    """A link in an unpacked folder would write elsewhere."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / STATE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="link"):
        House.open(tmp_path / "folder")
    assert not [*(tmp_path / "elsewhere").iterdir()]


def test_two_at_once_share_one_count(tmp_path):
    """Many lines at once do not buy more tries than one after another."""
    with running(tmp_path) as live:
        headers, answers = live.visitor(), []
        threads = [threading.Thread(target=lambda: answers.append(live.login(WRONG, headers).json["error"])) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == ["login.wait"] * 7 + ["login.wrong"] * 5
        assert live.login(live.auth.code, headers).json["error"] == "login.wait"
    with running(tmp_path) as live:
        assert live.login(live.auth.code).json == {"error": "login.wait", "seconds": pytest.approx(30, abs=3)}
    with running(tmp_path, unlock=True) as live:
        assert live.login(live.auth.code).status == 200


BODIES = [
    b"", b"null", b"[]", b'"x"', b"{", b"{}", b'{"code": null}', b'{"code": 5}', b'{"code": ["a"]}', b'{"code": "' + b"A" * 200 + b'"}',
    b'{"code": "\\ud800"}', b'{"code": "\\u0000"}', b"\xff\xfe", b"[" * 990, b'{"code":' * 120, b'{"code": "caf\xc3\xa9"}', b"NaN", b"9" * 900,
]  # fmt: skip


def test_odd_bodies_are_wrong_codes(tmp_path):
    """None of them is an error of the server, and each answer is one sentence."""
    with running(tmp_path) as live:
        headers = live.visitor()
        for body in BODIES:
            found = live.ask("POST", "/api/login", headers, body)
            assert found.status in (400, 403) and found.json["error"], body


def test_a_session_of_another_port_is_none(tmp_path):
    """Two pages on one computer are two: their cookies have other names, for cookies know no ports."""
    with running(tmp_path / ".." / tmp_path.name) as one:
        owner = one.owner()
        assert one.ask("GET", "/api/hello", owner).json["owner"] is True
        other = owner | {"Cookie": owner["Cookie"].replace(str(one.port), "1")}
        assert one.ask("GET", "/api/hello", other).json["owner"] is False


def test_a_planted_cookie_does_not_become_the_owner(tmp_path):
    """Somebody sets the visitor's cookie beforehand: after the code it is another one (session fixation)."""
    with running(tmp_path) as live:
        planted = f"peephole-{live.port}=planted"
        token = live.ask("GET", "/api/hello", {"Cookie": planted}).json["token"]
        found = live.login(live.auth.code, {"Cookie": planted, "x-peephole-token": token})
        assert found.status == 200 and planted not in found.headers["set-cookie"]
        assert live.ask("GET", "/api/hello", {"Cookie": planted}).json["owner"] is False


def test_leaving_ends_the_session(tmp_path):
    """The cookie that was is nobody's."""
    with running(tmp_path) as live:
        owner = live.owner()
        assert live.ask("POST", "/api/logout", owner, b"{}").status == 200
        assert live.ask("GET", "/api/hello", owner).json["owner"] is False
        assert live.ask("POST", "/api/logout", owner, b"{}").status == 401


def test_the_code_is_said_nowhere(tmp_path, browser, caplog):
    """Not in a response, an address that is asked for, a referrer, a log line, or the history of the browser."""
    caplog.set_level(logging.DEBUG)
    with running(tmp_path) as live:
        context = browser.new_context()
        page, seen = context.new_page(), []
        page.on("request", lambda request: seen.append(f"{request.url} {request.headers}"))
        page.on("response", lambda response: seen.append(f"{response.headers}"))
        page.goto(f"{live.url}#code={live.auth.code}")
        until(page, "document.querySelectorAll('#tools button').length === 3 && document.title.includes('·')")
        page.wait_for_timeout(300)
        assert live.auth.code not in page.url and live.auth.code not in page.content()
        assert page.evaluate("document.cookie") == "" and page.evaluate("JSON.stringify([localStorage, sessionStorage])").find(live.auth.code) < 0
        assert seen and not any(live.auth.code in line for line in seen)
        context.close()
        assert live.auth.code not in caplog.text
        text = b"".join(path.read_bytes() for path in live.folder.rglob("*") if path.is_file())
        assert live.auth.code.encode() not in text


def test_pasting_the_address_into_an_open_page_lets_in(tmp_path, browser):
    """Only what stands behind # changes: the page is not loaded anew, and the code counts all the same."""
    with running(tmp_path) as live:
        context = browser.new_context(locale="en-US")
        page = context.new_page()
        page.goto(live.url)
        page.wait_for_selector("#tools button:has-text('Enter code')")
        page.goto(f"{live.url}#code={live.auth.code}")
        page.wait_for_selector("#tools button:has-text('Leave')")
        assert live.auth.code not in page.url
        context.close()


def test_wrong_codes_on_the_page(tmp_path, browser):
    """The dialog says what happened, keeps the focus, counts, and takes the right code in the end."""
    with running(tmp_path) as live:
        context = browser.new_context(locale="en-US")
        page = context.new_page()
        page.goto(live.url)
        page.click("#tools button:has-text('Enter code')")
        for at in range(6):
            page.fill("#code", WRONG)
            page.keyboard.press("Enter")
            wanted = "That is not the code." if at < 5 else "Too many wrong codes. Wait"
            until(page, f"document.querySelector('dialog [role=alert]').textContent.startsWith('{wanted}')")
            assert page.evaluate("document.querySelector('dialog').contains(document.activeElement)")
        live.auth._lockout = auths.restarted(auths.PATIENCE, auths.Kept(), time.monotonic())
        page.fill("#code", live.auth.code.lower())
        page.keyboard.press("Enter")
        page.wait_for_selector("#tools button:has-text('Leave')")
        page.click("#tools button:has-text('Leave')")
        page.wait_for_selector("#tools button:has-text('Enter code')")
        context.close()


def test_the_command_prints_the_address_and_unlocks(tmp_path):
    """`peephole studio` in a process of its own: the code stands in the terminal, other lines do not; --unlock forgets."""
    Auth(tmp_path / STATE)
    (tmp_path / STATE / "failures.json").write_text('{"failures": 50}')
    port = str(free_port())
    started = subprocess.Popen(
        [sys.executable, "-m", "peephole", "studio", str(tmp_path), "--port", port, "--unlock"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        line = started.stdout.readline().decode()
        found = re.search(rf"http://127\.0\.0\.1:{port}/#code=([{ALPHABET}]{{10}})", line)
        assert found, line
        assert json.loads((tmp_path / STATE / "failures.json").read_text()) == {"failures": 0}
    finally:
        started.terminate()
        rest = started.communicate(timeout=20)[0].decode()
    assert found[1] not in rest
