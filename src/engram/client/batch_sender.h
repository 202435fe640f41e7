// Sends many stores over one stream, as fast as the node takes them. Internal to the client.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engram/net/channel.h"
#include "engram/v1/memory.pb.h"

namespace engram::client {

// Belongs to the channel's loop; keeps itself alive until the call has ended.
class BatchSender : public std::enable_shared_from_this<BatchSender> {
 public:
  // `requests` must live until `done` is called, with the serialized StoreStreamResponse.
  BatchSender(const std::vector<v1::StoreRequest>& requests, net::Channel::Done done);

  void Start(net::Channel& channel, net::CallOptions call);

 private:
  void SendMore();
  void OnEnd(net::CallResult result);

  const std::vector<v1::StoreRequest>& requests_;
  net::Channel::Done done_;
  std::unique_ptr<net::Channel::Stream> stream_;
  size_t next_ = 0;
  std::string reply_;
};

}  // namespace engram::client
