// A cluster of real nodes that can be broken in every way that faults.h names: each on a host of
// its own, with its data on a small file system of its own, in memory.
//
// Used on one thread; takes root. The calling thread is in the network of the hosts as long as it
// lives. The file systems belong to the process (EnterOwnMounts) and vanish with it.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "chaos/asker.h"
#include "chaos/faults.h"
#include "support/cluster.h"
#include "support/failing_disk.h"
#include "support/switched_network.h"

namespace engram::testing {

// From now on what this process and its children mount is nobody else's. To be called before there
// are other threads.
absl::Status EnterOwnMounts();

class ChaosNodes {
 public:
  struct Options {
    int nodes = 5;
    int copies = 3;                  // of each space
    int disk_mebibytes = 512;        // of each node
    std::vector<std::string> flags;  // more of `engram serve`
  };
  // Returns when the nodes are one cluster. REQUIRES: EnterOwnMounts() has succeeded.
  static absl::StatusOr<std::unique_ptr<ChaosNodes>> Create(Options options);
  ~ChaosNodes();
  ChaosNodes(const ChaosNodes&) = delete;
  ChaosNodes& operator=(const ChaosNodes&) = delete;

  TestCluster& cluster() { return *cluster_; }
  // For whoever asks them.
  std::vector<Asker::Node> Addresses() const;

  void Begin(const Fault& fault);
  // How a node ended that should run, and the end of its log. REQUIRES: it has ended.
  std::string HowItEnded(int node) const;
  // Everything is as before the fault; a node that was killed is started, but may not serve yet. An
  // error if a node had ended by itself.
  absl::Status End(const Fault& fault);

  // All nodes are connected with all; false if that does not come to pass within a minute.
  bool AwaitConnected();

 private:
  ChaosNodes(Options options, std::unique_ptr<SwitchedNetwork> network);
  absl::Status Mount(int node) const;
  absl::Status Restart(int node);
  absl::Status StartEmpty(int node);
  Hosts OthersThan(const Hosts& victims) const;
  void SlowDown(int node);
  void SpeedUp(int node);
  void Fill(int node) const;
  std::filesystem::path Ballast(int node) const;

  const Options options_;
  std::unique_ptr<SwitchedNetwork> network_;
  std::unique_ptr<TestCluster> cluster_;
  std::map<int, std::unique_ptr<FailingDisk>> bad_disks_;
};

}  // namespace engram::testing
