#include "support/nft.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "support/process.h"

namespace engram::testing {
namespace {

constexpr char kNft[] = "/usr/sbin/nft";

absl::StatusOr<std::string> Run(const std::vector<std::string>& args, const std::string& input) {
  if (access(kNft, X_OK) != 0) {
    return absl::FailedPreconditionError(fmt::format("{}: {}", kNft, std::strerror(errno)));
  }
  std::vector<std::string> command = {kNft};
  command.insert(command.end(), args.begin(), args.end());
  CommandResult result = RunCommand(command, input);
  if (result.exit_code == 0) return std::move(result.out);
  return absl::FailedPreconditionError(
      fmt::format("nft exits {}: {}", result.exit_code, result.err));
}

}  // namespace

absl::Status RunNft(const std::string& rules) { return Run({"-f", "-"}, rules).status(); }

absl::StatusOr<std::string> ListNft(const std::string& what) {
  return Run({"--json", "list " + what}, "");
}

}  // namespace engram::testing
