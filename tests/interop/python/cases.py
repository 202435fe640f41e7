"""The cases of gRPC's public interop list, under its names; ../node/cases.js and ../cases.cc have the same."""

import queue

import grpc
from report import check, check_equal, error_of

TIMEOUT_S = 30  # only a hang reaches it

LARGE_REQUEST, LARGE_RESPONSE = 271828, 314159
REQUEST_SIZES = (27182, 8, 1828, 45904)
RESPONSE_SIZES = (31415, 9, 2653, 58979)
ECHO_INITIAL = ("x-grpc-test-echo-initial", "test_initial_metadata_value")
ECHO_TRAILING = ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab")


class Requests:
    """What a stream sends, as it is told; iteration ends with end()."""

    def __init__(self):
        self.waiting = queue.SimpleQueue()

    def send(self, request):
        self.waiting.put(request)

    def end(self):
        self.waiting.put(None)

    def __iter__(self):
        return iter(self.waiting.get, None)


def payload(stub, size):
    return stub.messages["Payload"](body=bytes(size))


def large_request(stub):
    return stub.messages["SimpleRequest"](payload=payload(stub, LARGE_REQUEST), response_size=LARGE_RESPONSE)


def ping(stub, request_size, *response_sizes):
    return stub.messages["StreamingOutputCallRequest"](
        payload=payload(stub, request_size),
        response_parameters=[stub.messages["ResponseParameters"](size=size) for size in response_sizes])


def wanted_status(stub, message):
    return stub.messages["EchoStatus"](code=grpc.StatusCode.UNKNOWN.value[0], message=message)


def check_zeros(response, size):
    check_equal(len(response.payload.body), size, "bytes of the payload")
    check(not response.payload.body.strip(b"\0"), "the payload is not zeros")


def check_end(responses):
    check_equal(list(responses), [], "responses after the last")


def expect(action, code):
    error = error_of(action)
    check_equal(error.code(), code, f"status ({error.details()})")
    return error


def empty_unary(stub):
    response = stub.TestService.EmptyCall(stub.messages["Empty"](), timeout=TIMEOUT_S)
    check_equal(response.ByteSize(), 0, "bytes of the response")


def large_unary(stub):
    check_zeros(stub.TestService.UnaryCall(large_request(stub), timeout=TIMEOUT_S), LARGE_RESPONSE)


def client_streaming(stub):
    requests = (stub.messages["StreamingInputCallRequest"](payload=payload(stub, size)) for size in REQUEST_SIZES)
    response = stub.TestService.StreamingInputCall(requests, timeout=TIMEOUT_S)
    check_equal(response.aggregated_payload_size, 74922, "sum")


def server_streaming(stub):
    responses = list(stub.TestService.StreamingOutputCall(ping(stub, 0, *RESPONSE_SIZES), timeout=TIMEOUT_S))
    check_equal(len(responses), len(RESPONSE_SIZES), "responses")
    for response, size in zip(responses, RESPONSE_SIZES):
        check_zeros(response, size)


def ping_pong(stub):
    requests = Requests()
    responses = stub.TestService.FullDuplexCall(iter(requests), timeout=TIMEOUT_S)
    for request_size, response_size in zip(REQUEST_SIZES, RESPONSE_SIZES):
        requests.send(ping(stub, request_size, response_size))
        check_zeros(next(responses), response_size)
    requests.end()
    check_end(responses)
    check_equal(responses.code(), grpc.StatusCode.OK, "status")


def empty_stream(stub):
    responses = stub.TestService.FullDuplexCall(iter(()), timeout=TIMEOUT_S)
    check_end(responses)
    check_equal(responses.code(), grpc.StatusCode.OK, "status")


def half_duplex(stub):
    requests = [ping(stub, *sizes) for sizes in zip(REQUEST_SIZES, RESPONSE_SIZES)]
    responses = list(stub.TestService.HalfDuplexCall(iter(requests), timeout=TIMEOUT_S))
    check_equal([len(response.payload.body) for response in responses], list(RESPONSE_SIZES), "sizes")


def timeout_on_sleeping_server(stub):
    # Over a connection that stands, so that the deadline passes within the call.
    stub.TestService.EmptyCall(stub.messages["Empty"](), timeout=TIMEOUT_S)
    for timeout in (0.001, 0.02):
        requests = Requests()
        requests.send(ping(stub, 27182))
        responses = stub.TestService.FullDuplexCall(iter(requests), timeout=timeout)
        expect(lambda responses=responses: next(responses), grpc.StatusCode.DEADLINE_EXCEEDED)
        requests.end()


def cancel_after_begin(stub):
    requests = Requests()
    call = stub.TestService.StreamingInputCall.future(iter(requests), timeout=TIMEOUT_S)
    call.cancel()
    check(call.cancelled(), "not cancelled")
    check_equal(call.code(), grpc.StatusCode.CANCELLED, "status")
    requests.end()


def cancel_after_first_response(stub):
    requests = Requests()
    responses = stub.TestService.FullDuplexCall(iter(requests), timeout=TIMEOUT_S)
    requests.send(ping(stub, REQUEST_SIZES[0], RESPONSE_SIZES[0]))
    check_zeros(next(responses), RESPONSE_SIZES[0])
    responses.cancel()
    check_equal(responses.code(), grpc.StatusCode.CANCELLED, "status")
    requests.end()


def status_code_and_message(stub):
    message = "test status message"
    request = stub.messages["SimpleRequest"](response_status=wanted_status(stub, message))
    error = expect(lambda: stub.TestService.UnaryCall(request, timeout=TIMEOUT_S), grpc.StatusCode.UNKNOWN)
    check_equal(error.details(), message, "message")
    request = stub.messages["StreamingOutputCallRequest"](response_status=wanted_status(stub, message))
    responses = stub.TestService.FullDuplexCall(iter((request,)), timeout=TIMEOUT_S)
    error = expect(lambda: next(responses), grpc.StatusCode.UNKNOWN)
    check_equal(error.details(), message, "message of the stream")


def special_status_message(stub):
    message = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
    request = stub.messages["SimpleRequest"](response_status=wanted_status(stub, message))
    error = expect(lambda: stub.TestService.UnaryCall(request, timeout=TIMEOUT_S), grpc.StatusCode.UNKNOWN)
    check_equal(error.details(), message, "message")


def unimplemented_method(stub):
    call = stub.TestService.UnimplementedCall
    expect(lambda: call(stub.messages["Empty"](), timeout=TIMEOUT_S), grpc.StatusCode.UNIMPLEMENTED)


def unimplemented_service(stub):
    call = stub.UnimplementedService.UnimplementedCall
    expect(lambda: call(stub.messages["Empty"](), timeout=TIMEOUT_S), grpc.StatusCode.UNIMPLEMENTED)


def check_echoed(call):
    initial, trailing = dict(call.initial_metadata()), dict(call.trailing_metadata())
    check_equal(initial.get(ECHO_INITIAL[0]), ECHO_INITIAL[1], "initial metadata")
    check_equal(trailing.get(ECHO_TRAILING[0]), ECHO_TRAILING[1], "trailing metadata")
    check(ECHO_TRAILING[0] not in initial and ECHO_INITIAL[0] not in trailing, "metadata in the other place")


def custom_metadata(stub):
    metadata = (ECHO_INITIAL, ECHO_TRAILING)
    _, call = stub.TestService.UnaryCall.with_call(large_request(stub), timeout=TIMEOUT_S, metadata=metadata)
    check_echoed(call)
    requests = Requests()
    responses = stub.TestService.FullDuplexCall(iter(requests), timeout=TIMEOUT_S, metadata=metadata)
    requests.send(ping(stub, LARGE_REQUEST, LARGE_RESPONSE))
    check_zeros(next(responses), LARGE_RESPONSE)
    requests.end()
    check_end(responses)
    check_echoed(responses)


ALL = (empty_unary, large_unary, client_streaming, server_streaming, ping_pong, empty_stream, half_duplex,
       timeout_on_sleeping_server, cancel_after_begin, cancel_after_first_response, status_code_and_message,
       special_status_message, unimplemented_method, unimplemented_service, custom_metadata)
