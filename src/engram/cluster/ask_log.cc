#include "engram/cluster/ask_log.h"

#include <fmt/format.h>

namespace engram::cluster {

std::optional<std::string> AskLog::OnError(const std::string& address, const absl::Status& status) {
  if (told_.size() >= kAddressesMax && !told_.contains(address)) return std::nullopt;
  std::string reason(status.message());
  std::string& told = told_[address];
  if (told == reason) return std::nullopt;
  told = std::move(reason);
  return fmt::format("event=ask_failed address={} reason=\"{}\"", address, told);
}

}  // namespace engram::cluster
