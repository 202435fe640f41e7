"""grpc.testing's services without generated code: messages and methods from descriptors."""

import grpc
from google.protobuf import descriptor_pb2, message_factory

SERVICES = ("TestService", "UnimplementedService")


class TestStub:
    """stub.messages["SimpleRequest"]; stub.TestService.UnaryCall(request, timeout=...)"""

    def __init__(self, protoset, address):
        with open(protoset, "rb") as file:
            files = descriptor_pb2.FileDescriptorSet.FromString(file.read())
        by_name = message_factory.GetMessages(files.file)
        self.messages = {name.rpartition(".")[2]: message for name, message in by_name.items()}
        self.channel = grpc.insecure_channel(address)
        for file in files.file:
            for service in file.service:
                if service.name in SERVICES:
                    setattr(self, service.name, Service(self.channel, file.package, service, by_name))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()


class Service:
    def __init__(self, channel, package, descriptor, messages):
        for method in descriptor.method:
            kinds = ("unary", "stream")
            make = getattr(channel, f"{kinds[method.client_streaming]}_{kinds[method.server_streaming]}")
            setattr(self, method.name, make(
                f"/{package}.{descriptor.name}/{method.name}",
                request_serializer=messages[method.input_type[1:]].SerializeToString,
                response_deserializer=messages[method.output_type[1:]].FromString))
