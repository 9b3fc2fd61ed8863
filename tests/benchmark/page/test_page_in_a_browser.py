"""A real browser opens the page: no error on its console, no request, the words on the screen.

Set PERSONVIT_NO_BROWSER=1 to leave this file out on a machine that must not have a browser.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from personvit.benchmark.page import write_page
from personvit.benchmark.report_data import ReportData

WANTED = os.environ.get("PERSONVIT_NO_BROWSER") != "1"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
    "--enable-logging=stderr",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)

if WANTED:

    @pytest.fixture
    def browser(tmp_path: Path):
        """Opens a file in a fresh profile and gives what it wrote to both streams."""
        program = shutil.which("chromium")
        if program is None:
            pytest.fail(
                "no browser named 'chromium' on the PATH; install one (Debian: apt-get install -y "
                "chromium), or set PERSONVIT_NO_BROWSER=1 to leave the browser out"
            )

        def open_in(page: Path, *more: str) -> subprocess.CompletedProcess[str]:
            profile = tmp_path / "profile"
            command = [program, *FLAGS, f"--user-data-dir={profile}", *more, page.as_uri()]
            done = subprocess.run(command, capture_output=True, text=True, timeout=120)
            shutil.rmtree(profile, ignore_errors=True)
            assert done.returncode == 0, done.stderr
            return done

        return open_in

    @pytest.fixture
    def page(full_report: ReportData, tmp_path: Path) -> Path:
        write_page(tmp_path / "index.html", full_report)
        return tmp_path / "index.html"

    def console(stderr: str) -> list[str]:
        return [line for line in stderr.split("\n") if "CONSOLE" in line]

    def requests(log: Path) -> list[str]:
        """Addresses the page asked for, by the browser's own log; what the browser asks for on
        its own account has no initiator there, and its names are not resolved (FLAGS)."""
        lines = (line.rstrip(",") for line in log.read_text("utf-8").split("\n"))
        events = (json.loads(line) for line in lines if line.startswith('{"params":{"initiator"'))
        told = [event["params"] for event in events]
        return [
            each["url"]
            for each in told
            if each["initiator"] != "not an origin" and not each["url"].startswith("file:")
        ]

    def test_it_opens_without_errors_and_without_a_request(browser, page, tmp_path) -> None:
        log = tmp_path / "net.json"
        done = browser(page, "--dump-dom", f"--log-net-log={log}")
        assert "Where it hurts most" in done.stdout
        assert console(done.stderr) == []
        assert requests(log) == []

    def test_the_checks_above_would_notice(browser, tmp_path: Path) -> None:
        careless = tmp_path / "careless.html"
        careless.write_text(
            '<img src="http://example.invalid/x.png"><script>console.error("no")</script>'
        )
        log = tmp_path / "net.json"
        done = browser(careless, "--dump-dom", f"--log-net-log={log}")
        assert console(done.stderr)
        assert requests(log)

    @pytest.mark.parametrize("width", [500, 1280])
    def test_the_verdict_is_seen_at_once_and_nothing_hangs_out(
        browser, page: Path, tmp_path, width: int
    ) -> None:
        """The paper is one colour: beyond the margin of the content there is nothing else."""
        shot = tmp_path / "shot.png"
        browser(page, f"--screenshot={shot}", f"--window-size={width},2400")
        pixels = np.asarray(Image.open(shot).convert("RGB"))
        assert pixels.shape[1] == width
        assert (pixels[:, -4:] == pixels[0, -1]).all()
        first_screen = pixels[:420].reshape(-1, 3)
        assert (first_screen == (0xE4, 0xF3, 0xE9)).all(axis=1).mean() > 0.05
