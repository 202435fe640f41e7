#include "engram/net/channel.h"

#include <utility>

#include "engram/net/channel_impl.h"

namespace engram::net {

std::shared_ptr<Channel> Channel::Create(EventLoop& loop, std::string address,
                                         ChannelOptions options) {
  return std::make_shared<internal::ChannelImpl>(loop, std::move(address), std::move(options));
}

bool WasNotUnderstood(const absl::Status& status) {
  return status.GetPayload(internal::kNotUnderstoodPayload).has_value();
}

bool WasRefused(const absl::Status& status) {
  return status.GetPayload(internal::kRefusedPayload).has_value();
}

void Channel::CallHandle::Cancel() {
  if (const std::shared_ptr<void> call = call_.lock()) {
    static_cast<internal::ClientCall*>(call.get())->Cancel();
  }
}

std::optional<std::string> Channel::CallHandle::CopyRequest() const {
  const std::shared_ptr<void> call = call_.lock();
  if (call == nullptr) return std::nullopt;
  return static_cast<internal::ClientCall*>(call.get())->CopyRequest();
}

}  // namespace engram::net
