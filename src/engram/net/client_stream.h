// The caller's handle on a streaming call.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "engram/net/client_call.h"
#include "engram/net/client_connection.h"

namespace engram::net::internal {

class ClientStream final : public Channel::Stream {
 public:
  explicit ClientStream(std::shared_ptr<ClientCall> call) : call_(std::move(call)) {}
  ~ClientStream() override {
    call_->ForgetReader();
    call_->Cancel();
  }

  bool Send(std::string message) override { return call_->SendMessage(std::move(message)); }
  void OnWritable(absl::AnyInvocable<void()> callback) override {
    call_->OnWritable(std::move(callback));
  }
  void OnHeaders(absl::AnyInvocable<void(const Metadata&)> callback) override {
    call_->OnHeaders(std::move(callback));
  }
  void SendDone() override { call_->FinishSending(); }
  void Read(absl::AnyInvocable<void(std::optional<std::string>)> done) override {
    call_->ReadMessage(std::move(done));
  }
  void Cancel() override { call_->Cancel(); }
  bool leaving() const override {
    const auto* connection = static_cast<const ClientConnection*>(call_->connection());
    return connection == nullptr || connection->retired();
  }

 private:
  const std::shared_ptr<ClientCall> call_;
};

}  // namespace engram::net::internal
