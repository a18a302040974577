"""The connect page in Chromium: by keyboard alone, without scripts, against real servers.

Both authorization servers are the demonstration's (oidc-provider). Every test
has an account or a server of its own, since what is connected stays so.
"""

from __future__ import annotations

from harness.people import People, Seen
from harness.service import TokenService

PHONE = {"width": 320, "height": 640}


def fine(page: Seen, status: int = 200) -> Seen:
    """A page without complaints of the browser, in a language, that fits."""
    assert page.status == status, page
    assert page.problems == []
    assert page.language == "en"
    assert not page.tooWide
    return page


def account(name: str) -> str:
    """The button of an account at the demonstration's authorization servers."""
    rights = {
        "reader": "mcp:read",
        "writer": "mcp:read mcp:write",
        "admin": "mcp:read mcp:write, role admin",
    }
    return f"{name}: may have {rights[name]}"


def account_at_notes(name: str) -> str:
    return f"{name}: may have notes:read notes:write"


def sign_in(people: People, link: str, name: str, person: str = "person") -> Seen:
    """Open a link and sign in where its page leads to."""
    page = fine(people.open(person, link, PHONE))
    host = page.title
    assert host.startswith("Sign in to connect ")
    button = next(
        line.split('"')[1] for line in page.tree.splitlines() if 'button "Sign in at ' in line
    )
    people.press(person, button)
    return people.press(person, account(name))


def test_an_account_is_connected_by_keyboard_alone(
    token_service: TokenService, people: People
) -> None:
    link = token_service.link("notes", "reader")
    page = fine(sign_in(people, link, "reader"))
    assert page.url == link
    assert page.title == "Connect Notes"
    assert 'heading "Connect Notes" [level=1]' in page.tree
    assert 'heading "Notes" [level=2]' in page.tree
    assert 'region "Notes"' in page.tree
    assert "You are signed in as" in page.tree
    assert "reader" in page.tree
    assert "notes:read" in page.tree
    assert "notes:write" in page.tree

    at_provider = people.press("person", "Connect Notes")
    assert at_provider.outline != "none"
    assert at_provider.url.startswith(f"{token_service.ports.notes_issuer}/interaction/")
    assert at_provider.problems == []
    done = fine(people.press("person", account_at_notes("reader")))
    assert done.url == f"{token_service.url}/connected"
    assert 'heading "Connected" [level=1]' in done.tree
    assert token_service.authorize("notes", "reader") == {
        "status": "authenticated",
        "method": "oauth",
    }


def test_another_persons_link_is_refused_and_one_can_sign_in_as_its_owner(
    token_service: TokenService, people: People
) -> None:
    link = token_service.link("archive", "writer")
    page = fine(sign_in(people, link, "reader"), 403)
    assert 'heading "This link is for somebody else" [level=1]' in page.tree
    assert "alert: You are signed in as reader" in page.tree
    assert "writer" not in page.tree
    people.press("person", "Sign in as someone else")
    page = fine(people.press("person", account("writer")))
    assert page.url == link
    assert page.title == "Connect Archive"


def test_whoever_cancels_can_try_again(token_service: TokenService, people: People) -> None:
    link = token_service.link("archive", "admin")
    page = fine(people.open("person", link))
    people.press("person", f"Sign in at {token_service.ports.issuer.partition('//')[2]}")
    page = fine(people.press("person", "Cancel"), 403)
    assert 'heading "You are not signed in" [level=1]' in page.tree
    page = fine(people.press("person", "Back to the link", "link"))
    page = fine(sign_in(people, link, "admin"))
    people.press("person", "Connect Archive")
    page = fine(people.press("person", "Cancel"))
    assert "alert: You did not agree, so Archive is not connected." in page.tree
    people.press("person", "Connect Archive")
    page = fine(people.press("person", account_at_notes("admin")))
    assert page.url == f"{token_service.url}/connected"
    # The link itself has gone.
    page = fine(people.open("person", link), 410)
    assert "call the tool again" in page.tree


def test_a_virtual_server_is_walked_to_its_end_though_the_service_is_killed_on_the_way(
    token_service: TokenService, people: People
) -> None:
    link = token_service.link("all", "writer", redirectURL=token_service.portal)
    page = fine(sign_in(people, link, "writer"))
    for source in ("Notes", "Archive", "Tickets"):
        assert f'region "{source}"' in page.tree
    assert 'region "Open"' not in page.tree

    people.press("person", "Connect Archive")
    token_service.restart_after_kill()
    page = fine(people.press("person", account_at_notes("writer")))
    assert page.tree.count("Connected.") == 1

    assert 'textbox "TICKET_KEY"' in page.tree
    people.type("person", "TICKET_KEY", "key-of-writer")
    token_service.restart_after_kill()
    page = fine(people.press("person", "Connect Tickets"))
    assert page.tree.count("Connected.") == 2
    assert "key-of-writer" not in page.tree
    assert token_service.authorize("all", "writer")["status"] == "authentication_required"

    token_service.restart_after_kill()
    people.press("person", "Connect Notes")
    token_service.restart_after_kill()
    page = fine(people.press("person", account_at_notes("writer")))
    assert page.url == token_service.portal
    assert token_service.authorize("all", "writer")["status"] == "authenticated"


def test_whoever_has_gone_to_another_browser_is_sent_back(
    token_service: TokenService, people: People
) -> None:
    link = token_service.link("archive", "reader")
    sign_in(people, link, "reader", "at home")
    page = fine(people.open("at work", link))
    assert page.title == "Sign in to connect Archive"
    at_provider = people.press("at home", "Connect Archive")
    assert at_provider.problems == []
    page = fine(people.open("at work", link), 410)
    assert "no longer good" in page.tree
