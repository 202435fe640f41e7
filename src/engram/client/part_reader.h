// Reads the messages of a server-streaming call. Internal to the client.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "engram/net/channel.h"

namespace engram::client {

// Belongs to the channel's loop; keeps itself alive until the call has ended.
class PartReader : public std::enable_shared_from_this<PartReader> {
 public:
  using OnPart = absl::AnyInvocable<void(const std::string&)>;

  // `on_part` gets each message; `done` the last one with the call's end.
  PartReader(OnPart on_part, net::Channel::Done done);

  void Start(net::Channel& channel, std::string_view method, net::CallOptions call,
             std::string request);

 private:
  void ReadMore();
  void OnEnd(net::CallResult result);

  OnPart on_part_;
  net::Channel::Done done_;
  std::unique_ptr<net::Channel::Stream> stream_;
  std::string last_;
};

}  // namespace engram::client
