"""`personvit-deploy serve` as a user runs it: a process, a Unix socket, a service manager."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from personvit.deploy_jetson.cli import main
from personvit.engines.catalogue import open_engine


def asked(client, path, image) -> dict:
    status, said, _ = client(path, "POST", "/embed", image)
    assert status == 200, said
    return json.loads(said)


def test_it_answers_what_the_bundles_engine_answers(
    run_service, client, bundles, make_picture
) -> None:
    running = run_service()
    images = [make_picture(seed) for seed in range(12)]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda image: asked(client, running.path, image), images))
    crops = np.stack([pixels(image) for image in images])
    with open_engine(str(bundles[0]), "openvino") as engine:
        wanted = engine.embed(crops)
    rows = np.array([one["embeddings"][0] for one in found])
    cosines = (rows * wanted).sum(1) / np.linalg.norm(rows, axis=1) / np.linalg.norm(wanted, axis=1)
    assert cosines.min() > 0.9999
    code, _, err = running.stop()
    assert code == 0, err
    assert not running.path.exists()


def pixels(image: bytes) -> np.ndarray:
    from personvit.core.images import decode

    return decode(image, "a picture")


def test_only_its_group_may_open_the_socket(run_service) -> None:
    running = run_service()
    assert stat.S_IMODE(running.path.stat().st_mode) == 0o660


def test_it_pings_the_watchdog_and_tells_its_state(run_service, manager) -> None:
    running = run_service(watchdog_us=300_000)
    manager.wait_for("WATCHDOG=1", 3)
    running.stop()
    manager.wait_for("STOPPING=1")
    assert any("STATUS=slot a: small 1 (cpu)" in message for message in manager.messages)


def test_a_switched_slot_is_served_without_a_restart(
    run_service, home, client, manager, make_picture
) -> None:
    running = run_service()
    before = asked(client, running.path, make_picture(0))
    home.switch(home.slot("b"))
    manager.wait_for("READY=1", 2)
    after = asked(client, running.path, make_picture(0))
    assert before["digest"] != after["digest"]
    assert before["space_id"] != after["space_id"]
    health = json.loads(client(running.path, "GET", "/health")[1])
    assert (health["serves"]["slot"], health["serves"]["name"]) == ("b", "small 2")
    assert running.stop()[0] == 0


def test_a_broken_slot_is_refused_and_the_old_one_serves_on(
    run_service, home, client, manager, make_picture
) -> None:
    running = run_service()
    before = asked(client, running.path, make_picture(0))
    shutil.copy(home.slot("a").bundle, home.slot("b").bundle)
    home.switch(home.slot("b"))
    manager.wait_for("READY=1", 2)
    status, said, _ = client(running.path, "GET", "/health")
    assert status == 200
    assert "was changed after it was installed" in json.loads(said)["refused_reload"]
    assert asked(client, running.path, make_picture(0)) == before
    home.switch(home.slot("a"))
    running.process.send_signal(signal.SIGHUP)
    manager.wait_for("READY=1", 3)
    assert json.loads(client(running.path, "GET", "/health")[1])["state"] == "serving"


def test_a_second_service_is_refused_and_a_killed_ones_socket_is_not_in_the_way(
    run_service, home, client, capfd, make_picture
) -> None:
    first = run_service()
    assert main.run(["serve", "--home", str(home.path)]) == 3
    assert "another service answers" in capfd.readouterr().err
    first.process.kill()
    first.process.communicate()
    assert first.path.exists()
    second = run_service()
    assert asked(client, second.path, make_picture(0))["digest"]


def test_it_listens_on_the_loopback_only_where_a_port_is_asked_for(home, make_picture) -> None:
    program = "from personvit.deploy_jetson.cli import main; main()"
    words = [sys.executable, "-c", program, "serve", "--home", str(home.path), "--port", "0"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        line = process.stderr.readline()
        assert line.startswith("listening on 127.0.0.1:"), line
        port = int(line.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=30) as raw:
            raw.sendall(b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n")
            assert raw.recv(100).startswith(b"HTTP/1.1 200 OK")
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
        assert process.wait() == 0


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--socket", "x", "--port", "1"], 1, "not both"),
        (["--socket", "x" * 120], 1, "too long"),
        (["--socket", os.devnull], 1, "is no socket"),
    ],
)
def test_what_cannot_be_listened_on_is_a_sentence(home, capfd, words, code, sentence) -> None:
    assert main.run(["serve", "--home", str(home.path), *words]) == code
    assert sentence in capfd.readouterr().err


def test_an_empty_home_and_a_damaged_slot_are_refused_at_the_start(home, tmp_path, capfd) -> None:
    assert main.run(["serve", "--home", str(tmp_path)]) == 3
    assert "nothing serves" in capfd.readouterr().err
    assert main.run(["serve", "--check", "--home", str(home.path)]) == 0
    assert "slot a is sound" in capfd.readouterr().out
    shutil.copy(home.slot("b").bundle, home.slot("a").bundle)
    assert main.run(["serve", "--check", "--home", str(home.path)]) == 3
    assert "was changed after it was installed" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (503, b'{"error": "too many connections; try again"}', "too many connections"),
        (200, b'{"serves": 5}', "nothing of its health"),
        (200, b"[" * 200_000, "not JSON"),
    ],
)
def test_health_of_what_is_not_our_service_is_a_sentence(short_path, capfd, status, body, said):
    path = short_path / "other.sock"
    head = f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with socket.socket(socket.AF_UNIX) as bound, ThreadPoolExecutor(1) as pool:
        bound.bind(str(path))
        bound.listen()

        def answer() -> None:
            with bound.accept()[0] as talk:
                talk.recv(4096)
                talk.sendall(head + body)

        pool.submit(answer)
        assert main.run(["health", "--socket", str(path)]) == 3
    assert said in capfd.readouterr().err
