#include "engram/net/loop_io.h"

#include <boost/asio/post.hpp>
#include <utility>

#include "engram/net/event_loop.h"
#include "engram/net/transport.h"

namespace engram::net::internal {

void LoopIo::FlushSoon(std::shared_ptr<Transport> transport) {
  if (dirty_.empty()) boost::asio::post(loop_.context(), [this] { Flush(); });
  dirty_.push_back(std::move(transport));
}

void LoopIo::Flush() {
  ++flushes_;
  std::swap(dirty_, flushing_);
  for (auto& transport : flushing_) transport->Flush();
  flushing_.clear();
}

}  // namespace engram::net::internal
