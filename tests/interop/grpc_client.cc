// The interop cases over gRPC's own C++ library.
//
// Usage: interop_grpc_client --api stub|queue --address HOST:PORT [--only WORD]
#include "interop/grpc_client.h"

#include <cstdio>
#include <string>

#include "interop/cases.h"
#include "interop/client_arguments.h"

namespace engram::interop {
namespace {

Headers ToHeaders(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata) {
  Headers headers;
  for (const auto& [name, value] : metadata) {
    headers.emplace(std::string(name.data(), name.size()), std::string(value.data(), value.size()));
  }
  return headers;
}

}  // namespace

void Prepare(const CallSettings& settings, grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + settings.timeout);
  for (const auto& [name, value] : settings.metadata) context.AddMetadata(name, value);
}

Outcome OutcomeOf(const grpc::ClientContext& context, const grpc::Status& status) {
  return {status.error_code(), status.error_message(),
          ToHeaders(context.GetServerInitialMetadata()),
          ToHeaders(context.GetServerTrailingMetadata())};
}

}  // namespace engram::interop

int main(int argc, char** argv) {
  using namespace engram::interop;
  const std::optional<ClientArguments> arguments = ParseArguments(argc, argv);
  if (!arguments.has_value() || (arguments->api != "stub" && arguments->api != "queue")) {
    std::fprintf(stderr,
                 "usage: interop_grpc_client --api stub|queue --address HOST:PORT [--only WORD]\n");
    return 2;
  }
  const auto channel = grpc::CreateChannel(arguments->address, grpc::InsecureChannelCredentials());
  const auto client = arguments->api == "stub" ? MakeStubClient(channel) : MakeQueueClient(channel);
  return RunCases(*client, "gRPC C++ (" + arguments->api + ")", arguments->only);
}
