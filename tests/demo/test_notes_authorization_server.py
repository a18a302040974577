"""The authorization server of the notes server: the same program, somebody else's service."""

from __future__ import annotations

import httpx
import pytest
from test_sign_in import CALLBACK, parts

from demo.stack.authorization_server import AuthorizationServer
from demo.stack.places import Ports
from demo.stack.sign_in import Client, Refused, register

SCOPE = "notes:read notes:write"


@pytest.fixture(scope="module")
def client(notes_issuer: AuthorizationServer) -> Client:
    """A client as the token service registers one."""
    return register(
        notes_issuer.issuer,
        [CALLBACK],
        token_endpoint_auth_method="client_secret_basic",
        grant_types=["authorization_code", "refresh_token"],
    )


@pytest.fixture
def granted(
    notes_issuer: AuthorizationServer, ports: Ports, client: Client
) -> dict[str, object]:
    """The tokens of an account that has just agreed."""
    return client.sign_in(
        notes_issuer.issuer, "reader", scope=SCOPE, resource=ports.notes_upstream
    )


def refresh(server: AuthorizationServer, client: Client, token: object) -> dict[str, object]:
    form = {"grant_type": "refresh_token", "refresh_token": str(token)}
    return client.token_request(server.issuer, form)


def test_it_has_the_same_accounts_with_scopes_of_its_own(
    notes_issuer: AuthorizationServer, ports: Ports, client: Client
) -> None:
    for account in ("reader", "writer", "admin"):
        answer = client.sign_in(
            notes_issuer.issuer, account, scope=SCOPE, resource=ports.notes_upstream
        )
        _, claims = parts(answer["access_token"])
        assert (claims["iss"], claims["sub"]) == (ports.notes_issuer, account)
        assert claims["aud"] == ports.notes_upstream
        assert claims["scope"] == SCOPE


def test_it_gives_refresh_tokens_without_being_asked_for_offline_access(
    notes_issuer: AuthorizationServer, client: Client, granted: dict[str, object]
) -> None:
    _, claims = parts(granted["access_token"])
    assert claims["exp"] - claims["iat"] == granted["expires_in"] == 60
    renewed = refresh(notes_issuer, client, granted["refresh_token"])
    assert renewed["refresh_token"] != granted["refresh_token"]
    assert parts(renewed["access_token"])[1]["sub"] == "reader"


def test_a_refresh_token_that_comes_twice_ends_the_grant(
    notes_issuer: AuthorizationServer, client: Client, granted: dict[str, object]
) -> None:
    renewed = refresh(notes_issuer, client, granted["refresh_token"])
    with pytest.raises(Refused, match="invalid_grant"):
        refresh(notes_issuer, client, granted["refresh_token"])
    with pytest.raises(Refused, match="invalid_grant"):
        refresh(notes_issuer, client, renewed["refresh_token"])


def test_a_revoked_refresh_token_is_of_no_use(
    notes_issuer: AuthorizationServer, client: Client, granted: dict[str, object]
) -> None:
    metadata = httpx.get(f"{notes_issuer.issuer}/.well-known/oauth-authorization-server").json()
    answer = httpx.post(
        metadata["revocation_endpoint"],
        data={"token": granted["refresh_token"], "token_type_hint": "refresh_token"},
        auth=(client.client_id, str(client.client_secret)),
    )
    assert answer.status_code == 200
    with pytest.raises(Refused, match="invalid_grant"):
        refresh(notes_issuer, client, granted["refresh_token"])


def test_it_says_that_its_authorization_responses_carry_the_issuer(
    notes_issuer: AuthorizationServer,
) -> None:
    metadata = httpx.get(f"{notes_issuer.issuer}/.well-known/oauth-authorization-server").json()
    assert metadata["authorization_response_iss_parameter_supported"] is True
    assert metadata["scopes_supported"] == ["openid", "offline_access"]


def test_the_servers_do_not_share_cookies(
    server: AuthorizationServer, notes_issuer: AuthorizationServer, ports: Ports
) -> None:
    def cookies(at: AuthorizationServer, resource: str) -> set[str]:
        request = {
            "response_type": "code",
            "client_id": "make-token",
            "redirect_uri": f"{at.issuer}/make-token",
            "resource": resource,
            "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            "code_challenge_method": "S256",
        }
        with httpx.Client(follow_redirects=True) as browser:
            assert browser.get(f"{at.issuer}/auth", params=request).status_code == 200
            return set(browser.cookies.keys())

    first = cookies(server, ports.everything)
    second = cookies(notes_issuer, ports.notes_upstream)
    assert first and second
    assert not first & second


def test_neither_server_grants_tokens_for_the_other(
    server: AuthorizationServer, notes_issuer: AuthorizationServer, ports: Ports
) -> None:
    for at, resource in ((server, ports.notes_upstream), (notes_issuer, ports.everything)):
        with pytest.raises(Refused, match="invalid_target"):
            Client.for_tokens(at.issuer).sign_in(
                at.issuer, "reader", scope="openid", resource=resource
            )
