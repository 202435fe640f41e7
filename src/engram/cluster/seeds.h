// The seeds of a node, resolved at start and again while it runs (SPEC C2): drives a SeedList with
// a DnsResolver and a timer, and logs when a name can no longer be resolved and when it can again.
//
// Owned by the driver that asks seeds. Loop thread only, but for counters(), which any thread may
// read; destroyed on the loop or after it has stopped. The loop must outlive it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "engram/cluster/dns_resolver.h"
#include "engram/cluster/seed_list.h"
#include "engram/net/counters.h"
#include "engram/net/event_loop.h"

namespace engram::cluster {

struct SeedsOptions {
  std::vector<std::string> seeds;  // see ParseSeed()
  // What this node itself is reached at, "host:port": left out of the list. A node that is named by
  // DNS at an address it does not know of may still find itself in it.
  std::vector<std::string> own;
  Duration refresh = std::chrono::seconds(30);  // `dns-refresh`
  DnsOptions dns;
};

// Answers, by whether they were good.
struct SeedCounters {
  net::Counter resolved;
  net::Counter failed;
};

class Seeds {
 public:
  // As many may be configured; each name may stand for many.
  static constexpr size_t kSeedsMax = 100;

  // The list has changed, or every name has been asked for once, so that settled() is now true.
  using Changed = absl::AnyInvocable<void()>;

  // InvalidArgument if an option is not within its rules: the seed, the DNS server or `dns-refresh`
  // is named.
  static absl::StatusOr<std::unique_ptr<Seeds>> Make(net::EventLoop& loop,
                                                     const SeedsOptions& options);
  Seeds(const Seeds&) = delete;
  Seeds& operator=(const Seeds&) = delete;

  // Begins to resolve. `changed` runs on the loop, not before this returns, and must not destroy
  // this. Without any name there is nothing to wait for: addresses() is complete from the
  // beginning, and `changed` is never called.
  void Start(Changed changed);

  // "ip:port", in the order of the seeds, without doubles and without this node itself. Those that
  // are addresses are there from the beginning.
  const std::vector<std::string>& addresses() const { return list_.addresses(); }
  // Every name has been resolved once, or could not be.
  bool settled() const { return list_.settled(); }

  const SeedCounters& counters() const { return counters_; }

 private:
  Seeds(net::EventLoop& loop, const SeedsOptions& options, SeedList list);

  void ResolveDue();
  void OnAnswer(size_t index, const absl::StatusOr<std::vector<std::string>>& answer);
  void LogHealth(const Seed& seed, const absl::Status& status) const;

  DnsResolver resolver_;
  SeedList list_;
  SeedCounters counters_;
  Changed changed_;
  net::EventLoop::Timer timer_;
};

}  // namespace engram::cluster
