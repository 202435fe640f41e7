#include "engram/cli/memory_json.h"

#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>

#include <nlohmann/json.hpp>

#include "engram/base/error.h"

namespace engram::cli {
namespace {

using Json = nlohmann::json;

absl::Status WrongType(std::string_view key, std::string_view wanted) {
  return InvalidArgument(key, fmt::format("{} must be {}", key, wanted));
}

absl::Status SetString(std::string_view key, const Json& value, std::string* out) {
  if (!value.is_string()) return WrongType(key, "a string");
  *out = value.get<std::string>();
  return absl::OkStatus();
}

absl::Status SetKind(const Json& value, v1::StoreRequest& request) {
  if (value == "episodic") {
    request.set_kind(v1::KIND_EPISODIC);
  } else if (value == "semantic") {
    request.set_kind(v1::KIND_SEMANTIC);
  } else {
    return WrongType("kind", "\"episodic\" or \"semantic\"");
  }
  return absl::OkStatus();
}

absl::Status SetTags(const Json& value, v1::StoreRequest& request) {
  if (!value.is_array()) return WrongType("tags", "a list of strings");
  for (const Json& tag : value) {
    if (!tag.is_string()) return WrongType("tags", "a list of strings");
    request.add_tags(tag.get<std::string>());
  }
  return absl::OkStatus();
}

absl::Status SetMetadata(const Json& value, v1::StoreRequest& request) {
  if (!value.is_object()) return WrongType("metadata", "an object of strings");
  for (const auto& [key, entry] : value.items()) {
    if (!entry.is_string()) return WrongType("metadata", "an object of strings");
    (*request.mutable_metadata())[key] = entry.get<std::string>();
  }
  return absl::OkStatus();
}

absl::Status SetEmbedding(const Json& value, v1::StoreRequest& request) {
  if (!value.is_array()) return WrongType("embedding", "a list of numbers");
  for (const Json& number : value) {
    if (!number.is_number()) return WrongType("embedding", "a list of numbers");
    request.add_embedding(number.get<float>());
  }
  return absl::OkStatus();
}

absl::Status SetLinks(const Json& value, v1::StoreRequest& request) {
  constexpr std::string_view kShape = "a list of {\"to\": ID, \"weight\": NUMBER}";
  if (!value.is_array()) return WrongType("links", kShape);
  for (const Json& link : value) {
    if (!link.is_object() || !link.contains("to") || !link["to"].is_string())
      return WrongType("links", kShape);
    v1::LinkTarget* target = request.add_links();
    target->set_to(link["to"].get<std::string>());
    if (!link.contains("weight")) continue;
    if (!link["weight"].is_number()) return WrongType("links", kShape);
    target->set_weight(link["weight"].get<double>());
  }
  return absl::OkStatus();
}

absl::Status SetOccurredAt(const Json& value, v1::StoreRequest& request) {
  bool valid = value.is_string() && google::protobuf::util::TimeUtil::FromString(
                                        value.get<std::string>(), request.mutable_occurred_at());
  return valid ? absl::OkStatus()
               : WrongType("occurred_at", "a time such as \"2026-01-31T12:00:00Z\"");
}

absl::Status SetKey(const std::string& key, const Json& value, v1::StoreRequest& request) {
  if (key == "space") return SetString(key, value, request.mutable_space());
  if (key == "id") return SetString(key, value, request.mutable_id());
  if (key == "content") return SetString(key, value, request.mutable_content());
  if (key == "kind") return SetKind(value, request);
  if (key == "tags") return SetTags(value, request);
  if (key == "metadata") return SetMetadata(value, request);
  if (key == "embedding") return SetEmbedding(value, request);
  if (key == "links") return SetLinks(value, request);
  if (key == "occurred_at") return SetOccurredAt(value, request);
  if (key != "confidence") return InvalidArgument(key, fmt::format("there is no key '{}'", key));
  if (!value.is_number()) return WrongType(key, "a number");
  request.set_confidence(value.get<double>());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::StoreRequest> ParseMemoryLine(std::string_view line,
                                                 const std::string& default_space) {
  Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded() || !json.is_object())
    return InvalidArgument("line", "the line is not a JSON object");
  v1::StoreRequest request;
  request.set_space(default_space);
  for (const auto& [key, value] : json.items()) {
    if (absl::Status status = SetKey(key, value, request); !status.ok()) return status;
  }
  if (request.space().empty())
    return InvalidArgument("space", "space is missing; add it or give --space");
  if (request.content().empty()) return InvalidArgument("content", "content is missing or empty");
  return request;
}

}  // namespace engram::cli
