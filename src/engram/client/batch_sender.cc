#include "engram/client/batch_sender.h"

#include <optional>
#include <utility>

namespace engram::client {

BatchSender::BatchSender(const std::vector<v1::StoreRequest>& requests, net::Channel::Done done)
    : requests_(requests), done_(std::move(done)) {}

void BatchSender::Start(net::Channel& channel, net::CallOptions call) {
  stream_ = channel.Open(
      "/engram.v1.MemoryService/StoreStream", std::move(call),
      [self = shared_from_this()](net::CallResult result) { self->OnEnd(std::move(result)); });
  stream_->Read([weak = weak_from_this()](std::optional<std::string> message) {
    auto self = weak.lock();
    if (self != nullptr && message.has_value()) self->reply_ = *std::move(message);
  });
  SendMore();
}

void BatchSender::SendMore() {
  while (next_ < requests_.size()) {
    if (!stream_->Send(requests_[next_++].SerializeAsString())) {
      stream_->OnWritable([weak = weak_from_this()] {
        if (auto self = weak.lock(); self != nullptr && self->stream_ != nullptr) self->SendMore();
      });
      return;
    }
  }
  stream_->SendDone();
}

void BatchSender::OnEnd(net::CallResult result) {
  result.message = std::move(reply_);
  stream_.reset();
  done_(std::move(result));
}

}  // namespace engram::client
