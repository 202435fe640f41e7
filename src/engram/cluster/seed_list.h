// What the seeds of a node stand for at present: which names are to be resolved when, and which
// addresses come of it. A machine: it is told answers and time, and asks nobody itself.
//
// A name is resolved again every `refresh`, so that seeds which DNS begins to name are used while
// the node runs. When that fails, what was known of the name stays: a DNS server that is down takes
// no seed away. A name of which nothing is known yet is asked for again sooner, after 1 s, 2 s, 4 s
// and so on: a node and its DNS record may come up together.
//
// Owned by Seeds. Pure; not thread-safe.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engram/base/time.h"
#include "engram/cluster/seed.h"

namespace engram::cluster {

class SeedList {
 public:
  static constexpr Duration kFirstRetry = std::chrono::seconds(1);
  // Of all seeds together; what is beyond is left out.
  static constexpr size_t kAddressesMax = 1024;

  struct Outcome {
    bool list_changed = false;
    // The name could be resolved before and cannot be now, or the other way round; also if it could
    // not be resolved the first time.
    bool health_changed = false;
  };

  // `own`: the addresses of this node itself, which are no seeds. If they are names, they are
  // resolved like seeds, and what they stand for is left out of the list.
  SeedList(const std::vector<Seed>& seeds, const std::vector<Seed>& own, Duration refresh,
           TimePoint now);

  // The names that are to be resolved now, as indices for seed() and OnAnswer(). Each is under way
  // until its answer is told.
  std::vector<size_t> TakeDue(TimePoint now);
  // When TakeDue() has something next; kNever while all names are under way, or if there are none.
  TimePoint NextWake() const;
  // REQUIRES: TakeDue() gave `index`, and it was not answered since.
  Outcome OnAnswer(size_t index, const absl::StatusOr<std::vector<std::string>>& answer,
                   TimePoint now);

  const Seed& seed(size_t index) const { return entries_[index].seed; }
  // "ip:port", in the order of the seeds, without doubles and without this node itself.
  const std::vector<std::string>& addresses() const { return addresses_; }
  // Each name has been resolved once, or could not be.
  bool settled() const { return unsettled_ == 0; }

 private:
  struct Entry {
    Seed seed;
    bool own = false;
    std::vector<std::string> addresses;  // the last good answer
    bool settled = false;
    bool failing = false;
    Duration retry = kFirstRetry;
    TimePoint due = kNever;
  };

  void Add(const Seed& seed, bool own, TimePoint now);
  bool IsOwn(const std::string& address) const;
  bool Rebuild();

  const Duration refresh_;
  std::vector<Entry> entries_;
  std::vector<std::string> addresses_;
  size_t unsettled_ = 0;
};

}  // namespace engram::cluster
