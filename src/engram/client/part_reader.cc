#include "engram/client/part_reader.h"

#include <utility>

namespace engram::client {

PartReader::PartReader(OnPart on_part, net::Channel::Done done)
    : on_part_(std::move(on_part)), done_(std::move(done)) {}

void PartReader::Start(net::Channel& channel, std::string_view method, net::CallOptions call,
                       std::string request) {
  stream_ = channel.Open(
      method, std::move(call),
      [self = shared_from_this()](net::CallResult result) { self->OnEnd(std::move(result)); });
  ReadMore();
  stream_->Send(std::move(request));
  stream_->SendDone();
}

void PartReader::ReadMore() {
  stream_->Read([weak = weak_from_this()](std::optional<std::string> message) {
    auto self = weak.lock();
    if (self == nullptr || !message.has_value()) return;
    self->on_part_(*message);
    self->last_ = *std::move(message);
    if (self->stream_ != nullptr) self->ReadMore();
  });
}

void PartReader::OnEnd(net::CallResult result) {
  result.message = std::move(last_);
  stream_.reset();
  done_(std::move(result));
}

}  // namespace engram::client
