"""The shared gates: the demonstration's policy, with servers for the other cases beside it."""

from __future__ import annotations

from .bootstrap import HOLDING, PLAIN, Json, Setup, connection_manager
from .issuer import ALGORITHMS

ROOT_HOST = "root.example"
OPEN_ORIGIN = "http://localhost:6274"


def demonstration(policy: Json) -> None:
    """The demonstration's own server, and others at paths of their own."""
    policy["issuers"][0]["algorithms"] = list(ALGORITHMS)
    everything = policy["servers"][0]
    origin = everything["resource"].removesuffix("/everything/mcp")
    anything = [
        {
            "id": "all",
            "what": {"tools": ["*"], "prompts": ["*"], "resources": ["**"], "methods": ["*"]},
        }
    ]

    def beside(name: str, **changes: object) -> Json:
        return {
            "id": name,
            "resource": f"{origin}/{name}/mcp",
            "issuers": ["demo"],
            "rules": anything,
            **changes,
        }

    policy["servers"] += [
        beside("notes", scopes=["mcp:read"], obtainable_scopes=[{"scopes": ["mcp:write"]}]),
        beside("modern", protocol_versions=["2026-07-28"]),
        beside("audited", audit_arguments=["path"], extra_methods=["vendor/*"]),
        beside("trial", audit_only=True, rules=[{"id": "echo", "what": {"tools": ["echo"]}}]),
        beside("root", resource=f"http://{ROOT_HOST}"),
        beside(
            "identities",
            identity_headers={
                "subject": "x-user",
                "issuer": None,
                "scopes": "x-scopes",
                "subject_type": "x-kind",
            },
            remove_headers=["x-internal"],
        ),
    ]


def impatient(config: Json) -> None:
    """Envoy lets a second pass before it closes a connection, with what is no HTTP, say."""
    connection_manager(config)["delayed_close_timeout"] = "0.005s"


def bare(config: Json) -> None:
    """As Envoys elsewhere may be: nothing is cleaned up or refused before the filter."""
    manager = connection_manager(config)
    manager["normalize_path"] = False
    manager["merge_slashes"] = False
    manager["path_with_escaped_slashes_action"] = "KEEP_UNCHANGED"
    manager["common_http_protocol_options"]["headers_with_underscores_action"] = "ALLOW"
    impatient(config)


def with_state_keys(policy: Json) -> None:
    """What travels with the client is bound to it; and servers whose answers are treated
    otherwise than the demonstration's."""
    demonstration(policy)
    policy["state_keys"] = [STATE_KEY]
    everything = policy["servers"][0]
    origin = everything["resource"].removesuffix("/everything/mcp")

    def like_everything(name: str, **changes: object) -> Json:
        return {**everything, "id": name, "resource": f"{origin}/{name}/mcp", **changes}

    refused = {"sampling": False, "elicitation": False, "roots": False}
    hosts = ["connect.example.com", "*.example.com:8443"]
    policy["servers"] += [
        like_everything("sparse", lists={"obtainable": "hidden"}),
        like_everything("asks-nothing", client_features=refused),
        like_everything("opens-urls", client_features={"url_elicitation_hosts": hosts}),
        like_everything("lists-tasks", tasks_list="trusted"),
    ]


STATE_KEY: Json = {"id": "2026-11", "secret": "the-state-key-of-the-tests-in-2026-11"}
# The gates of one kind, by header mode.
BARE = {HOLDING: "bare-holding", PLAIN: "bare-plain"}
HOSTILE = {HOLDING: "hostile-holding", PLAIN: "hostile-plain"}
KEYED = {HOLDING: "keyed-holding", PLAIN: "keyed-plain"}
# Plain mode has two workers, which share nothing.
SHARED = {
    HOLDING: Setup(HOLDING, policy=demonstration),
    PLAIN: Setup(PLAIN, concurrency=2, policy=demonstration),
    **{BARE[mode]: Setup(mode, policy=demonstration, envoy=bare) for mode in BARE},
    **{HOSTILE[mode]: Setup(mode, policy=demonstration, envoy=impatient) for mode in HOSTILE},
    KEYED[HOLDING]: Setup(HOLDING, policy=with_state_keys, envoy=impatient),
    KEYED[PLAIN]: Setup(PLAIN, concurrency=2, policy=with_state_keys, envoy=impatient),
}
