"""http:// and https://: a camera that gives a picture when asked (snapshot), or one after the other (MJPEG, multipart/x-mixed-replace)."""

import ssl
import threading
from collections.abc import Iterator
from email.message import Message
from http.client import HTTPException, HTTPResponse
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPBasicAuthHandler,
    HTTPDigestAuthHandler,
    HTTPPasswordMgrWithDefaultRealm,
    HTTPRedirectHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

from peephole.gateway.clock import Clock
from peephole.gateway.live import Live, Picture
from peephole.gateway.trust import AUTHORITY, Trust, kind_of, words_of
from peephole.gateway.webline import HTTP, HTTPS, renew

__all__ = ["MOST", "WebSensor"]

TIMEOUT = 3.0
MOST = 20 * 2**20  # bytes of a picture
LINE = 4096  # bytes of a line between two parts
RESTS = (0.5, 1.0, 2.0)


class _Stay(HTTPRedirectHandler):
    """Follows no redirect: the address in DOOR.toml is the camera, and no other."""

    def redirect_request(self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str) -> None:  # noqa: PLR0917  # urllib's own
        """Refuse, so that urllib reports the code itself."""


class WebSensor(Live):
    """Asks for pictures from a thread of its own; an answer that is a stream is followed, any other is asked for again every `every` seconds."""

    def __init__(self, url: str, clock: Clock, every: float = 0.5, login: tuple[str, str] | None = None) -> None:
        """`login` is a name and a password, sent only where the camera asks for them (basic or digest)."""
        super().__init__(url, clock, pace=every)
        self._url, self._every = url, every
        self._opener = _opener(url, login)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="web camera", daemon=True)

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def end(self) -> None:
        """End it; an answer that is under way is given up after its timeout."""
        self._stop.set()
        self._thread.join(TIMEOUT + 1)

    def _run(self) -> None:
        failed = 0
        while not self._stop.is_set():
            try:
                with self._opener.open(Request(self._url, headers={"User-Agent": "peephole"}), timeout=TIMEOUT) as answer:
                    self._take(answer)
            except HTTPError as error:
                failed, self._trouble = failed + 1, f"the camera answers {error.code} ({_printable(error.reason)})"
                error.close()
            except (URLError, HTTPException, OSError, ValueError) as error:
                failed, self._trouble = failed + 1, f"the camera does not answer: {_printable(_cause(error))}"
            except Exception as error:  # whatever a hostile answer finds, the thread must go on asking
                failed, self._trouble = failed + 1, f"the camera's answer cannot be understood: {type(error).__name__}"
            else:
                failed = 0
            self._stop.wait(RESTS[min(failed - 1, len(RESTS) - 1)] if failed else self._every)

    def _take(self, answer: HTTPResponse) -> None:
        kind = answer.headers.get_content_type()
        if kind == "multipart/x-mixed-replace":
            for data in _parts(answer):
                self._show(data)
                renew(answer)
                if self._stop.is_set():
                    return
            raise OSError("the stream ended")
        if not kind.startswith("image/") and kind != "application/octet-stream":
            raise ValueError(f"it sends {kind}, not a picture")
        self._show(_whole(answer, _length(answer.headers)))

    def _show(self, data: bytes) -> None:
        """Leave a picture as it came. It is decoded only when the watch takes it: otherwise a fast stream would wait in the line and grow old."""
        self._slot.put(Picture(self._clock.monotonic(), self._clock.wall(), data))


def _opener(url: str, login: tuple[str, str] | None) -> OpenerDirector:
    passwords = HTTPPasswordMgrWithDefaultRealm()
    # One context for all pictures: reading the computer's authorities anew twice a second would cost more than the pictures do.
    handlers: list[Any] = [ProxyHandler({}), _Stay(), HTTP(), HTTPS(Trust().context())]
    if login is not None:
        place = urlsplit(url)
        passwords.add_password(None, f"{place.scheme}://{place.netloc}/", *login)
        handlers += [HTTPBasicAuthHandler(passwords), HTTPDigestAuthHandler(passwords)]
    return build_opener(*handlers)


def _length(headers: Message) -> int | None:
    """Return the announced length; raises ValueError for one that is no number or too large."""
    text = headers.get("Content-Length")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 12 and int(text) <= MOST):
        raise ValueError(f"a picture of '{text[:20]}' bytes is too large: at most {MOST >> 20} MB")
    return int(text)


def _whole(answer: IO[bytes], length: int | None) -> bytes:
    """Read a picture of a known length, or to the end of the answer; raises ValueError beyond the cap."""
    data = answer.read(MOST + 1 if length is None else length)
    if len(data) > MOST:
        raise ValueError(f"a picture is larger than {MOST >> 20} MB")
    return data


def _parts(answer: HTTPResponse) -> Iterator[bytes]:
    """Yield the pictures of a multipart answer (RFC 2046; cameras differ in whether the boundary brings its own dashes)."""
    named = answer.headers.get_param("boundary")
    if not isinstance(named, str) or not 0 < len(named.strip()) <= 200:
        raise ValueError("its stream names no boundary")
    mark = "--" + named.strip().removeprefix("--")
    marked = False
    while True:
        if not marked:
            line = answer.readline(LINE)
            if not line:
                return
            if not line.strip().decode("latin-1").startswith(mark):
                continue
        head = Message()
        for _ in range(32):
            name, _colon, value = answer.readline(LINE).decode("latin-1").strip().partition(":")
            if not name:
                break
            head[name] = value.strip()
        length = _length(head)
        marked = length is None  # the boundary behind it is read with the picture
        yield _until(answer, mark.encode("latin-1")) if length is None else _whole(answer, length)


def _until(answer: HTTPResponse, mark: bytes) -> bytes:
    """Read lines up to the next boundary, for cameras that announce no length."""
    data = bytearray()
    while True:
        line = answer.readline(LINE)
        if not line or line.startswith(mark):
            return bytes(data).removesuffix(b"\n").removesuffix(b"\r")
        data += line
        if len(data) > MOST:
            raise ValueError(f"a picture is larger than {MOST >> 20} MB")


def _cause(error: Exception) -> object:
    """Say what kept a camera from answering."""
    cause = error.reason if isinstance(error, URLError) else error
    if not isinstance(cause, ssl.SSLError):
        return cause
    return f"{words_of(cause)}{f'; {AUTHORITY}' if kind_of(cause) == 'authority' else ''}"


def _printable(text: object) -> str:
    return "".join(letter for letter in str(text) if letter.isprintable())[:300]
