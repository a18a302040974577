"""What a person does in a browser, without one: follow links, and press buttons on pages."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.client import HTTPMessage
from http.cookiejar import CookieJar
from typing import IO

TIMEOUT = 15
MOST_PAGE_BYTES = 1 << 20


@dataclass
class Form:
    """A form: where it goes, what it says by itself, and its buttons as (name, value)."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Page:
    """A page as it came."""

    url: str
    status: int
    heading: str
    text: str
    forms: Sequence[Form]


class Browser:
    """A browser of one person, with its cookies."""

    def __init__(self) -> None:
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPCookieProcessor(CookieJar()),
            _Redirects(self),
        )

    def leave(self, url: str) -> bool:
        """Whether to follow a redirect; for tests that stop on the way."""
        return True

    def open(self, url: str) -> Page:
        """Go to an address, wherever that leads."""
        return self._load(urllib.request.Request(url))

    def press(self, page: Page, form: Form, button: tuple[str, str] | None) -> Page:
        """Send a form of a page with one of its buttons."""
        told = {**form.fields, **dict([button] if button and button[0] else [])}
        body = urllib.parse.urlencode(told).encode()
        target = urllib.parse.urljoin(page.url, form.action)
        origin = urllib.parse.urlsplit(page.url)
        headers = {"Origin": f"{origin.scheme}://{origin.netloc}"}
        return self._load(urllib.request.Request(target, body, headers))

    def _load(self, request: urllib.request.Request) -> Page:
        try:
            answer = self._opener.open(request, timeout=TIMEOUT)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            content = answer.read(MOST_PAGE_BYTES).decode("utf-8", errors="replace")
            reader = _Reader()
            reader.feed(content)
            return Page(
                answer.geturl(),
                answer.status,
                " ".join("".join(reader.heading).split()),
                " ".join("".join(reader.text).split()),
                reader.forms,
            )


class _Redirects(urllib.request.HTTPRedirectHandler):
    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if not self._browser.leave(newurl):
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Reader(HTMLParser):
    """Finds the heading, the text and the forms of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.heading: list[str] = []
        self.text: list[str] = []
        self.forms: list[Form] = []
        self._inside: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self._inside.add(tag)
        given: Mapping[str, str] = {name: value or "" for name, value in attrs}
        name, value = given.get("name", ""), given.get("value", "")
        if tag == "form":
            self.forms.append(Form(given.get("action", "")))
        elif "form" not in self._inside or not self.forms:
            return
        elif tag == "button" or (tag == "input" and given.get("type") == "submit"):
            self.forms[-1].buttons.append((name, value))
        elif tag == "input" and name:
            self.forms[-1].fields[name] = value

    def handle_endtag(self, tag: str) -> None:
        self._inside.discard(tag)

    def handle_data(self, data: str) -> None:
        if "h1" in self._inside:
            self.heading.append(data)
        elif "main" in self._inside and not self._inside & {"style", "script", "form"}:
            self.text.append(data)
