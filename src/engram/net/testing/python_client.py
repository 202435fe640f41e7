#!/usr/bin/python3
"""Calls net_echo_server with Python's gRPC library, whose core is not ours, and checks what comes back.

Usage: python_client.py PATH_OF_NET_ECHO_SERVER. Exit code 77, which means "skipped", without that library.
"""
import subprocess
import sys
import time

try:
    import grpc
except ImportError:
    print('Python has no grpc module: skipped')
    sys.exit(77)

PATIENCE = 20


def status_of(call):
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError('the call was expected to fail')


def check_unary(channel):
    unary = channel.unary_unary('/test.Echo/Unary')
    for message in (b'', b'hello', b'x' * (4 << 20)):
        assert unary(message, timeout=PATIENCE) == message
    metadata = (('echo', 'text'), ('echo-bin', b'\x00\xff\x10'))
    _, call = unary.with_call(b'x', metadata=metadata, timeout=PATIENCE)
    trailers = dict(call.trailing_metadata())
    assert trailers['echo'] == 'text' and trailers['echo-bin'] == b'\x00\xff\x10', trailers


def check_errors(channel):
    unary = channel.unary_unary('/test.Echo/Unary')
    error = status_of(lambda: unary(b'x', metadata=(('fail', '100 %'),), timeout=PATIENCE))
    assert (error.code(), error.details()) == (grpc.StatusCode.INVALID_ARGUMENT, '100 %'), error
    assert any(key == 'grpc-status-details-bin' for key, _ in error.trailing_metadata())
    error = status_of(lambda: unary(b'x' * ((4 << 20) + 1), timeout=PATIENCE))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
    error = status_of(lambda: channel.unary_unary('/test.Echo/Nothing')(b'x', timeout=PATIENCE))
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED, error
    error = status_of(lambda: unary(b'x', metadata=(('hang', '1'),), timeout=0.05))
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, error


def check_compressed(channel):
    gzip, deflate = grpc.Compression.Gzip, grpc.Compression.Deflate
    unary = channel.unary_unary('/test.Echo/Unary')
    for size in (0, 1, 10_000, 4 << 20):
        assert unary(b'x' * size, compression=gzip, timeout=PATIENCE) == b'x' * size
    error = status_of(lambda: unary(b'x' * ((4 << 20) + 1), compression=gzip, timeout=PATIENCE))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
    messages = [b'', b'one', b'y' * 100_000] * 100
    bidi = channel.stream_stream('/test.Echo/Bidi')
    assert list(bidi(iter(messages), compression=gzip, timeout=PATIENCE)) == messages
    error = status_of(lambda: unary(b'x' * 10_000, compression=deflate, timeout=PATIENCE))
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED, error


def check_streams(channel):
    bidi = channel.stream_stream('/test.Echo/Bidi')
    messages = [b'', b'one', b'y' * 100_000] * 100
    assert list(bidi(iter(messages), timeout=PATIENCE)) == messages
    assert list(bidi(iter([]), timeout=PATIENCE)) == []
    one = channel.unary_stream('/test.Echo/Bidi')
    assert list(one(b'once', timeout=PATIENCE)) == [b'once']


def check_cancel(channel):
    pending = channel.unary_unary('/test.Echo/Unary').future(b'x', metadata=(('hang', '1'),))
    pending.cancel()
    assert pending.cancelled()
    assert channel.unary_unary('/test.Echo/Unary')(b'after', timeout=PATIENCE) == b'after'


def check_concurrent(channel):
    unary = channel.unary_unary('/test.Echo/Unary')
    pending = [unary.future(str(i).encode(), timeout=PATIENCE) for i in range(500)]
    assert [p.result() for p in pending] == [str(i).encode() for i in range(500)]


def main():
    with subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        port = int(server.stdout.readline())
        with grpc.insecure_channel(f'127.0.0.1:{port}', options=[
                ('grpc.max_receive_message_length', -1), ('grpc.max_send_message_length', -1)]) as channel:
            for check in (check_unary, check_errors, check_compressed, check_streams, check_cancel,
                          check_concurrent):
                begun = time.monotonic()
                check(channel)
                print(f'{check.__name__}: {time.monotonic() - begun:.3f} s')
        server.stdin.close()
    return server.returncode


sys.exit(main())
