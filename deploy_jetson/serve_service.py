"""What the service answers: embeddings, its health and its numbers; and how it tests itself."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import PersonvitError
from ..core.preprocess import Preprocess
from ..engines.golden import Drift
from .serve_body import crops_of, images_in
from .serve_http import Answer, Refusal, Request, json_answer
from .serve_model import Model, embed_golden
from .serve_queue import Batcher, EngineThread

BINARY = "application/octet-stream"


@dataclass(frozen=True)
class SelfTest:
    passed: bool
    sentence: str
    at: float
    """On the event loop's clock."""
    worst: Drift | None = None

    def as_json(self, now: float) -> dict[str, Any]:
        found = {"passed": self.passed, "age_s": round(now - self.at, 1), "said": self.sentence}
        if self.worst is not None:
            found |= {"cosine": self.worst.cosine, "norm_deviation": self.worst.norm}
        return found


class EmbeddingService:
    """Lives in one event loop. `reopen` opens what the home says now, or raises."""

    def __init__(
        self, model: Model, reopen: Callable[[], Model], longest: int, window_s: float
    ) -> None:
        loop = asyncio.get_running_loop()
        self._clock = loop.time
        self._model = model
        self._reopen = reopen
        self._engine_thread = EngineThread("engine")
        self._opener = EngineThread("opener")
        self._decoders = ThreadPoolExecutor(os.cpu_count() or 1, "decode")
        self.batcher = Batcher(self._engine_thread, longest, window_s)
        self._tested = SelfTest(True, "the golden crops agreed on opening", self._clock())
        self._testing: asyncio.Future[Drift] | None = None
        self._refused = ""
        self._counts: Counter[str] = Counter()
        self._statuses: Counter[int] = Counter()
        self.stopping = False

    async def handle(self, request: Request) -> Answer:
        try:
            answer = await self._route(request)
        except Refusal as refusal:
            self._statuses[refusal.answer.status] += 1
            raise
        except asyncio.CancelledError:
            self._statuses[504] += 1
            raise
        except Exception as problem:  # one request's failure must not end the service
            kind = "" if isinstance(problem, PersonvitError) else f"{type(problem).__name__}: "
            self._statuses[500] += 1
            return json_answer({"error": f"the engine failed: {kind}{problem}"}, 500)
        self._statuses[answer.status] += 1
        return answer

    async def _route(self, request: Request) -> Answer:
        routes = {
            "/embed": ("POST", self._embed),
            "/health": ("GET", self._health),
            "/metrics": ("GET", self._metrics),
        }
        if request.path not in routes:
            raise Refusal(404, f"there is no {request.path}; there are {', '.join(routes)}")
        method, serve = routes[request.path]
        if request.method != method:
            raise Refusal(405, f"{request.path} takes {method} only", {"Allow": method})
        return await serve(request)

    async def _embed(self, request: Request) -> Answer:
        self._require_sound()
        images = images_in(request, self.batcher.longest)
        self.batcher.require_room(len(images))
        with self._model as model:
            crops = await self._decode(images, model.engine.preprocess)
            rows = await self.batcher.embed(model, crops)
        self._require_sound()  # a self-test may have failed meanwhile
        return _answer(rows, model.facts, request.headers.get("accept", ""))

    async def _decode(self, images: list[bytes], preprocess: Preprocess) -> NDArray[np.uint8]:
        over = threading.Event()
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(
                self._decoders, crops_of, images, preprocess, over.is_set
            )
        finally:
            over.set()

    async def _health(self, request: Request) -> Answer:
        report = self.health()
        return json_answer(report, 200 if report["sound"] else 503)

    async def _metrics(self, request: Request) -> Answer:
        lines = [f"{name} {value}" for name, value in self.numbers().items()]
        return Answer(200, ("\n".join(lines) + "\n").encode(), "text/plain; version=0.0.4")

    def health(self) -> Mapping[str, Any]:
        state = "serving"
        if not self._tested.passed:
            state = "failing"
        elif self.stopping:
            state = "stopping"
        elif self._refused:
            state = "serving the former slot"
        return {
            "sound": self._tested.passed and not self.stopping,
            "state": state,
            "self_test": self._tested.as_json(self._clock()),
            "serves": self._model.as_json(),
            "refused_reload": self._refused,
            "waiting": self.batcher.waiting,
        }

    def numbers(self) -> dict[str, float]:
        tally = self.batcher.tally
        found: dict[str, float] = {
            f'personvit_requests_total{{status="{status}"}}': count
            for status, count in sorted(self._statuses.items())
        }
        return found | {
            "personvit_crops_total": tally.crops,
            "personvit_batches_total": tally.batches,
            "personvit_engine_seconds_total": round(tally.seconds, 6),
            "personvit_waiting_crops": self.batcher.waiting,
            "personvit_queue_crops": self.batcher.longest,
            "personvit_sound": int(self._tested.passed),
            "personvit_self_tests_total": self._counts["self_tests"],
            "personvit_self_tests_failed_total": self._counts["self_tests_failed"],
            "personvit_reloads_total": self._counts["reloads"],
            "personvit_reloads_refused_total": self._counts["reloads_refused"],
        }

    def status(self) -> str:
        """One line for the service manager."""
        facts = self._model.facts
        refused = f"; REFUSED the new slot: {self._refused}" if self._refused else ""
        trouble = "" if self._tested.passed else f"; FAILING: {self._tested.sentence}"
        return f"slot {facts['slot']}: {facts['name']} ({facts['variant']}){trouble}{refused}"

    @property
    def answered(self) -> int:
        return sum(self._statuses.values())

    async def test(self, seconds: float) -> bool:
        """Whether one golden crop, through the same thread as every request, still agrees."""
        self._counts["self_tests"] += 1
        model = self._model
        if self._testing is None or self._testing.done():
            turn = self._counts["self_tests"]
            self._testing = self._engine_thread.ask(model, lambda held: embed_golden(held, turn))
        found = await self._judge(self._testing, model, seconds)
        if model is self._model:  # what a retired model answers is nobody's business
            self._tested = found
            self._counts["self_tests_failed"] += not found.passed
        return self._tested.passed

    async def quiet(self, seconds: float) -> bool:
        """Whether no self-test is under way, or ended within this time."""
        if self._testing is None:
            return True
        done, _ = await asyncio.wait([self._testing], timeout=seconds)
        return bool(done)

    async def _judge(
        self, testing: asyncio.Future[Drift], model: Model, seconds: float
    ) -> SelfTest:
        done, _ = await asyncio.wait([testing], timeout=seconds)
        if not done:
            said = f"the engine has not answered a golden crop within {seconds:g} s"
            return SelfTest(False, said, self._clock())
        problem = testing.exception()
        if problem is not None:
            return SelfTest(False, f"the engine failed on a golden crop: {problem}", self._clock())
        worst = testing.result()
        if worst.within(model.replay.expectation):
            return SelfTest(True, "a golden crop agrees", self._clock(), worst)
        said = (
            f"golden crop {worst.cosine_crop} no longer agrees: cosine {worst.cosine:.5f}, length "
            f"{worst.norm:.2%} off"
        )
        return SelfTest(False, said, self._clock(), worst)

    async def reload(self) -> bool:
        """Open what the home says now. The former engine serves until then, and goes on serving
        if the new one refuses."""
        try:
            opened = await self._opener.call(self._reopen)
        except Exception as problem:  # whatever it is, the former engine is as sound as before
            kind = "" if isinstance(problem, PersonvitError) else f"{type(problem).__name__}: "
            self._refused = f"{kind}{problem}"
            self._counts["reloads_refused"] += 1
            return False
        former, self._model, self._testing = self._model, opened, None
        self._refused = ""
        self._tested = SelfTest(True, "the golden crops agreed on opening", self._clock())
        self._counts["reloads"] += 1
        former.retire()
        return True

    def close(self) -> None:
        self._decoders.shutdown(wait=False, cancel_futures=True)
        self._model.retire()

    def _require_sound(self) -> None:
        if not self._tested.passed:
            raise Refusal(503, f"not serving: {self._tested.sentence}", {"Retry-After": "30"})


def _answer(rows: NDArray[np.float32], facts: Mapping[str, str], accept: str) -> Answer:
    names = {key: facts[key] for key in ("space_id", "encoder_id", "digest")}
    if BINARY in accept:
        headers = {
            "X-Personvit-Rows": str(len(rows)),
            "X-Personvit-Dimension": str(rows.shape[1]),
            **{f"X-Personvit-{key.replace('_', '-').title()}": names[key] for key in names},
        }
        return Answer(200, rows.astype("<f4").tobytes(), BINARY, headers)
    return json_answer({"embeddings": rows.astype(float).tolist(), **names})
