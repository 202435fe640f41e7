#include "support/silent_node.h"

#include <gtest/gtest.h>

#include <optional>
#include <utility>

namespace engram::testing {
namespace {

constexpr char kPeerService[] = "/engram.peer.v1.PeerService/";

net::ServerOptions OptionsFor(int port) {
  net::ServerOptions options;
  options.port = static_cast<uint16_t>(port);
  return options;
}

}  // namespace

SilentNode::SilentNode(int port) : server_(loops_, OptionsFor(port)) {
  for (const char* method : {"Store", "Forget", "Link", "Recall", "Get"}) {
    server_.AddUnary(kPeerService + std::string(method),
                     [this](net::ServerCall call, const std::string&) {
                       Take(&SilentNode::requests_, std::move(call));
                     });
  }
  server_.AddUnary(kPeerService + std::string("Holds"),
                   [this](net::ServerCall call, const std::string&) {
                     Take(&SilentNode::questions_, std::move(call));
                   });
  server_.AddStream(kPeerService + std::string("PassOn"), [this](net::ServerCall call) {
    auto stream = std::make_shared<net::ServerCall>(std::move(call));
    stream->AddHeader("engram-served-by", "silent");
    stream->SendHeaders();
    ReadOn(stream);
  });
  loops_.Start();
  const absl::Status started = server_.Start();
  EXPECT_TRUE(started.ok()) << started;
}

SilentNode::~SilentNode() {
  server_.Drain(TimePoint::min());
  loops_.Stop();
}

void SilentNode::Take(uint64_t SilentNode::*count, net::ServerCall call) {
  const std::scoped_lock lock(mutex_);
  ++(this->*count);
  kept_.push_back(std::move(call));
}

// Each message is a request.
void SilentNode::ReadOn(const std::shared_ptr<net::ServerCall>& stream) {
  stream->Read([this, stream](const std::optional<std::string>& message) {
    if (!message.has_value()) return stream->Finish(absl::OkStatus());
    {
      const std::scoped_lock lock(mutex_);
      ++requests_;
    }
    ReadOn(stream);
  });
}

uint64_t SilentNode::requests() const {
  const std::scoped_lock lock(mutex_);
  return requests_;
}

uint64_t SilentNode::questions() const {
  const std::scoped_lock lock(mutex_);
  return questions_;
}

}  // namespace engram::testing
