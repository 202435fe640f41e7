"""Checks, and the report of a run of cases; also for tests/interop. Knows no service."""

import time
import traceback

import grpc


class Failed(Exception):
    pass


def check(condition, message):
    if not condition:
        raise Failed(message)


def check_equal(got, expected, what):
    check(got == expected, f"{what}: got {got!r}, expected {expected!r}")


def error_of(action):
    """The RpcError that the action ends with."""
    try:
        action()
    except grpc.RpcError as error:
        return error
    raise Failed("succeeded, an error was expected")


def run_cases(label, cases, only, run_case):
    """`run_case` runs one of the functions in `cases` whose names contain `only`. The exit code of the program."""
    failed = 0
    ran = 0
    for case in cases:
        name = case.__name__
        if only not in name:
            continue
        ran += 1
        start = time.monotonic()
        try:
            run_case(case)
            print(f"ok    {name} ({(time.monotonic() - start) * 1000:.0f} ms)", flush=True)
        except Exception as error:  # whatever it was, the other cases still run
            failed += 1
            what = str(error) if isinstance(error, Failed) else traceback.format_exc()
            print(f"FAIL  {name}: {what}", flush=True)
    print(f"{label}: {ran - failed} of {ran} cases passed")
    return 1 if failed or not ran else 0
