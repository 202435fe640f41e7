#include "engram/server/fan_out.h"

#include <memory>
#include <utility>

#include "engram/server/metadata_names.h"

namespace engram::server {
namespace {

struct Gathering {
  std::vector<PeerAnswer> answers;
  size_t missing = 0;
  absl::AnyInvocable<void(std::vector<PeerAnswer>)> done;
};

}  // namespace

void AskAllPeers(NodeContext& context, LoopState& loop, std::string_view method,
                 const std::string& request, TimePoint deadline,
                 absl::AnyInvocable<void(std::vector<PeerAnswer>)> done) {
  auto gathering = std::make_shared<Gathering>();
  for (const PeerConfig& peer : context.config.peers) {
    if (peer.id != context.self) gathering->answers.push_back({peer.id, {}, {}});
  }
  gathering->missing = gathering->answers.size();
  gathering->done = std::move(done);
  if (gathering->missing == 0) return gathering->done({});
  TimePoint started = Now();
  for (size_t i = 0; i < gathering->answers.size(); ++i) {
    net::CallOptions options{deadline, {}};
    options.metadata.Add(kMdCluster, context.config.cluster, net::Recurrence::kRepeated);
    const NodeId& node = gathering->answers[i].node;
    net::Channel& channel = *context.pool.Get(loop.index, node, *context.AddressOf(node));
    channel.Unary(method, std::move(options), request,
                  [gathering, i, started](net::CallResult result) {
                    gathering->answers[i].result = std::move(result);
                    gathering->answers[i].took = Now() - started;
                    if (--gathering->missing == 0) gathering->done(std::move(gathering->answers));
                  });
  }
}

}  // namespace engram::server
