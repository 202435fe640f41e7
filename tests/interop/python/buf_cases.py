"""The cases of gRPC's public interop list over `buf curl`, under its names: messages are JSON, statuses exit codes.

Left out: cancel_after_first_response. buf, told to stop while a stream waits, now and then goes on waiting, whatever
server it talks to.
"""

import base64
import contextlib
import dataclasses
import json
import re
import signal
import subprocess

from report import check, check_equal

PATIENCE_S = 60
OK, CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED = 0, 1, 2, 4, 12

# The server owes a response, and with it the end of the call, for longer than any case waits.
SLEEP = {"responseParameters": [{"size": 1, "intervalUs": 600_000_000}]}

LARGE_REQUEST, LARGE_RESPONSE = 271828, 314159
REQUEST_SIZES = (27182, 8, 1828, 45904)
RESPONSE_SIZES = (31415, 9, 2653, 58979)
RECEIVED_HEADER = re.compile(r"^buf: < \(#\d+\)(?: ([^:]+): (.*))?$")


@dataclasses.dataclass
class Outcome:
    code: int  # grpc-status
    responses: list
    log: str  # what -v says, and the error

    @property
    def message(self):
        """Of the error, which is printed as the last thing that begins with a brace."""
        begin = re.search(r"^\{$", self.log, re.MULTILINE)
        check(begin is not None, f"no error in {self.log!r}")
        return json.JSONDecoder().raw_decode(self.log[begin.start():])[0].get("message", "")


def parse_all(text):
    """The JSON values in `text`, one after the other."""
    decoder, values = json.JSONDecoder(), []
    text = text.strip()
    while text:
        value, end = decoder.raw_decode(text)
        values.append(value)
        text = text[end:].lstrip()
    return values


class Call:
    """One running `buf curl`, whose input is its stream of requests."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)
        self.printed = ""
        self.log = ""

    def send(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()

    def read(self):
        """The next response, which is printed over several lines."""
        begun = len(self.printed)
        for line in self.process.stdout:
            self.printed += line
            if line.rstrip() in ("}", "{}"):
                return json.loads(self.printed[begun:])
        return None

    def await_log(self, text):
        for line in self.process.stderr:
            self.log += line
            if text in line:
                return
        check(False, f"no {text!r} in {self.log!r}")

    def running(self):
        """Waits a little."""
        try:
            self.process.wait(0.01)
        except subprocess.TimeoutExpired:
            return True
        return False

    def cancel(self):
        self.process.send_signal(signal.SIGINT)

    def finish(self, own_failures=False):
        """None: buf failed before there was a call, which `own_failures` allows."""
        out, log = self.process.communicate(timeout=PATIENCE_S)
        # Codes below 8 are buf's own; see `buf curl --help`.
        code, own = divmod(self.process.returncode, 8)
        if own and own_failures:
            return None
        check(own == 0, f"buf curl failed ({self.process.returncode}): {self.log}{log}")
        return Outcome(code, parse_all(self.printed + out), self.log + log)


class Buf:
    def __init__(self, program, protoset, address):
        self.curl = [str(program), "curl", "--protocol", "grpc", "--http2-prior-knowledge"]
        self.schema = ["--schema", f"{protoset}#format=binpb", "--reflect=false"]
        self.url = f"http://{address}/grpc.testing."

    def open(self, method, *options, service="TestService"):
        return Call([*self.curl, *options, "-d", "@-", f"{self.url}{service}/{method}"])

    def call(self, method, *requests, options=(), service="TestService"):
        running = self.open(method, *options, service=service)
        for request in requests:
            running.send(request)
        return running.finish()


def payload(size):
    return {"body": base64.b64encode(bytes(size)).decode()}


def ping(request_size, *response_sizes):
    return {"payload": payload(request_size), "responseParameters": [{"size": size} for size in response_sizes]}


def large_request():
    return {"payload": payload(LARGE_REQUEST), "responseSize": LARGE_RESPONSE}


def wanted_status(message):
    return {"responseStatus": {"code": UNKNOWN, "message": message}}


def check_zeros(response, size):
    body = base64.b64decode(response["payload"]["body"])
    check_equal(len(body), size, "bytes of the payload")
    check(not body.strip(b"\0"), "the payload is not zeros")


def check_status(outcome, code):
    check_equal(outcome.code, code, f"status ({outcome.log})")


def check_message(outcome, message):
    check_status(outcome, UNKNOWN)
    check_equal(outcome.message, message, "message")


def empty_unary(buf):
    outcome = buf.call("EmptyCall", {})
    check_status(outcome, OK)
    check_equal(outcome.responses, [{}], "response")


def large_unary(buf):
    outcome = buf.call("UnaryCall", large_request())
    check_status(outcome, OK)
    check_zeros(outcome.responses[0], LARGE_RESPONSE)


def client_streaming(buf):
    outcome = buf.call("StreamingInputCall", *({"payload": payload(size)} for size in REQUEST_SIZES))
    check_status(outcome, OK)
    check_equal(outcome.responses, [{"aggregatedPayloadSize": 74922}], "response")


def server_streaming(buf):
    outcome = buf.call("StreamingOutputCall", ping(0, *RESPONSE_SIZES))
    check_status(outcome, OK)
    check_equal(len(outcome.responses), len(RESPONSE_SIZES), "responses")
    for response, size in zip(outcome.responses, RESPONSE_SIZES):
        check_zeros(response, size)


def ping_pong(buf):
    call = buf.open("FullDuplexCall")
    for request_size, response_size in zip(REQUEST_SIZES, RESPONSE_SIZES):
        call.send(ping(request_size, response_size))
        check_zeros(call.read(), response_size)
    outcome = call.finish()
    check_status(outcome, OK)
    check_equal(len(outcome.responses), len(RESPONSE_SIZES), "responses")


def empty_stream(buf):
    outcome = buf.call("FullDuplexCall")
    check_status(outcome, OK)
    check_equal(outcome.responses, [], "responses")


def half_duplex(buf):
    outcome = buf.call("HalfDuplexCall", *(ping(*sizes) for sizes in zip(REQUEST_SIZES, RESPONSE_SIZES)))
    check_status(outcome, OK)
    check_equal(len(outcome.responses), len(RESPONSE_SIZES), "responses")


def timeout_on_sleeping_server(buf):
    # 1 ms would pass before buf has connected, and its limit counts reflection too. On a busy machine even 200 ms pass
    # before there is a call: buf then fails by itself.
    for timeout in ("200ms", "1s", "5s", "25s"):
        call = buf.open("FullDuplexCall", "--timeout", timeout, *buf.schema)
        call.send(SLEEP)
        outcome = call.finish(own_failures=timeout != "25s")
        if outcome is not None:
            return check_status(outcome, DEADLINE_EXCEEDED)


def cancel_after_begin(buf):
    call = buf.open("StreamingInputCall", "-v")
    request = {"payload": payload(8)}
    call.send(request)  # without a message buf does not begin the call
    call.await_log("POST /grpc.testing.TestService/StreamingInputCall")
    call.cancel()
    # The end of its input could reach buf before the signal does, and would end the call well.
    with contextlib.suppress(BrokenPipeError):
        while call.running():
            call.send(request)
    check_status(call.finish(), CANCELLED)


def status_code_and_message(buf):
    message = "test status message"
    check_message(buf.call("UnaryCall", wanted_status(message)), message)
    check_message(buf.call("FullDuplexCall", wanted_status(message)), message)


def special_status_message(buf):
    message = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
    check_message(buf.call("UnaryCall", wanted_status(message)), message)


def unimplemented_method(buf):
    check_status(buf.call("UnimplementedCall", {}), UNIMPLEMENTED)


def unimplemented_service(buf):
    check_status(buf.call("UnimplementedCall", {}, service="UnimplementedService"), UNIMPLEMENTED)


def received_headers(log):
    """The header lists of the call, each as a dict of lower-case names."""
    lists = [{}]
    for line in log[log.index("Invoking RPC"):].splitlines():
        match = RECEIVED_HEADER.match(line)
        if match and match[1]:
            lists[-1][match[1].lower()] = match[2]
        elif match and lists[-1]:
            lists.append({})
    return [each for each in lists if each]


def check_echoed(outcome):
    check_status(outcome, OK)
    lists = received_headers(outcome.log)
    initial = [each for each in lists if each.get("x-grpc-test-echo-initial") == "test_initial_metadata_value"]
    trailing = [each for each in lists if each.get("x-grpc-test-echo-trailing-bin") == "q6ur"]
    check(len(initial) == 1 and len(trailing) == 1 and initial != trailing, f"headers and trailers: {lists}")
    check("content-type" in initial[0] and "grpc-status" in trailing[0], f"in the wrong place: {lists}")


def custom_metadata(buf):
    options = ("-v", "-H", "x-grpc-test-echo-initial: test_initial_metadata_value",
               "-H", "x-grpc-test-echo-trailing-bin: q6ur")
    check_echoed(buf.call("UnaryCall", large_request(), options=options))
    check_echoed(buf.call("FullDuplexCall", ping(LARGE_REQUEST, LARGE_RESPONSE), options=options))


ALL = (empty_unary, large_unary, client_streaming, server_streaming, ping_pong, empty_stream, half_duplex,
       timeout_on_sleeping_server, cancel_after_begin, status_code_and_message, special_status_message,
       unimplemented_method, unimplemented_service, custom_metadata)
