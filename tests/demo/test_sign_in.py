"""What each account gets from the authorization server, and how clients come to it."""

from __future__ import annotations

import base64
import json
import re
import time

import httpx
import pytest
from conftest import CLIENT_DOCUMENT

from demo.stack.authorization_server import AuthorizationServer
from demo.stack.places import Ports
from demo.stack.processes import Processes
from demo.stack.sign_in import Client, Refused, follow, register

CALLBACK = "http://127.0.0.1:7777/callback"


def parts(token: object) -> tuple[dict[str, object], dict[str, object]]:
    """Header and claims of a JWT, unverified."""
    header, claims, _ = str(token).split(".")
    return tuple(json.loads(base64.urlsafe_b64decode(part + "==")) for part in (header, claims))


def scopes_of(answer: dict[str, object]) -> set[str]:
    return set(str(parts(answer["access_token"])[1].get("scope", "")).split())


@pytest.fixture(scope="module")
def client(server: AuthorizationServer) -> Client:
    return register(server.issuer, [CALLBACK])


@pytest.mark.parametrize(
    ("account", "granted"),
    [
        ("reader", {"mcp:read"}),
        ("writer", {"mcp:read", "mcp:write"}),
        ("admin", {"mcp:read", "mcp:write"}),
    ],
)
def test_an_account_that_asks_for_everything_gets_what_it_may_have(
    server: AuthorizationServer, ports: Ports, client: Client, account: str, granted: set[str]
) -> None:
    answer = client.sign_in(
        server.issuer, account, scope="mcp:read mcp:write", resource=ports.everything
    )
    assert scopes_of(answer) == granted
    assert set(str(answer["scope"]).split()) == granted


def test_an_account_that_asks_for_less_gets_less(
    server: AuthorizationServer, ports: Ports, client: Client
) -> None:
    answer = client.sign_in(server.issuer, "writer", scope="mcp:read", resource=ports.everything)
    assert scopes_of(answer) == {"mcp:read"}


def test_an_access_token_is_what_rfc_9068_says(
    server: AuthorizationServer, ports: Ports, client: Client
) -> None:
    answer = client.sign_in(server.issuer, "writer", scope="mcp:read", resource=ports.everything)
    header, claims = parts(answer["access_token"])
    assert (header["typ"], header["alg"]) == ("at+jwt", "RS256")
    assert header["kid"] in server.key_ids()
    assert claims["iss"] == server.issuer
    assert claims["aud"] == ports.everything
    assert claims["sub"] == "writer"
    assert claims["client_id"] == client.client_id
    assert claims["jti"]
    assert claims["iat"] <= time.time() < claims["exp"]


@pytest.mark.parametrize(("account", "roles"), [("writer", None), ("admin", ["admin"])])
def test_only_admin_has_a_role(
    server: AuthorizationServer,
    ports: Ports,
    client: Client,
    account: str,
    roles: list[str] | None,
) -> None:
    answer = client.sign_in(server.issuer, account, scope="mcp:read", resource=ports.everything)
    assert parts(answer["access_token"])[1].get("roles") == roles


def test_a_registered_scope_does_not_keep_a_client_from_asking_for_more(
    server: AuthorizationServer, ports: Ports
) -> None:
    registered = register(server.issuer, [CALLBACK], scope="mcp:read")
    answer = registered.sign_in(
        server.issuer, "writer", scope="mcp:read mcp:write", resource=ports.everything
    )
    assert scopes_of(answer) == {"mcp:read", "mcp:write"}


def test_a_confidential_client_with_offline_access_can_refresh(
    server: AuthorizationServer, ports: Ports
) -> None:
    confidential = register(
        server.issuer,
        [CALLBACK],
        token_endpoint_auth_method="client_secret_basic",
        grant_types=["authorization_code", "refresh_token"],
    )
    answer = confidential.sign_in(
        server.issuer,
        "writer",
        scope="mcp:read offline_access",
        resource=ports.everything,
        more={"prompt": "consent"},
    )
    refreshed = confidential.token_request(
        server.issuer,
        {
            "grant_type": "refresh_token",
            "refresh_token": str(answer["refresh_token"]),
            "resource": ports.everything,
        },
    )
    assert scopes_of(refreshed) == {"mcp:read"}


def test_a_client_can_be_known_by_its_metadata_document(
    server: AuthorizationServer, ports: Ports
) -> None:
    documented = Client(CLIENT_DOCUMENT["client_id"], CALLBACK)
    answer = documented.sign_in(
        server.issuer, "reader", scope="mcp:read", resource=ports.everything
    )
    assert parts(answer["access_token"])[1]["client_id"] == CLIENT_DOCUMENT["client_id"]


def test_a_request_without_pkce_is_refused(
    server: AuthorizationServer, ports: Ports, client: Client
) -> None:
    request = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": CALLBACK,
        "scope": "mcp:read",
        "resource": ports.everything,
    }
    callback = follow(str(httpx.URL(f"{server.issuer}/auth", params=request)), "reader")
    assert httpx.URL(callback).params["error"] == "invalid_request"


def test_a_resource_of_someone_else_is_refused(server: AuthorizationServer, client: Client) -> None:
    with pytest.raises(Refused, match="invalid_target"):
        client.sign_in(
            server.issuer, "reader", scope="mcp:read", resource="https://elsewhere.example/mcp"
        )


def test_nobody_else_can_sign_in(server: AuthorizationServer, ports: Ports, client: Client) -> None:
    with pytest.raises(Refused, match="reader, writer, admin"):
        client.sign_in(server.issuer, "root", scope="mcp:read", resource=ports.everything)


def test_one_browser_can_sign_in_with_one_account_after_the_other(
    server: AuthorizationServer, ports: Ports, client: Client
) -> None:
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    request = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": CALLBACK,
        "scope": "mcp:read",
        "resource": ports.everything,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    with httpx.Client() as browser:
        for account in ("reader", "admin"):
            page = browser.get(f"{server.issuer}/auth", params=request, follow_redirects=True)
            assert page.status_code == 200
            chosen = browser.post(page.url, data={"account": account})
            answer = browser.get(chosen.headers["Location"])
            assert "code" in httpx.URL(answer.headers["Location"]).params


def test_the_page_names_who_asks_for_what_and_escapes_it(
    server: AuthorizationServer, ports: Ports
) -> None:
    hostile = register(server.issuer, [CALLBACK], client_name="<script>alert(1)</script>")
    request = {
        "response_type": "code",
        "client_id": hostile.client_id,
        "redirect_uri": CALLBACK,
        "scope": "mcp:read",
        "resource": ports.everything,
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
    }
    with httpx.Client(follow_redirects=True) as browser:
        page = browser.get(f"{server.issuer}/auth", params=request).text
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert ports.everything in page
    assert re.findall(r'name="account" value="(\w+)"', page) == ["reader", "writer", "admin"]


def test_an_opaque_token_is_known_to_the_gate_only(
    server: AuthorizationServer, client: Client, opaque_resource: str
) -> None:
    answer = client.sign_in(server.issuer, "admin", scope="mcp:read", resource=opaque_resource)
    token = str(answer["access_token"])
    assert "." not in token
    gate = server.settings.introspection_client
    introspection = f"{server.issuer}/token/introspection"
    known = httpx.post(
        introspection, data={"token": token}, auth=(gate.client_id, gate.client_secret)
    ).json()
    assert known["active"] is True
    assert known["aud"] == opaque_resource
    assert known["sub"] == "admin"
    assert known["roles"] == ["admin"]
    other = httpx.post(introspection, data={"token": token, "client_id": client.client_id})
    assert other.json() == {"active": False}


def test_after_a_rotation_a_new_key_signs_and_the_old_one_is_still_published(
    server: AuthorizationServer, processes: Processes, ports: Ports, client: Client
) -> None:
    def kid() -> object:
        answer = client.sign_in(
            server.issuer, "reader", scope="mcp:read", resource=ports.everything
        )
        return parts(answer["access_token"])[0]["kid"]

    before = kid()
    server.rotate_keys(processes)
    after = kid()
    assert after != before
    assert {before, after} <= set(server.key_ids())


@pytest.mark.parametrize("well_known", ["oauth-authorization-server", "openid-configuration"])
def test_both_discovery_documents_are_served_to_pages_of_any_origin(
    server: AuthorizationServer, well_known: str
) -> None:
    answer = httpx.get(
        f"{server.issuer}/.well-known/{well_known}", headers={"Origin": "http://localhost:6274"}
    )
    assert answer.json()["issuer"] == server.issuer
    assert answer.json()["code_challenge_methods_supported"] == ["S256"]
    assert answer.headers["Access-Control-Allow-Origin"] in ("*", "http://localhost:6274")


@pytest.mark.parametrize("path", ["/reg", "/token", "/jwks", "/.well-known/openid-configuration"])
def test_browser_clients_may_ask_from_another_origin(
    server: AuthorizationServer, path: str
) -> None:
    answer = httpx.options(
        f"{server.issuer}{path}",
        headers={
            "Origin": "http://localhost:6274",
            "Access-Control-Request-Method": "GET" if "jwks" in path or "known" in path else "POST",
            "Access-Control-Request-Headers": "content-type,mcp-protocol-version",
        },
    )
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] in ("*", "http://localhost:6274")
    assert "content-type" in answer.headers["Access-Control-Allow-Headers"].lower()


def test_a_request_under_another_name_is_refused(server: AuthorizationServer) -> None:
    answer = httpx.get(f"{server.issuer}/auth", headers={"Host": "rebound.example"})
    assert answer.status_code == 421


def test_a_client_that_is_known_from_the_start_gets_an_identity_token(
    server: AuthorizationServer,
) -> None:
    assert server.settings.clients
    [known] = server.settings.clients
    client = Client(known.client_id, known.redirect_uris[0], known.client_secret)
    answer = client.sign_in(server.issuer, "writer", scope="openid", resource=None)
    _, claims = parts(answer["id_token"])
    assert (claims["iss"], claims["sub"], claims["aud"]) == (
        server.issuer,
        "writer",
        known.client_id,
    )
