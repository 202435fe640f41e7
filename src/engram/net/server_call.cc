#include <utility>

#include "engram/base/error.h"
#include "engram/net/server.h"
#include "engram/net/server_stream.h"

namespace engram::net {

ServerCall::ServerCall(std::shared_ptr<internal::ServerStreamState> state)
    : state_(std::move(state)) {}

ServerCall::ServerCall(ServerCall&&) noexcept = default;

ServerCall& ServerCall::operator=(ServerCall&& other) noexcept {
  if (this != &other) {
    ServerCall dropped(std::move(*this));
    state_ = std::move(other.state_);
  }
  return *this;
}

ServerCall::~ServerCall() {
  if (state_ == nullptr) return;
  if (state_->handed_over()) return;
  EventLoop& loop = state_->loop();
  const auto drop = [](internal::ServerStreamState& state) {
    if (state.ended()) return;
    state.Finish(
        MakeError(ErrorCode::kInternal, "the call's handler gave it up without an answer"));
  };
  if (loop.InLoop()) {
    drop(*state_);
  } else {
    loop.Post([state = std::move(state_), drop] { drop(*state); });
  }
}

EventLoop& ServerCall::loop() const { return state_->loop(); }
std::string_view ServerCall::method() const { return state_->method(); }
const Metadata& ServerCall::metadata() const { return state_->metadata(); }
TimePoint ServerCall::deadline() const { return state_->request_deadline(); }
std::string_view ServerCall::peer() const { return state_->peer(); }
bool ServerCall::cancelled() const { return state_->cancelled(); }

void ServerCall::OnCancel(absl::AnyInvocable<void()> callback) {
  state_->OnCancel(std::move(callback));
}

void ServerCall::AddHeader(std::string_view name, std::string_view value) {
  state_->AddHeader(name, value);
}

void ServerCall::SendHeaders() { state_->SendHeaders(); }

void ServerCall::AddTrailer(std::string_view name, std::string_view value, Recurrence recurrence) {
  state_->AddTrailer(name, value, recurrence);
}

// Ending a call drops its call-backs, which may own this very handle: hence the copies of state_.

void ServerCall::Reply(absl::StatusOr<std::string> message) {
  const std::shared_ptr<internal::ServerStreamState> state = state_;
  if (state->loop().InLoop()) return state->Reply(std::move(message));
  state->HandOver();
  state->loop().Post(
      [state, message = std::move(message)]() mutable { state->Reply(std::move(message)); });
}

void ServerCall::Finish(absl::Status status) {
  const std::shared_ptr<internal::ServerStreamState> state = state_;
  if (state->loop().InLoop()) return state->Finish(std::move(status));
  state->HandOver();
  state->loop().Post(
      [state, status = std::move(status)]() mutable { state->Finish(std::move(status)); });
}

void ServerCall::SetBudgetFloor(size_t bytes) { state_->SetBudgetFloor(bytes); }

bool ServerCall::Send(std::string message) { return state_->SendMessage(std::move(message)); }

void ServerCall::OnWritable(absl::AnyInvocable<void()> callback) {
  if (!state_->ended()) state_->OnWritable(std::move(callback));
}

void ServerCall::Read(absl::AnyInvocable<void(std::optional<std::string>)> done) {
  if (!state_->ended()) state_->Read(std::move(done));
}

}  // namespace engram::net
