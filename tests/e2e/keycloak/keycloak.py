"""A Keycloak of the tests' own, from Maven Central."""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import httpx

from demo.stack.errors import StackError
from demo.stack.places import CACHE, LOOPBACK
from demo.stack.ports import free_ports
from demo.stack.processes import Child, Processes, http_answers
from demo.stack.stamps import once

VERSION = "26.4.0"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
ARTIFACT = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
REALM_FILE = Path(__file__).parent / "realm.json"
REALM = "demo"
# A JVM on two busy cores takes its time.
START_SECONDS = 240


@dataclass(frozen=True)
class Keycloak:
    """A running Keycloak with the realm of `realm.json`."""

    port: int
    child: Child

    @property
    def issuer(self) -> str:
        """The realm's issuer identifier."""
        return f"http://{LOOPBACK}:{self.port}/realms/{REALM}"

    @property
    def token_endpoint(self) -> str:
        """Where tokens are asked for, and exchanged."""
        return f"{self.issuer}/protocol/openid-connect/token"

    def token(self, user: str, client: str = "mcp-client") -> str:
        """An access token of a user, whose password is the name."""
        form = {"grant_type": "password", "client_id": client, "username": user, "password": user}
        answer = httpx.post(self.token_endpoint, data=form, timeout=30)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])


def install(processes: Processes) -> Path:
    """The unpacked distribution."""
    directory = CACHE / "keycloak"
    home = directory / f"keycloak-{VERSION}"

    def fetch() -> None:
        for tool in ("java", "mvn"):
            if shutil.which(tool) is None:
                raise StackError(
                    f"{tool} is not on the PATH; Keycloak needs Java 17 or newer, "
                    "and is fetched with Maven"
                )
        shutil.rmtree(directory, ignore_errors=True)
        processes.run(
            "the download of Keycloak",
            ["mvn", "-q", "-B", COPY, f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={directory}"],
        )
        (archive,) = directory.glob("*.zip")
        with zipfile.ZipFile(archive) as content:
            content.extractall(directory)
        archive.unlink()
        (home / "bin" / "kc.sh").chmod(0o755)

    once(directory, ARTIFACT.encode(), fetch)
    return home


def start(processes: Processes, directory: Path, *, resource: str, secret: str) -> Keycloak:
    """Start it, with a data directory of its own."""
    home = Path(shutil.copytree(install(processes), directory / "keycloak"))
    realm = REALM_FILE.read_text(encoding="utf-8")
    imports = home / "data" / "import"
    imports.mkdir(parents=True)
    (imports / "realm.json").write_text(
        realm.replace("RESOURCE", resource).replace("SECRET", secret), encoding="utf-8"
    )
    port, management = free_ports(2)
    child = processes.start(
        "keycloak",
        [
            *(str(home / "bin" / "kc.sh"), "start-dev", "--import-realm"),
            *("--http-host", LOOPBACK, "--http-port", str(port)),
            *("--http-management-port", str(management), "--cache", "local"),
        ],
    )
    keycloak = Keycloak(port, child)
    metadata = f"{keycloak.issuer}/.well-known/openid-configuration"
    processes.wait_until("Keycloak", lambda: http_answers(metadata), START_SECONDS)
    return keycloak
