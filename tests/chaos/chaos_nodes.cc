#include "chaos/chaos_nodes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "engram/base/error.h"

namespace engram::testing {
namespace {

constexpr char kTc[] = "/usr/sbin/tc";
// Of a slow link. A full queue delays by a second and loses what is more.
constexpr char kSlow[] = "rate 96kbit burst 2kb latency 1s";

absl::Status Errno(const std::string& what) {
  return MakeError(ErrorCode::kInternal, fmt::format("{}: {}", what, std::strerror(errno)));
}

absl::Status NeedsProgram(const char* path) {
  if (access(path, X_OK) == 0) return absl::OkStatus();
  return Errno(path);
}

std::vector<std::string> TcCommand(const std::string& words) {
  std::vector<std::string> command = {kTc};
  for (size_t at = 0; at < words.size();) {
    const size_t end = std::min(words.find(' ', at), words.size());
    command.push_back(words.substr(at, end - at));
    at = end + 1;
  }
  return command;
}

// A log has tens of megabytes beyond its end, so that a full disk would not be felt for minutes.
void TakeBackPreallocated(const std::filesystem::path& directory) {
  constexpr off_t kPage = 4096;
  constexpr off_t kAll = off_t{1} << 40;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (entry.path().extension() != ".log") continue;
    const int fd = open(entry.path().c_str(), O_RDWR | O_CLOEXEC);
    struct stat status {};
    fstat(fd, &status);
    const off_t end = (status.st_size + kPage - 1) / kPage * kPage;
    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, end + kPage, kAll);
    close(fd);
  }
}

// To the last byte.
void WriteUntilFull(const std::filesystem::path& file) {
  const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const std::vector<char> block(1u << 20);
  for (size_t size = block.size(); size > 0;) {
    if (write(fd, block.data(), size) <= 0) size /= 2;
  }
  close(fd);
}

}  // namespace

absl::Status EnterOwnMounts() {
  if (unshare(CLONE_NEWNS) != 0) return Errno("unshare");
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return Errno("mount");
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ChaosNodes>> ChaosNodes::Create(Options options) {
  for (const char* program : {kTc, FailingDisk::kProgram}) {
    if (absl::Status status = NeedsProgram(program); !status.ok()) return status;
  }
  auto network = SwitchedNetwork::Create(options.nodes);
  if (!network.ok()) return network.status();
  auto nodes = std::unique_ptr<ChaosNodes>(new ChaosNodes(std::move(options), *std::move(network)));
  TestCluster& cluster = nodes->cluster();
  for (const int i : cluster.Indexes()) {
    if (absl::Status status = nodes->Mount(i); !status.ok()) return status;
    cluster.Start(i);
    cluster.AwaitReady(i);
  }
  if (!nodes->AwaitConnected()) {
    return MakeError(ErrorCode::kInternal, "the nodes have not found each other");
  }
  return nodes;
}

ChaosNodes::ChaosNodes(Options options, std::unique_ptr<SwitchedNetwork> network)
    : options_(std::move(options)), network_(std::move(network)) {
  TestClusterOptions cluster;
  cluster.nodes = options_.nodes;
  cluster.started = 0;
  cluster.copies = options_.copies;
  cluster.durability = "fsync";
  cluster.flags = options_.flags;
  cluster.network = network_.get();
  cluster_ = std::make_unique<TestCluster>(std::move(cluster));
}

// What is mounted is in the way of whoever removes the directories. The nodes may still use it.
ChaosNodes::~ChaosNodes() {
  bad_disks_.clear();
  for (const int i : cluster_->Indexes()) umount2(cluster_->DataDir(i).c_str(), MNT_DETACH);
}

absl::Status ChaosNodes::Mount(int node) const {
  const std::filesystem::path directory = cluster_->DataDir(node);
  const std::string size = fmt::format("size={}m", options_.disk_mebibytes);
  std::filesystem::create_directories(directory);
  if (mount("tmpfs", directory.c_str(), "tmpfs", 0, size.c_str()) == 0) return absl::OkStatus();
  return Errno("mount tmpfs");
}

std::vector<Asker::Node> ChaosNodes::Addresses() const {
  std::vector<Asker::Node> nodes;
  for (const int i : cluster_->Indexes())
    nodes.push_back({cluster_->Name(i), cluster_->Address(i)});
  return nodes;
}

Hosts ChaosNodes::OthersThan(const Hosts& victims) const {
  Hosts others = cluster_->Indexes();
  std::erase_if(others, [&](int node) {
    return std::find(victims.begin(), victims.end(), node) != victims.end();
  });
  return others;
}

std::string ChaosNodes::HowItEnded(int node) const {
  constexpr size_t kLastBytes = 2000;
  std::string log = ReadAll(cluster_->Log(node));
  if (log.size() > kLastBytes) log.erase(0, log.size() - kLastBytes);
  return fmt::format("{} has ended by itself with {}; its log ends:\n{}", cluster_->Name(node),
                     cluster_->node(node).HowItEnded(), log);
}

void ChaosNodes::Begin(const Fault& fault) {
  const int node = fault.victims.front();
  switch (fault.kind) {
    case FaultKind::kKill:
    case FaultKind::kLostDisk:
      return cluster_->Kill9(node);
    case FaultKind::kPause:
      return cluster_->node(node).Stop();
    case FaultKind::kSplit:
      return network_->Cut(fault.victims, OthersThan(fault.victims));
    case FaultKind::kOneWay:
      return network_->CutOneWay(fault.victims, OthersThan(fault.victims));
    case FaultKind::kSlowLink:
      return SlowDown(node);
    case FaultKind::kBadDisk:
      bad_disks_[node] = std::make_unique<FailingDisk>(cluster_->node(node).pid());
      return;
    case FaultKind::kFullDisk:
      return Fill(node);
  }
}

absl::Status ChaosNodes::End(const Fault& fault) {
  const int node = fault.victims.front();
  switch (fault.kind) {
    case FaultKind::kKill:
      cluster_->Start(node);
      break;
    case FaultKind::kPause:
      cluster_->node(node).Signal(SIGCONT);
      break;
    case FaultKind::kSplit:
    case FaultKind::kOneWay:
      network_->Heal();
      break;
    case FaultKind::kSlowLink:
      SpeedUp(node);
      break;
    case FaultKind::kBadDisk:
      bad_disks_.erase(node);
      return Restart(node);
    case FaultKind::kFullDisk:
      std::filesystem::remove(Ballast(node));
      return Restart(node);
    case FaultKind::kLostDisk:
      return StartEmpty(node);
  }
  return absl::OkStatus();
}

absl::Status ChaosNodes::Restart(int node) {
  absl::Status ran;
  if (cluster_->node(node).Running()) {
    cluster_->Kill9(node);
  } else {
    ran = MakeError(ErrorCode::kInternal, HowItEnded(node));
  }
  cluster_->Start(node);
  return ran;
}

absl::Status ChaosNodes::StartEmpty(int node) {
  if (umount2(cluster_->DataDir(node).c_str(), 0) != 0) return Errno("umount");
  if (absl::Status status = Mount(node); !status.ok()) return status;
  // Without seeds it would found another cluster.
  if (node == TestCluster::kFounder) cluster_->SetSeeds(node, {cluster_->PeerAddress(node + 1)});
  cluster_->Start(node);
  return absl::OkStatus();
}

// Both directions: what it sends at its own end, what it gets at the switch's.
void ChaosNodes::SlowDown(int node) {
  {
    const InsideNamespace inside(network_->host(node));
    RunCommand(TcCommand(fmt::format("qdisc add dev eth0 root tbf {}", kSlow)));
  }
  RunCommand(TcCommand(fmt::format("qdisc add dev port{} root tbf {}", node, kSlow)));
}

void ChaosNodes::SpeedUp(int node) {
  {
    const InsideNamespace inside(network_->host(node));
    RunCommand(TcCommand("qdisc del dev eth0 root"));
  }
  RunCommand(TcCommand(fmt::format("qdisc del dev port{} root", node)));
}

std::filesystem::path ChaosNodes::Ballast(int node) const {
  return cluster_->DataDir(node) / "ballast";
}

// It stands still meanwhile: what it appended would be taken back too.
void ChaosNodes::Fill(int node) const {
  cluster_->node(node).Stop();
  TakeBackPreallocated(cluster_->DataDir(node));
  WriteUntilFull(Ballast(node));
  cluster_->node(node).Signal(SIGCONT);
}

bool ChaosNodes::AwaitConnected() {
  return Eventually([&] {
    const std::vector<int> all = cluster_->Indexes();
    return std::all_of(all.begin(), all.end(), [&](int i) {
      const auto status = cluster_->Client({i}, std::chrono::seconds(2))->GetStatus({});
      return status.ok() && status->message.connectivity() == "connected" &&
             status->message.reachable() == all.size();
    });
  });
}

}  // namespace engram::testing
