#include "engram/cli/store_from.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>

#include "engram/base/error.h"
#include "engram/cli/memory_json.h"
#include "engram/cli/progress.h"

namespace engram::cli {
namespace {

constexpr size_t kBatchMax = 500;
constexpr size_t kBatchBytesMax = 2u << 20;
constexpr size_t kMessageBytesMax = 4u
                                    << 20;  // what a node takes; a larger one would end the batch

// Sends what it is fed in batches and adds up what came of it.
class BatchStorer {
 public:
  BatchStorer(Context& context, client::Client& client) : context_(context), client_(client) {}

  void Add(uint64_t line, v1::StoreRequest request) {
    size_t size = request.ByteSizeLong();
    if (size > kMessageBytesMax) {
      return Bad(line, fmt::format("the memory has {} bytes, the limit for a message is {}", size,
                                   kMessageBytesMax));
    }
    bytes_ += size;
    lines_.push_back(line);
    batch_.push_back(std::move(request));
    if (batch_.size() >= kBatchMax || bytes_ >= kBatchBytesMax) Flush();
  }

  void Bad(uint64_t line, const std::string& error) {
    ++failed_;
    errors_.push_back({{"line", line}, {"error", error}});
    if (!context_.json) fmt::print(stderr, "line {}: {}\n", line, error);
  }

  // Sends what is left. After an error of the whole batch nothing more is sent.
  void Flush() {
    if (batch_.empty() || !status_.ok()) return;
    auto answer = client_.StoreAll(batch_);
    if (answer.ok()) {
      Count(answer->message);
    } else {
      status_ = answer.status();
      unknown_ = {lines_.front(), lines_.back()};
    }
    batch_.clear();
    lines_.clear();
    bytes_ = 0;
  }

  const absl::Status& status() const { return status_; }
  // The first and the last line of the batch that failed as a whole; zeros if none did.
  std::pair<uint64_t, uint64_t> unknown() const { return unknown_; }
  uint64_t stored() const { return stored_; }
  uint64_t failed() const { return failed_; }
  const Json& errors() const { return errors_; }
  const std::map<std::pair<std::string, std::string>, uint64_t>& shares() const { return shares_; }

 private:
  void Count(const v1::StoreStreamResponse& reply) {
    stored_ += reply.stored();
    for (const v1::StreamShare& share : reply.shares())
      shares_[{share.space(), share.node()}] += share.stored();
    for (const v1::StreamError& error : reply.errors()) {
      if (error.line() < 1 || error.line() > lines_.size()) continue;
      Bad(lines_[error.line() - 1], error.error().message());
    }
  }

  Context& context_;
  client::Client& client_;
  std::vector<v1::StoreRequest> batch_;
  std::vector<uint64_t> lines_;  // line number in the input, per request
  size_t bytes_ = 0;
  uint64_t stored_ = 0;
  uint64_t failed_ = 0;
  Json errors_ = Json::array();
  std::map<std::pair<std::string, std::string>, uint64_t> shares_;
  absl::Status status_;
  std::pair<uint64_t, uint64_t> unknown_;
};

Json SharesJson(const BatchStorer& storer) {
  Json shares = Json::array();
  for (const auto& [space_and_node, stored] : storer.shares()) {
    shares.push_back(
        {{"space", space_and_node.first}, {"node", space_and_node.second}, {"stored", stored}});
  }
  return shares;
}

void Report(Context& context, const BatchStorer& storer) {
  if (context.json) {
    PrintJson({{"stored", storer.stored()},
               {"failed", storer.failed()},
               {"errors", storer.errors()},
               {"shares", SharesJson(storer)},
               {"unknown_from_line", storer.unknown().first},
               {"unknown_to_line", storer.unknown().second}});
  } else {
    for (const auto& [space_and_node, stored] : storer.shares()) {
      fmt::print("{:>8} into {} on {}\n", stored, space_and_node.first, space_and_node.second);
    }
    fmt::print("stored {}, failed {}\n", storer.stored(), storer.failed());
  }
  if (storer.failed() > 0) context.exit_code = kRefused;
  if (storer.status().ok()) return;
  Fail(context, storer.status());
  auto [first, last] = storer.unknown();
  if (!context.json) {
    fmt::print(stderr,
               "  lines {} to {} may have been stored or not; nothing after line {} was sent\n",
               first, last, last);
  }
}

void StoreLines(Context& context, const StoreFromOptions& options, std::istream& in,
                uint64_t size) {
  auto client = Connect(context);
  if (client == nullptr) return;
  BatchStorer storer(context, *client);
  Progress progress(options.progress, "memories", size);
  uint64_t number = 0;
  uint64_t bytes = 0;
  for (std::string line; storer.status().ok() && std::getline(in, line);) {
    ++number;
    bytes += line.size() + 1;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    auto request = ParseMemoryLine(line, options.default_space);
    if (request.ok()) {
      storer.Add(number, *std::move(request));
    } else {
      storer.Bad(number, std::string(request.status().message()));
    }
    progress.Show(bytes, storer.stored());
  }
  storer.Flush();
  progress.End(storer.stored());
  Report(context, storer);
}

}  // namespace

void StoreFrom(Context& context, const StoreFromOptions& options) {
  if (options.file == "-") return StoreLines(context, options, std::cin, 0);
  std::ifstream in(options.file);
  if (!in || std::filesystem::is_directory(options.file))
    return FailUsage(context,
                     InvalidArgument("from", fmt::format("cannot read the file {}", options.file)));
  std::error_code error;
  uint64_t size = std::filesystem::file_size(options.file, error);
  StoreLines(context, options, in, error ? 0 : size);
}

}  // namespace engram::cli
