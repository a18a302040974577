"""`make connect`: what a person does in the browser when the notes server wants their consent.

ACCOUNT comes from the environment, where make puts the variables of its command line.
"""

from __future__ import annotations

import os
import sys
import urllib.parse

from .account import Account
from .stack.browser import Browser, Form, Page
from .stack.errors import StackError
from .stack.places import Ports
from .stack.token_service import NOTES

CONNECTED = "authenticated"
MOST_PAGES = 10


def connect(name: str, ports: Ports) -> str:
    """Connect an account to the notes server; says how it went."""
    account = Account(name, ports, "connect")
    status = account.authorize(NOTES)
    if status["status"] == CONNECTED:
        return f"{name} is connected to {NOTES} already"
    walk(str(status["authorization_endpoint"]), name)
    status = account.status(NOTES)
    if status["status"] != CONNECTED:
        raise StackError(f"{name} is not connected to {NOTES}: {status.get('reason', status['status'])}")
    return f"{name} is connected to {NOTES}"


def walk(link: str, account: str, browser: Browser | None = None) -> Page:
    """Open a consent link and agree to everything as this account; the last page."""
    browser = browser or Browser()
    try:
        page = browser.open(link)
        for _ in range(MOST_PAGES):
            if page.status >= 400:
                raise StackError(f"{_place(page)} answers {page.status}: {page.heading} {page.text}".strip())
            # Signing in as someone else leads round in a circle.
            form = next((each for each in page.forms if "again" not in each.fields), None)
            if form is None:
                return page
            page = browser.press(page, form, _button(form, account))
    except OSError as error:
        raise StackError(f"the way through the pages was cut off: {error}") from error
    raise StackError(f"no end after {MOST_PAGES} pages; the last is {_place(page)}: {page.heading}")


def _button(form: Form, account: str) -> tuple[str, str] | None:
    """The account, where one is to be chosen; else the first button, which goes on."""
    chosen = ("account", account)
    return chosen if chosen in form.buttons else next(iter(form.buttons), None)


def _place(page: Page) -> str:
    # Without the rest, which may be a handle or a code.
    parts = urllib.parse.urlsplit(page.url)
    return f"{parts.scheme}://{parts.netloc}"


def main() -> None:
    """Connect, and say how it went in one line."""
    try:
        print(connect(os.environ.get("ACCOUNT", ""), Ports()))
    except StackError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
