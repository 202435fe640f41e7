// The two APIs of gRPC's C++ library that the cases run over.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>

#include "interop/client.h"

namespace engram::interop {

// Generated stubs, blocking.
std::unique_ptr<Client> MakeStubClient(const std::shared_ptr<grpc::Channel>& channel);
// Bytes over a completion queue.
std::unique_ptr<Client> MakeQueueClient(const std::shared_ptr<grpc::Channel>& channel);

void Prepare(const CallSettings& settings, grpc::ClientContext& context);
// REQUIRES: the call has ended.
Outcome OutcomeOf(const grpc::ClientContext& context, const grpc::Status& status);

}  // namespace engram::interop
