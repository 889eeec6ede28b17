"""Whatever a submission sends, contains or prints: no crash, no hang, no lone surrogate."""

import json
import os
import secrets
import socket
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from grader.checks.own_work import scan
from grader.errors import SubmissionFailed, TimedOut
from grader.reports.terminal import render
from grader.reports.wording import JOINER
from grader.results import VERDICTS, Check, Results
from grader.submission.answers import ANSWERS, check_answer, check_question
from grader.submission.fork_server import Ending, Process
from grader.submission.process import Submission, failure
from grader.suite import verdict
from grader.worker import wire
from tests.conftest import ROOT
from tests.support.strategies import NESTED, bits, bytes_like, plain, replaced, tensors, texts, unicodes

# ---- messages


@given(st.dictionaries(unicodes, plain), st.dictionaries(unicodes.filter(lambda k: k != "__metadata__"), tensors()))
def test_what_is_sent_arrives(head, sent):
    message = wire.pack(head, sent)
    sizes = wire.lengths(message[: wire.PREFIX.size])
    body = message[wire.PREFIX.size :]
    assert len(body) == sum(sizes)
    values, arrived = wire.unpack(body[: sizes[0]], body[sizes[0] :])
    as_text = json.dumps(head, ensure_ascii=False).encode("utf-8", "replace").decode()
    assert json.dumps(values, ensure_ascii=False) == json.dumps(json.loads(as_text), ensure_ascii=False)
    assert {k: bits(v) for k, v in arrived.items()} == {k: bits(v) for k, v in sent.items()}


LENGTHS = [0, 1, wire.MAX_HEAD, wire.MAX_HEAD + 1, wire.MAX_TENSORS, wire.MAX_TENSORS + 1, 2**63, 2**64 - 1]


@given(st.binary(min_size=16, max_size=16) | st.builds(wire.PREFIX.pack, *[st.sampled_from(LENGTHS)] * 2))
def test_a_length_beyond_reason_is_refused_before_anything_is_read(prefix):
    head, blob = wire.PREFIX.unpack(prefix)
    if head <= wire.MAX_HEAD and blob <= wire.MAX_TENSORS:
        assert wire.lengths(prefix) == (head, blob)
    else:
        with pytest.raises(wire.WireError):
            wire.lengths(prefix)


HEAD = json.dumps({"id": "1-ab", "values": {"type": "Tensor", "shape": [2, 1], "loss": [1.5, -1e9]}}).encode()
BLOB = safetensors.torch.save({"y": torch.zeros(2, 1), "rng": torch.zeros(3, dtype=torch.uint8)})
ODD_HEADS = [b'{"a":NaN,"b":-Infinity}', b'{"a":"\\ud800"}', b'"\xed\xa0\x80"', '{"a":1}'.encode("utf-16"),
             b'{"a":' + b"9" * 5000 + b"}", b'{"a":1e999}', b"\xef\xbb\xbf{}", b'{"a":1,"a":2}']  # fmt: skip


@given(bytes_like(HEAD, *ODD_HEADS) | NESTED | plain.map(lambda v: json.dumps(v).encode()), bytes_like(b"", BLOB))
def test_a_message_of_any_bytes_is_read_or_refused(head, blob):
    try:
        values, back = wire.unpack(head, blob)
    except wire.WireError:
        return
    assert isinstance(values, dict) and all(isinstance(v, Tensor) for v in back.values())
    json.dumps(values, ensure_ascii=False).encode()  # no lone surrogate is left


RIGHT: dict[str, Any] = {
    "parameters": [["a.weight", 9, True]], "batch_norms": ["a"], "defaults": [{"threads": 1}, {}], "type": "Tensor",
    "shape": [2, 1], "dtype": "torch.float32", "device": "cpu", "requires_grad": False, "losses": [1.0, 2],
    "seconds": 0.5,
    "gradients": {"a.weight": [True, True, True]}, "changed": ["t"], "reported": [0.5, 1], "repeats": True,
    "wrote": False,
    "trained": ["a.weight"], "statistics": ["a.running_mean"],
}  # fmt: skip


@pytest.mark.parametrize("probe", ANSWERS)
@given(st.data())
@settings(max_examples=settings.default.max_examples // 4)
def test_an_answer_is_accepted_only_whole(probe, data):
    checks, names = ANSWERS[probe]
    right = {key: RIGHT[key] for key in checks}
    check_answer(probe, right, dict.fromkeys(names, torch.zeros(1).byte()))
    values = data.draw(replaced(right))
    back = data.draw(st.dictionaries(st.sampled_from([*names, "y"]), tensors()))
    try:
        check_answer(probe, values, back)
    except wire.WireError:
        return
    assert set(names) <= set(back) and all(check(values.get(key)) for key, check in checks.items())


@given(plain | replaced({name: {key: RIGHT[key] for key in ("type", "shape", "dtype")} for name in "xt"}))
def test_a_call_of_the_model_is_accepted_only_whole(facts):
    try:
        check_question(facts, {})
    except wire.WireError:
        return
    assert all(isinstance(facts[name]["type"], str) for name in "xt")


REPORT = {"kind": "raised", "type": "E", "message": "no", "frames": [["model.py", 3, "x = y"], ["/torch.py", 9, None]]}
KINDS = st.sampled_from(["grader", "contract", "not_implemented", "out_of_memory", "raised"])


@given(replaced(REPORT) | KINDS.flatmap(lambda kind: replaced(REPORT | {"kind": kind})), texts)
def test_a_report_of_an_error_is_the_submissions_whatever_it_says(report, output):
    try:
        error = failure(report, output, trusted=False)
    except wire.WireError:
        return
    assert isinstance(error, SubmissionFailed)
    verdict.apply(row := Check("level1.a.b", "c", 1.0), error, in_process=False)
    assert row.points == 0


def test_the_hint_for_a_long_message_comes_at_once():
    report = REPORT | {"type": "expected input[" * 20_000}  # a class may have such a name
    start = time.perf_counter()
    verdict.error_hint(failure(report, "", trusted=False))
    assert time.perf_counter() - start < 0.5


class Tape:
    """A fork server whose worker sends what is on the tape, and then closes the connection or, if `mute`, is silent.

    If it `drips`, it sends a byte every hundredth of a second.
    """

    trusted = False

    def __init__(self, path: Path, tape: bytes, *, mute: bool = False, drips: bool = False) -> None:
        self.home, self.tape, self.mute, self.drips = SimpleNamespace(path=path), tape, mute, drips

    def spawn(self, folder: Path, device: str, *, threads: int, warm: bool) -> Process:
        ours, theirs = socket.socketpair()
        read, write = os.pipe()
        ours.setblocking(False)
        os.set_blocking(read, False)
        if self.drips:
            Thread(target=self.drip, args=[theirs], daemon=True).start()
        else:
            theirs.sendall(self.tape)
        if not self.mute:
            theirs.shutdown(socket.SHUT_WR)

        def end() -> Ending:
            theirs.close()
            os.close(write)
            return Ending()

        return Process(ours, read, end, warm)

    def drip(self, theirs: socket.socket) -> None:
        with suppress(OSError):  # until the judge hangs up
            for byte in self.tape:
                theirs.sendall(bytes([byte]))
                time.sleep(0.01)


@pytest.fixture(scope="module")
def listen(tmp_path_factory):
    """Requests a forward pass, and gets a tape."""
    path = tmp_path_factory.mktemp("tape")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "token_hex", lambda size: "ab")

        def listen(tape: bytes, *, seconds: float = 5.0, answer: Callable = torch.zeros_like, **manners: bool):
            submission = Submission(path, Tape(path, tape, **manners), device="cpu")
            try:
                return submission.request("forward", seconds=seconds, answer=lambda facts, back: answer(back["x"]))
            finally:
                submission.close()

        yield listen


FACTS = {key: RIGHT[key] for key in ANSWERS["forward"][0]}
ASK = wire.pack({"id": "1-ab", "ask": {"x": FACTS, "t": FACTS}}, {"x": torch.zeros(2, 1)})
ANSWER = wire.pack({"id": "1-ab", "values": FACTS}, dict.fromkeys(ANSWERS["forward"][1], torch.zeros(1).byte()))
SAID = [ASK, ANSWER, wire.pack({"id": "1-ab", "error": REPORT}, {}), wire.pack({"id": "1-cd", "values": FACTS}, {})]


@given(st.lists(bytes_like(*SAID), max_size=4).map(b"".join))
def test_a_worker_that_says_anything_and_hangs_up_has_answered_or_failed(listen, tape):
    with suppress(SubmissionFailed):
        assert set(ANSWERS["forward"][1]) <= set(listen(tape).tensors)


@pytest.mark.parametrize("tape", [b"", ASK, ANSWER[:-1], ASK[:20], wire.PREFIX.pack(0, 1 << 30)])
def test_a_worker_that_falls_silent_has_no_longer_than_its_deadline(listen, tape):
    with pytest.raises(TimedOut):
        listen(tape, seconds=0.2, mute=True)


def test_a_worker_that_drips_its_answer_has_no_longer_either(listen):
    start = time.monotonic()
    with pytest.raises(TimedOut):
        listen(ANSWER, seconds=0.3, mute=True, drips=True)
    assert time.monotonic() - start < 1.5


def test_a_worker_that_asks_on_and_on_has_no_longer_either(listen):
    start = time.monotonic()
    with pytest.raises(TimedOut):
        listen(ASK * 30, seconds=0.2, mute=True, answer=lambda x: time.sleep(0.1) or x)
    assert time.monotonic() - start < 1.5


# ---- writing


def strict(results: Results) -> dict[str, Any]:
    """The saved file, read by a strict JSON reader."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    with TemporaryDirectory() as folder:
        results.save(Path(folder) / "results.json")
        return json.loads((Path(folder) / "results.json").read_bytes().decode(), parse_constant=refuse)


CHECKS = st.builds(
    Check, st.just("level1.a.b"), texts, st.just(1.0), st.sampled_from(VERDICTS), message=texts, hint=texts,
    location=texts, trace=texts, output=texts, measurements=st.dictionaries(texts, plain),
)  # fmt: skip


@given(st.lists(CHECKS, min_size=1, max_size=3), st.dictionaries(unicodes, plain))
def test_results_are_strict_json_and_a_page_without_control_characters(checks, information):
    results = Results(ROOT, {"seed": 1}, checks, information)
    written = strict(results)
    assert written["score"] == results.score and [c["verdict"] for c in written["checks"]] == [
        c.verdict for c in checks
    ]
    assert all(c.isprintable() or c in ("\n", "\t", JOINER) for c in render(results))


def test_results_hold_megabytes_and_the_page_comes_at_once():
    check = Check("level1.a.b", "c", 1.0, "error", "m " * 500_000, trace="t\n" * 500_000, output="\x1b" * 2_000_000)
    start = time.process_time()
    assert strict(Results(ROOT, {}, [check]))["checks"][0]["output"] == check.output
    render(Results(ROOT, {}, [check]))
    assert time.process_time() - start < 5


@given(texts, st.sampled_from(["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x85", "\u2028"]), st.sampled_from(VERDICTS))
def test_nothing_that_a_submission_says_makes_a_line_of_its_own(said, end, verdict):
    planted = "✓ planted                         passed"
    said = f"{said}{end}{planted}"
    check = Check("level1.a.b", "c", 1.0, verdict, said, said, trace=f"  model.py:1: {said}", output=said)
    page = render(Results(ROOT, {}, [check], {"weights of level 1": said}))
    assert [line for line in page.splitlines() if line.startswith("✓") and "planted" in line] == []


# ---- reading


PIECES = st.sampled_from([
    "import diffusers", "x = 1", "def f(:", "(", "a.load()", "torch.load(x)", "\t", "'''", "from . import y",
    "from torch import load as l", "l('x')", "if x:\n    import timm",
])  # fmt: skip


@given(texts | st.lists(PIECES | unicodes, max_size=6).map("\n".join))
def test_any_source_is_scanned_or_refused(source):
    try:
        found = scan(source)
    except (SyntaxError, ValueError):
        return
    assert all(isinstance(line, int) and isinstance(what, str) for line, what in found)


DEEP = {
    "parentheses": "(" * 500, "brackets": "[" * 190 + "]" * 190, "lambdas": "lambda: " * 3000 + "1",
    "minus": "-" * 100_000 + "1", "nots": "not " * 5000 + "1", "sum": "x = 1" + " + 1" * 20_000,
    "calls": "f" + "()" * 5000, "attributes": "a" + ".a" * 1200 + "()",
    "branches": "if a: pass\n" + "elif a: pass\n" * 5000,
}  # fmt: skip


@pytest.mark.parametrize("source", DEEP.values(), ids=DEEP)
def test_a_deep_source_is_scanned_or_refused(source):
    with suppress(SyntaxError, ValueError):
        assert scan(source) == []


@given(st.text(st.characters(exclude_characters='"\0', codec="utf-8")))
@example("the loss of \\epsilon")
def test_no_docstring_hides_what_is_imported(says):
    source = f'"""{says} """\nimport diffusers\n'
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as when it is imported: Python only warns of an \\e
        try:
            compile(source, "model.py", "exec")
        except SyntaxError:
            assume(False)
    assert [what for _, what in scan(source)] == ["import diffusers"]


def test_a_byte_order_mark_does_not_hide_what_is_imported():
    assert scan("\ufeffimport diffusers") == [(1, "import diffusers")]
