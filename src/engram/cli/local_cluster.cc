#include "engram/cli/local_cluster.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <thread>
#include <utility>

#include "engram/base/error.h"
#include "engram/base/file.h"
#include "engram/client/client.h"

namespace engram::cli {
namespace {

namespace fs = std::filesystem;
using std::string_view_literals::operator""sv;

constexpr Duration kPollInterval = std::chrono::milliseconds(20);

TimePoint Now() { return std::chrono::steady_clock::now(); }

absl::Status SystemError(const char* call) {
  return MakeError(ErrorCode::kInternal, fmt::format("{} failed: {}", call, std::strerror(errno)));
}

// In the child, between fork and exec: only async-signal-safe calls.
[[noreturn]] void ExecNode(const char* config, const char* log, Attachment attachment,
                           pid_t parent) {
  if (attachment == Attachment::kDetached) {
    setsid();
  } else {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(1);
    // Ctrl-C in the terminal is for `up`, which then stops the nodes in order.
    setpgid(0, 0);
  }
  int in = open("/dev/null", O_RDONLY);
  int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  dup2(in, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(out, STDERR_FILENO);
  execl("/proc/self/exe", "engram", "serve", "--config", config, static_cast<char*>(nullptr));
  _exit(127);
}

// Returns when the child runs the program (or has failed to): only then can it be told by its
// command line.
absl::Status StartNode(const ClusterSpec& spec, int i, Attachment attachment) {
  fs::path dir = spec.NodeDir(i);
  std::string config = (dir / "engram.toml").string();
  std::string log = (dir / "log").string();
  std::error_code ignored;
  fs::rename(log, log + ".1", ignored);
  int closed_by_exec[2];
  if (pipe2(closed_by_exec, O_CLOEXEC) != 0) return SystemError("pipe");
  pid_t parent = getpid();
  pid_t child = fork();
  if (child == 0) ExecNode(config.c_str(), log.c_str(), attachment, parent);
  close(closed_by_exec[1]);
  char byte;
  bool interrupted = true;
  while (child > 0 && interrupted) {
    interrupted = read(closed_by_exec[0], &byte, 1) < 0 && errno == EINTR;
  }
  close(closed_by_exec[0]);
  if (child < 0) return SystemError("fork");
  return absl::OkStatus();
}

absl::Status NotReady(const ClusterSpec& spec, int i, const char* what) {
  fs::path file = spec.NodeDir(i) / "log";
  std::string log = ReadFile(file).value_or("");
  constexpr size_t kShown = 600;
  if (log.size() > kShown) log = "..." + log.substr(log.size() - kShown);
  return MakeError(
      ErrorCode::kConnectionFailed,
      fmt::format("{} {}; its log, {}:\n{}", spec.NodeName(i), what, file.string(), log));
}

// As a node is to the others: with its own certificate.
client::ClientOptions ClientOptionsOf(const ClusterSpec& spec, int i) {
  client::ClientOptions options;
  options.nodes = {spec.NodeAddress(i)};
  options.timeout = std::chrono::seconds(2);
  if (!spec.tls.on()) return options;
  options.tls = client::ClientTls{.ca_file = spec.tls.ca,
                                  .certificate_file = spec.tls.cert,
                                  .key_file = spec.tls.key,
                                  .expected_name = spec.tls.name};
  return options;
}

// Not only that something answers on the port, which another cluster's node may: it has found the
// others.
bool IsReady(client::Client& client, const ClusterSpec& spec, int i) {
  auto status = client.GetStatus({});
  return status.ok() && status->message.cluster_name() == spec.cluster &&
         status->message.node_id() == spec.NodeName(i) &&
         status->message.connectivity() == "connected" &&
         status->message.reachable() >= static_cast<uint32_t>(spec.nodes);
}

// True if it ended by itself (port in use, corrupt data...): then waiting is of no use. Reaps it if
// it is our child.
bool HasEnded(const ClusterSpec& spec, int i) {
  while (waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  return !RunningNode(spec, i).has_value();
}

enum class Ending : uint8_t { kByItself, kKilled };

Ending AwaitEnd(const ClusterSpec& spec, int i, TimePoint deadline) {
  Ending ending = Ending::kByItself;
  while (!HasEnded(spec, i)) {
    std::optional<pid_t> pid = RunningNode(spec, i);
    if (pid.has_value() && Now() >= deadline) {
      if (kill(*pid, SIGKILL) != 0) break;
      ending = Ending::kKilled;
    }
    std::this_thread::sleep_for(kPollInterval);
  }
  return ending;
}

}  // namespace

absl::StatusOr<StartLock> StartLock::Take(const fs::path& dir) {
  std::error_code error;
  fs::create_directories(dir, error);
  int fd = error ? -1 : open((dir / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) {
    std::string why = error ? error.message() : std::strerror(errno);
    return InvalidArgument("dir", fmt::format("cannot write into {}: {}", dir.string(), why));
  }
  StartLock lock(fd);
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return lock;
  return InvalidArgument(
      "dir", fmt::format("another `engram up` is starting the cluster in {}", dir.string()));
}

StartLock::StartLock(StartLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

StartLock::~StartLock() {
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<std::vector<int>> StartNodes(const ClusterSpec& spec, Attachment attachment) {
  std::vector<int> started;
  for (int i = 0; i < spec.nodes; ++i) {
    if (RunningNode(spec, i).has_value()) continue;
    if (absl::Status status = StartNode(spec, i, attachment); !status.ok()) return status;
    started.push_back(i);
  }
  if (!started.empty()) return started;
  return InvalidArgument("dir",
                         fmt::format("the cluster in {} runs already; `down --dir {}` stops it",
                                     spec.dir.string(), spec.dir.string()));
}

absl::Status AwaitReady(const ClusterSpec& spec, TimePoint deadline) {
  for (int i = 0; i < spec.nodes; ++i) {
    auto client = client::Client::Create(ClientOptionsOf(spec, i));
    if (!client.ok()) return client.status();
    while (!IsReady(**client, spec, i)) {
      if (HasEnded(spec, i)) return NotReady(spec, i, "ended at once");
      if (Now() >= deadline) return NotReady(spec, i, "does not answer");
      std::this_thread::sleep_for(kPollInterval);
    }
  }
  return absl::OkStatus();
}

std::optional<pid_t> RunningNode(const ClusterSpec& spec, int i) {
  // As ExecNode writes it; arguments end in NUL. An editor with the same file open is no node.
  std::string wanted =
      fmt::format("engram\0serve\0--config\0{}\0"sv, (spec.NodeDir(i) / "engram.toml").string());
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    pid_t pid = static_cast<pid_t>(std::atoi(entry.path().filename().c_str()));
    if (pid <= 0) continue;
    std::string command = ReadFile(entry.path() / "cmdline").value_or("");
    if (command == wanted) return pid;
  }
  return std::nullopt;
}

StoppedNodes StopNodes(const ClusterSpec& spec, const std::vector<int>& nodes, TimePoint deadline) {
  StoppedNodes stopped;
  for (int i : nodes) {
    std::optional<pid_t> pid = RunningNode(spec, i);
    if (pid.has_value() && kill(*pid, SIGTERM) == 0) ++stopped.count;
  }
  for (int i : nodes) {
    if (AwaitEnd(spec, i, deadline) == Ending::kKilled) stopped.killed.push_back(i);
  }
  return stopped;
}

}  // namespace engram::cli
