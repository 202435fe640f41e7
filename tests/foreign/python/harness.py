"""What the cases share: a client per node, and checks of errors."""

import time

import grpc
from engram.v1 import cluster_pb2_grpc, error_pb2, memory_pb2, memory_pb2_grpc, spaces_pb2_grpc
from report import check, check_equal, error_of, run_cases

TIMEOUT_S = 10


class Client:
    """One node, over one channel."""

    def __init__(self, address, credentials=None):
        self.address = address
        self.channel = grpc.secure_channel(address, credentials) if credentials else grpc.insecure_channel(address)
        self.memory = memory_pb2_grpc.MemoryServiceStub(self.channel)
        self.spaces = spaces_pb2_grpc.SpacesServiceStub(self.channel)
        self.cluster = cluster_pb2_grpc.ClusterServiceStub(self.channel)

    def call(self, method, request, metadata=(), timeout=TIMEOUT_S):
        """(response, trailing metadata as a dict)"""
        response, call = method.with_call(request, timeout=timeout, metadata=metadata)
        return response, dict(call.trailing_metadata())

    def store(self, space, content, **fields):
        return self.memory.Store(memory_pb2.StoreRequest(space=space, content=content, **fields), timeout=TIMEOUT_S)

    def get(self, space, memory_id):
        return self.memory.Get(memory_pb2.GetRequest(space=space, id=memory_id), timeout=TIMEOUT_S)

    def recall(self, space, query="", **fields):
        return self.memory.Recall(memory_pb2.RecallRequest(space=space, query=query, **fields), timeout=TIMEOUT_S)

    def link(self, space, source, target, **fields):
        request = memory_pb2.LinkRequest(space=space, to=target, **{"from": source}, **fields)
        return self.memory.Link(request, timeout=TIMEOUT_S)

    def forget(self, space, memory_id):
        return self.memory.Forget(memory_pb2.ForgetRequest(space=space, id=memory_id), timeout=TIMEOUT_S)


class Context:
    """A running cluster; `space` is of this case alone."""

    def __init__(self, clients, space):
        self.clients = clients
        self.space = space

    @property
    def first(self):
        return self.clients[0]

    @property
    def last(self):
        return self.clients[-1]


def detail_of(error):
    """The ErrorDetail in grpc-status-details-bin, whose envelope is that of google.rpc.Status."""
    packed = dict(error.trailing_metadata()).get("grpc-status-details-bin")
    check(packed is not None, f"no grpc-status-details-bin with {error.code()}: {error.details()}")
    status = error_pb2.StatusDetails.FromString(packed)
    check_equal(status.code, error.code().value[0], "code within the details")
    check_equal(status.message, error.details(), "message within the details")
    check_equal(len(status.details), 1, "number of details")
    detail = error_pb2.ErrorDetail()
    check(status.details[0].Unpack(detail), f"detail is a {status.details[0].type_url}")
    return detail


def expect_error(action, code, detail_code, field=None):
    error = error_of(action)
    check_equal(error.code(), code, f"status ({error.details()})")
    check(error.details(), "the message is empty")
    detail = detail_of(error)
    check_equal(error_pb2.ErrorCode.Name(detail.code), f"ERROR_CODE_{detail_code}", "code of the detail")
    if field is not None:
        check_equal(detail.field, field, f"field ({error.details()})")
    return detail


def run(cases, addresses, only, credentials=None):
    clients = [Client(address, credentials) for address in addresses]
    prefix = f"foreign.python.{time.time_ns():x}"
    return run_cases("python", cases, only, lambda case: case(Context(clients, f"{prefix}.{case.__name__}")))
