#include "engram/net/send_queue.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace engram::net::internal {

void SendQueue::Push(std::string message) {
  const bool idle = unsent_ == 0;
  unsent_ += kMessagePrefixBytes + message.size();
  if (idle) {
    BeginMessage(std::move(message));
  } else {
    behind_.push_back(std::move(message));
  }
}

void SendQueue::BeginMessage(std::string message) {
  front_ = std::move(message);
  front_sent_ = 0;
  const size_t size = front_.size();
  prefix_ = {0, static_cast<char>(size >> 24), static_cast<char>(size >> 16),
             static_cast<char>(size >> 8), static_cast<char>(size)};
}

size_t SendQueue::CopyTo(std::string& out, size_t n) {
  assert(n <= unsent_);
  unsent_ -= n;
  size_t completed = 0;
  while (n > 0) {
    if (front_sent_ < kMessagePrefixBytes) {
      const size_t part = std::min(n, kMessagePrefixBytes - front_sent_);
      out.append(prefix_.data() + front_sent_, part);
      front_sent_ += part;
      n -= part;
    }
    const size_t body_sent = front_sent_ - std::min(front_sent_, kMessagePrefixBytes);
    const size_t part = std::min(n, front_.size() - body_sent);
    out.append(front_, body_sent, part);
    front_sent_ += part;
    n -= part;
    if (!front_done()) break;
    ++completed;
    if (behind_.empty()) {
      if (after_sending_ == AfterSending::kFree) TakeLast();
      break;
    }
    BeginMessage(std::move(behind_.front()));
    behind_.pop_front();
  }
  return completed;
}

std::string SendQueue::TakeLast() {
  front_sent_ = kMessagePrefixBytes;
  behind_.clear();
  unsent_ = 0;
  return std::exchange(front_, {});
}

}  // namespace engram::net::internal
