"""For every test: what could not run is named, and fails the run in CI; and nothing that
a test started outlives the run, also where that is ended from outside.
"""

from __future__ import annotations

import os
import signal

import pytest

# Before anything reads it: the build of the native tests serves these as well.
os.environ.setdefault("MCP_TOKEN_SERVICE_PROFILE", "dev")


def pytest_configure() -> None:
    # As Ctrl-C, which lets fixtures stop what they have started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.stats.get("skipped", []):
        terminalreporter.write_line(f"could not run: {report.nodeid}: {report.longrepr[2]}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
