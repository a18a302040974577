"""`make test-envoys`: the end-to-end tests on one Envoy of each supported minor version."""

from __future__ import annotations

import subprocess
import sys

from demo.stack.envoy import SUPPORTED


def main() -> None:
    """Run them all, and then name those that failed."""
    failed = []
    for version in SUPPORTED:
        print(f"==> Envoy {version}", flush=True)
        where = ["tests/e2e", "--ignore=tests/e2e/keycloak", f"--envoy-version={version}"]
        tests = [sys.executable, "-m", "pytest", "-q", *where]
        if subprocess.run(tests).returncode != 0:
            failed.append(version)
    if failed:
        sys.exit(f"error: the tests failed on Envoy {', '.join(failed)}")


if __name__ == "__main__":
    main()
