#include "interop/streaming_output.h"

#include <chrono>
#include <utility>

#include "engram/base/error.h"
#include "interop/payload.h"

namespace engram::interop {
namespace {

constexpr size_t kResponsesMax = 10'000;  // that a call may owe

}  // namespace

StreamingOutput::StreamingOutput(net::ServerCall call, OutputMode mode)
    : call_(std::move(call)), mode_(mode), timer_(call_.loop()) {}

void StreamingOutput::Begin() {
  call_.OnCancel([self = shared_from_this()] { self->timer_.Cancel(); });
  ReadRequest();
}

void StreamingOutput::ReadRequest() {
  call_.Read([self = shared_from_this()](const std::optional<std::string>& bytes) {
    self->TakeRequest(bytes);
  });
}

void StreamingOutput::TakeRequest(const std::optional<std::string>& bytes) {
  requests_ended_ = !bytes.has_value() || mode_ == OutputMode::kOneRequest;
  if (bytes.has_value()) {
    absl::Status status = Enqueue(*bytes);
    if (!status.ok()) return call_.Finish(std::move(status));
  }
  if (mode_ == OutputMode::kHalfDuplex && !requests_ended_) return ReadRequest();
  Respond();
}

absl::Status StreamingOutput::Enqueue(const std::string& bytes) {
  grpc::testing::StreamingOutputCallRequest request;
  if (!request.ParseFromString(bytes)) return absl::InternalError("the request does not parse");
  if (request.response_status().code() != 0) return StatusOf(request.response_status());
  for (const auto& parameters : request.response_parameters()) {
    if (absl::Status status = CheckSize(parameters.size()); !status.ok()) return status;
    responses_.push_back(parameters);
  }
  if (responses_.size() <= kResponsesMax) return absl::OkStatus();
  return MakeError(ErrorCode::kOverloaded, "the call asks for too many responses");
}

void StreamingOutput::Respond() {
  while (!responses_.empty()) {
    if (call_.cancelled()) return;
    const int32_t size = responses_.front().size();
    const std::chrono::microseconds interval(responses_.front().interval_us());
    responses_.pop_front();
    if (interval.count() > 0) return SendAfter(interval, size);
    if (!SendNow(size)) return;
  }
  requests_ended_ ? call_.Finish(absl::OkStatus()) : ReadRequest();
}

void StreamingOutput::SendAfter(Duration interval, int32_t size) {
  timer_.RunAt(net::EventLoop::Now() + interval, [self = shared_from_this(), size] {
    if (self->SendNow(size)) self->Respond();
  });
}

bool StreamingOutput::SendNow(int32_t size) {
  grpc::testing::StreamingOutputCallResponse response;
  *response.mutable_payload() = Zeros(size);
  if (call_.Send(response.SerializeAsString())) return true;
  call_.OnWritable([self = shared_from_this()] { self->Respond(); });
  return false;
}

}  // namespace engram::interop
