#include "engram/server/health_service.h"

#include <fmt/format.h>
#include <grpc/health/v1/health.pb.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "engram/base/error.h"
#include "engram/server/public_services.h"

namespace engram::server {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using net::ServerCall;

bool IsKnown(const std::string& service) {
  return service.empty() || std::find(kPublicServices.begin(), kPublicServices.end(), service) !=
                                kPublicServices.end();
}

std::string Response(HealthCheckResponse::ServingStatus status) {
  HealthCheckResponse response;
  response.set_status(status);
  return response.SerializeAsString();
}

HealthCheckResponse::ServingStatus StatusOf(bool serving) {
  return serving ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
}

absl::Status Malformed() {
  return InvalidArgument("message", "the bytes are not a valid HealthCheckRequest");
}

}  // namespace

void HealthService::AddTo(net::Server& server) {
  server.AddUnary("/grpc.health.v1.Health/Check", [this](ServerCall call, const std::string& body) {
    Check(std::move(call), body);
  });
  server.AddStream("/grpc.health.v1.Health/Watch",
                   [this](ServerCall call) { Watch(std::move(call)); });
}

bool HealthService::serving() {
  WriterLock lock(&mutex_);
  return serving_;
}

void HealthService::Check(ServerCall call, const std::string& body) {
  HealthCheckRequest request;
  if (!request.ParseFromString(body)) return call.Reply(Malformed());
  if (!IsKnown(request.service())) {
    return call.Reply(MakeError(ErrorCode::kNotFound,
                                fmt::format("there is no service '{}'", request.service())));
  }
  call.Reply(Response(StatusOf(serving())));
}

void HealthService::Watch(ServerCall call) {
  auto shared = std::make_shared<ServerCall>(std::move(call));
  shared->Read([this, shared](const std::optional<std::string>& request) {
    BeginWatch(shared, request.value_or(""));
  });
}

// The first answer comes at once, the next when the node begins or ends to serve; an unknown one
// stays unknown.
void HealthService::BeginWatch(const SharedCall& call, const std::string& body) {
  HealthCheckRequest request;
  if (!request.ParseFromString(body)) return call->Finish(Malformed());
  bool known = IsKnown(request.service());
  std::list<SharedCall>::iterator watcher;
  {
    WriterLock lock(&mutex_);
    call->Send(Response(known ? StatusOf(serving_) : HealthCheckResponse::SERVICE_UNKNOWN));
    if (stopped_) return call->Finish(absl::OkStatus());
    watcher = watchers_.insert(watchers_.end(), call);
  }
  call->OnCancel([this, watcher] {
    SharedCall gone;  // destroyed outside the lock
    WriterLock lock(&mutex_);
    if (stopped_) return;  // StopServing has taken the list
    gone = std::move(*watcher);
    watchers_.erase(watcher);
  });
}

void HealthService::StartServing() {
  WriterLock lock(&mutex_);
  if (stopped_ || std::exchange(serving_, true)) return;
  for (const SharedCall& call : watchers_) {
    call->loop().Post([call] { call->Send(Response(HealthCheckResponse::SERVING)); });
  }
}

void HealthService::StopServing() {
  std::list<SharedCall> watchers;
  {
    WriterLock lock(&mutex_);
    serving_ = false;
    stopped_ = true;
    watchers.swap(watchers_);
  }
  for (const SharedCall& call : watchers) {
    call->loop().Post([call] {
      call->Send(Response(HealthCheckResponse::NOT_SERVING));
      call->Finish(absl::OkStatus());
    });
  }
}

}  // namespace engram::server
