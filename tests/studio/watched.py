"""A page of the browser under the eyes of a test."""

from typing import Any

from live import Live


class Watched:
    """A page of the browser, and what it complained of and asked for."""

    def __init__(self, page: Any, live: Live) -> None:
        self.page, self.live = page, live
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.dialogs: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.complaints.append(f"{message.text} {message.location.get('url', '')}"))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))
        page.set_default_timeout(8000)

    @property
    def elsewhere(self) -> list[str]:
        """Requests that did not go to the server."""
        return [url for url in self.requests if not url.startswith((self.live.url, "data:", f"blob:{self.live.url}"))]

    def go(self, tab: str = "see", **values: object) -> Any:
        """Open a place of the page, as a link would, and wait until it is traced where it is traced."""
        query = "&".join(f"{name}={value}" for name, value in values.items())
        self.page.goto(f"{self.live.url}#{tab}{'?' + query if query else ''}")
        if tab == "see" and "model" in values:
            self.page.wait_for_selector("#main[data-traced]")
        return self.page

    def calm(self) -> None:
        """Nothing was asked elsewhere, nothing complained, no dialog came."""
        assert (self.elsewhere, self.complaints, self.dialogs) == ([], [], [])
