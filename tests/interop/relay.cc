#include "interop/relay.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace engram::interop {
namespace {

using net::CallResult;
using net::Channel;
using net::Metadata;
using net::MetadataEntry;
using net::ServerCall;

// One call. Owned by the call-backs of its two sides, which drop it when the call has ended.
class RelayedCall : public std::enable_shared_from_this<RelayedCall> {
 public:
  explicit RelayedCall(ServerCall call) : call_(std::move(call)) {}

  void Begin(Channel& target) {
    const auto self = shared_from_this();
    net::CallOptions options{call_.deadline(), call_.metadata()};
    stream_ = target.Open(call_.method(), std::move(options),
                          [self](CallResult result) { self->End(std::move(result)); });
    stream_->OnHeaders([self](const Metadata& headers) { self->PassHeaders(headers); });
    call_.OnCancel([self] { self->stream_->Cancel(); });
    ReadRequest();
    ReadReply();
  }

 private:
  void ReadRequest() {
    call_.Read([self = shared_from_this()](std::optional<std::string> message) {
      if (!message.has_value()) return self->stream_->SendDone();
      if (self->stream_->Send(*std::move(message))) return self->ReadRequest();
      self->stream_->OnWritable([self] { self->ReadRequest(); });
    });
  }

  void ReadReply() {
    stream_->Read([self = shared_from_this()](std::optional<std::string> message) {
      if (!message.has_value()) return;  // End() follows
      if (self->call_.Send(*std::move(message))) return self->ReadReply();
      self->call_.OnWritable([self] { self->ReadReply(); });
    });
  }

  void PassHeaders(const Metadata& headers) {
    for (const MetadataEntry& entry : headers.entries()) call_.AddHeader(entry.name, entry.value);
    call_.SendHeaders();
  }

  void End(CallResult result) {
    for (const MetadataEntry& entry : result.trailing.entries()) {
      call_.AddTrailer(entry.name, entry.value);
    }
    call_.Finish(std::move(result.status));
  }

  ServerCall call_;
  std::unique_ptr<Channel::Stream> stream_;
};

}  // namespace

void Relay(ServerCall call, Channel& target) {
  std::make_shared<RelayedCall>(std::move(call))->Begin(target);
}

}  // namespace engram::interop
