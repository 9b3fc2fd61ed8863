"""The service with an engine that obeys the test: what it answers, refuses and survives."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from personvit.core.errors import EnvironmentMismatch
from personvit.deploy_jetson.serve_http import LARGEST_AT_ONCE, Limits


def test_one_crop_and_several_get_the_engines_rows_in_order(
    service, client, make_picture, make_multipart
) -> None:
    images = [make_picture(seed) for seed in range(5)]
    body, headers = make_multipart(images)
    found = {}

    def talk() -> None:
        found["each"] = [client(service.path, "POST", "/embed", image)[1] for image in images]
        found["all"] = client(service.path, "POST", "/embed", body, headers)
        binary = {**headers, "Accept": "application/octet-stream"}
        found["binary"] = client(service.path, "POST", "/embed", body, binary)

    answered, whole = service.during(talk)
    assert (answered, whole) == (7, True)
    together = json.loads(found["all"][1])
    rows = np.array(together["embeddings"], dtype=np.float32)
    each = [json.loads(one)["embeddings"][0] for one in found["each"]]
    np.testing.assert_array_equal(rows, np.array(each, dtype=np.float32))
    assert {together[key] for key in ("space_id", "encoder_id", "digest")} == {"first-id"}
    status, data, told = found["binary"]
    assert status == 200
    assert (told["x-personvit-rows"], told["x-personvit-dimension"]) == ("5", "32")
    assert told["x-personvit-space-id"] == "first-id"
    np.testing.assert_array_equal(np.frombuffer(data, "<f4").reshape(5, 32), rows)


def test_concurrent_clients_share_batches_and_get_their_own_rows(
    service, client, make_picture
) -> None:
    images = [make_picture(seed) for seed in range(24)]
    found = {}

    def talk() -> None:
        found["alone"] = [client(service.path, "POST", "/embed", image)[1] for image in images]
        service.model.engine.batches.clear()
        with ThreadPoolExecutor(12) as pool:
            asked = [pool.submit(client, service.path, "POST", "/embed", one) for one in images]
            found["together"] = [one.result()[1] for one in asked]

    service.during(talk, test_every_s=600.0, window_s=0.05)
    assert found["together"] == found["alone"]
    batches = service.model.engine.batches
    assert max(batches) > 1
    assert max(batches) <= service.model.largest


@pytest.mark.parametrize(
    ("body", "headers", "status", "words"),
    [
        (b"", {}, 400, "there are no bytes"),
        (b"hello", {}, 400, "image 0"),
        (b"\xff\xd8\xff" + bytes(50), {}, 400, "image 0"),
        (b"x", {"Content-Type": "multipart/form-data"}, 400, "no boundary"),
        (b"x", {"Content-Type": "multipart/form-data; boundary=b"}, 400, "begin and end"),
        (bytes(5000), {}, 413, "5000 bytes are more"),
    ],
)
def test_what_is_no_image_gets_a_sentence(service, client, body, headers, status, words) -> None:
    found = {}

    def talk() -> None:
        found["refused"] = client(service.path, "POST", "/embed", body, headers)
        found["health"] = client(service.path, "GET", "/health")

    service.during(talk, limits=Limits(body=4096))
    assert found["refused"][0] == status
    assert words in json.loads(found["refused"][1])["error"]
    assert "--skip-bad" not in json.loads(found["refused"][1])["error"]
    assert found["health"][0] == 200


def test_bodies_together_have_a_budget_and_health_is_answered_meanwhile(service, client) -> None:
    found = {}
    begun = b"POST /embed HTTP/1.1\r\nContent-Length: 1000\r\n\r\nhalf"

    def talk() -> None:
        with contextlib.ExitStack() as slow:
            for _ in range(LARGEST_AT_ONCE):
                raw = slow.enter_context(socket.socket(socket.AF_UNIX))
                raw.connect(str(service.path))
                raw.sendall(begun)
            found["first"] = until_refused(client, service.path)
            found["health"] = client(service.path, "GET", "/health")
        found["then"] = until_taken(client, service.path)

    service.during(talk, limits=Limits(body=1000, seconds=30.0))
    assert "too much is being sent" in found["first"][1].decode()
    assert found["first"][2]["retry-after"] == "1"
    assert found["health"][0] == 200
    assert found["then"][0] == 400  # read and judged: it is no image


def until_refused(client, path):
    return next(said for said in attempts(client, path) if said[0] == 503)


def until_taken(client, path):
    return next(said for said in attempts(client, path) if said[0] != 503)


def attempts(client, path):
    """The slow requests are noticed, and forgotten, a moment after they were sent or left."""
    for _ in range(500):
        yield client(path, "POST", "/embed", b"x" * 1000)
        time.sleep(0.01)


def test_one_bad_image_refuses_its_request_by_number(
    service, client, make_picture, make_multipart
) -> None:
    body, headers = make_multipart([make_picture(0), b"nothing", make_picture(1)])
    found = {}

    def talk() -> None:
        found["refused"] = client(service.path, "POST", "/embed", body, headers)

    service.during(talk)
    assert found["refused"][0] == 400
    assert "image 1" in json.loads(found["refused"][1])["error"]


def exchange(path, data: bytes, patient: bool = True) -> bytes:
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(30)
        raw.connect(str(path))
        raw.sendall(data)
        if not patient:
            raw.shutdown(socket.SHUT_WR)
        said = b""
        while piece := raw.recv(65536):
            said += piece
        return said


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nbad line\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 404),
        (b"GET /embed HTTP/1.1\r\nConnection: close\r\n\r\n", 405),
        (b"POST /embed HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST /embed HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /embed HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400),
        (b"GET /health HTTP/1.1\r\nX: " + b"x" * 40000 + b"\r\n\r\n", 431),
        (b"POST /embed HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf", 408),
        (b"GET /health HTTP/1.0\r\n\r\n", 200),
    ],
)
def test_requests_that_are_not_http_are_refused_and_closed(service, data, status) -> None:
    found = {}

    def talk() -> None:
        found["said"] = exchange(service.path, data)

    service.during(talk, limits=Limits(seconds=0.5))
    assert found["said"].startswith(b"HTTP/1.1 %d " % status)
    assert b"Connection: close" in found["said"]


def test_noise_and_clients_that_leave_end_nothing_but_their_own_connection(
    service, client, make_picture
) -> None:
    found = {}
    rng = np.random.default_rng(0)
    image = make_picture(0)

    def talk() -> None:
        for _ in range(60):
            noise = rng.integers(0, 256, int(rng.integers(1, 300)), dtype=np.uint8).tobytes()
            start = [b"", b"POST /embed HTTP/1.1\r\n", b"POST /embed HTTP/1.1\r\nContent-Length: "]
            exchange(service.path, start[rng.integers(3)] + noise, patient=False)
            with socket.socket(socket.AF_UNIX) as raw:  # asks, and does not wait for the answer
                raw.connect(str(service.path))
                raw.sendall(b"POST /embed HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(image))
                raw.sendall(image[: int(rng.integers(1, len(image) + 1))])
        found["health"] = client(service.path, "GET", "/health")
        found["embed"] = client(service.path, "POST", "/embed", image)

    service.during(talk, limits=Limits(seconds=2.0), test_every_s=600.0)
    assert found["health"][0] == 200
    assert found["embed"][0] == 200


def test_a_full_queue_refuses_at_once_and_says_when_to_return(
    service, client, make_picture, wait_until
) -> None:
    found = {}
    engine = service.model.engine

    def talk() -> None:
        engine.go.clear()
        with ThreadPoolExecutor(2) as pool:
            asked = [
                pool.submit(client, service.path, "POST", "/embed", make_picture(seed))
                for seed in range(2)
            ]
            wait_until(lambda: waiting(client, service.path) == 2)
            found["refused"] = client(service.path, "POST", "/embed", make_picture(3))
            engine.go.set()
            found["answered"] = [one.result()[0] for one in asked]

    service.during(talk, queue=2, test_every_s=600.0)
    status, said, headers = found["refused"]
    assert status == 503
    assert headers["retry-after"] == "1"
    assert "2 crops are waiting" in json.loads(said)["error"]
    assert found["answered"] == [200, 200]


def waiting(client, path) -> int:
    return json.loads(client(path, "GET", "/health")[1])["waiting"]


def test_an_engine_that_hangs_times_requests_out_and_stops_the_watchdog(
    service, client, make_picture, manager, wait_until
) -> None:
    found = {}
    engine = service.model.engine

    def talk() -> None:
        manager.wait_for("WATCHDOG=1", 3)
        engine.go.clear()
        found["late"] = client(service.path, "POST", "/embed", make_picture(0))
        wait_until(lambda: client(service.path, "GET", "/health")[0] == 503)
        found["health"] = json.loads(client(service.path, "GET", "/health")[1])
        before = manager.count("WATCHDOG=1")
        failed = "personvit_self_tests_failed_total"
        wait_until(lambda: number(client, service.path, failed) >= 5)
        found["pings"] = manager.count("WATCHDOG=1") - before
        engine.go.set()
        manager.wait_for("WATCHDOG=1", before + 1)
        found["again"] = client(service.path, "POST", "/embed", make_picture(0))[0]

    service.during(talk, limits=Limits(seconds=0.4))
    assert found["late"][0] in (503, 504)  # whichever of the two limits was noticed first
    assert "has not answered" in found["health"]["self_test"]["said"]
    assert found["pings"] == 0
    assert found["again"] == 200


def number(client, path, name: str) -> float:
    text = client(path, "GET", "/metrics")[1].decode()
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(name))


@pytest.mark.parametrize("how", ["drift", "failure"])
def test_an_engine_that_drifts_or_fails_serves_nobody_and_stops_the_watchdog(
    service, client, make_picture, manager, wait_until, how
) -> None:
    found = {}

    def talk() -> None:
        manager.wait_for("WATCHDOG=1")
        setattr(service.model.engine, how, "broken")
        wait_until(lambda: client(service.path, "GET", "/health")[0] == 503)
        before = manager.count("WATCHDOG=1")
        found["embed"] = client(service.path, "POST", "/embed", make_picture(0))
        failed = "personvit_self_tests_failed_total"
        wait_until(lambda: number(client, service.path, failed) >= 5)
        found["pings"] = manager.count("WATCHDOG=1") - before

    service.during(talk)
    assert found["embed"][0] == 503
    assert "golden crop" in json.loads(found["embed"][1])["error"]
    assert found["pings"] == 0
    assert any("FAILING" in message for message in manager.messages)


def test_a_failing_batch_is_an_answer_and_not_the_end(service, client, make_picture) -> None:
    found = {}

    def talk() -> None:
        service.model.engine.failure = "no memory left"
        found["failed"] = client(service.path, "POST", "/embed", make_picture(0))
        service.model.engine.failure = ""
        found["next"] = client(service.path, "POST", "/embed", make_picture(0))

    service.during(talk, test_every_s=600.0)
    assert found["failed"][0] == 500
    assert "no memory left" in json.loads(found["failed"][1])["error"]
    assert found["next"][0] == 200


def test_a_new_slot_is_taken_while_requests_go_on(
    service, client, make_model, make_picture, manager, wait_until
) -> None:
    second = make_model("second")
    digests, statuses = [], []
    switched = threading.Event()

    def ask() -> None:
        while not switched.is_set() or digests[-1] != "second-id":
            status, said, _ = client(service.path, "POST", "/embed", make_picture(0))
            statuses.append(status)
            digests.append(json.loads(said)["digest"])

    def talk() -> None:
        with ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(ask) for _ in range(4)]
            wait_until(lambda: len(digests) > 20)
            service.next, service.install = second, "second"
            manager.wait_for("RELOADING=1")
            wait_until(service.model.engine.was_closed.is_set)
            switched.set()
            for one in asking:
                one.result()

    service.during(talk)
    assert set(statuses) == {200}
    assert set(digests) == {"first-id", "second-id"}
    assert manager.count("READY=1") == 2
    assert second.engine.batches


@pytest.mark.parametrize("problem", [EnvironmentMismatch, RuntimeError])
def test_a_new_slot_that_refuses_leaves_the_old_one_serving_and_says_so(
    service, client, make_picture, manager, problem
) -> None:
    """Runtimes raise what they like."""
    found = {}

    def talk() -> None:
        service.next = problem("golden crop 3 has cosine 0.2")
        service.install = "second"
        manager.wait_for("golden crop 3 has cosine 0.2")
        found["health"] = client(service.path, "GET", "/health")
        found["embed"] = client(service.path, "POST", "/embed", make_picture(0))

    service.during(talk)
    status, said, _ = found["health"]
    report = json.loads(said)
    assert status == 200
    assert report["state"] == "serving the former slot"
    assert "cosine 0.2" in report["refused_reload"]
    assert json.loads(found["embed"][1])["digest"] == "first-id"
    assert manager.count("RELOADING=1") == 1, "it must not try the same install for ever"
    assert any("NOT reloaded" in line for line in service.said)


def test_what_is_in_flight_is_answered_on_stopping(
    service, client, make_picture, wait_until, manager
) -> None:
    found = {}
    engine = service.model.engine
    pool = ThreadPoolExecutor(1)

    def talk() -> None:
        engine.go.clear()
        found["asked"] = pool.submit(client, service.path, "POST", "/embed", make_picture(0))
        wait_until(lambda: waiting(client, service.path) == 1)
        threading.Thread(target=release).start()

    def release() -> None:
        manager.wait_for("STOPPING=1")
        engine.go.set()

    answered, whole = service.during(talk, test_every_s=600.0)
    assert whole
    assert found["asked"].result()[0] == 200
    assert answered >= 2
    assert not service.path.exists()


def test_stopping_does_not_wait_for_an_engine_that_hangs(
    service, client, make_picture, wait_until
) -> None:
    engine = service.model.engine
    pool = ThreadPoolExecutor(1)

    def ask() -> None:
        with pytest.raises((OSError, Exception)):
            client(service.path, "POST", "/embed", make_picture(0))

    def talk() -> None:
        engine.go.clear()
        pool.submit(ask)
        wait_until(lambda: waiting(client, service.path) == 1)

    _, whole = service.during(talk, test_every_s=600.0, drain_s=0.2)
    engine.go.set()
    assert not whole
