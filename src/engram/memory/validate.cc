#include "engram/memory/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engram/base/error.h"
#include "engram/base/names.h"
#include "engram/memory/limits.h"
#include "engram/memory/pending_write.h"
#include "engram/memory/utf8.h"

namespace engram::memory {
namespace {

using absl::OkStatus;
using absl::Status;

// Every check is a Status; the first that fails is the answer.
#define ENGRAM_CHECK_FIELD(expression)           \
  do {                                           \
    Status field_status = (expression);          \
    if (!field_status.ok()) return field_status; \
  } while (false)

Status CheckIdentity(const WriteIdentity& identity, const RequestWindow& window) {
  const RequestId& id = identity.request_id;
  if (id.is_zero()) return InvalidArgument("request_id", "request_id must not be zero");
  using std::chrono::milliseconds;
  const milliseconds age(ToInt(window.now) - ToInt(id.time()));
  if (age > window.ttl) {
    return InvalidArgument(
        "request_id",
        fmt::format("request_id {} is {} s old; after {} s a repetition is no longer recognised, "
                    "so it is refused. Send the request with a new id if it is a new one",
                    id.ToString(), age.count() / 1000,
                    std::chrono::duration_cast<std::chrono::seconds>(window.ttl).count()));
  }
  if (-age > kRequestAheadMax) {
    return InvalidArgument("request_id",
                           fmt::format("request_id {} is {} s in the future, the limit is {} s: "
                                       "check the sender's clock",
                                       id.ToString(), -age.count() / 1000,
                                       std::chrono::seconds(kRequestAheadMax).count()));
  }
  return OkStatus();
}

Status CheckUtf8(std::string_view field, std::string_view text) {
  if (IsValidUtf8(text)) return OkStatus();
  return InvalidArgument(field, fmt::format("{} must be valid UTF-8", field));
}

Status CheckBytes(std::string_view field, std::string_view text, size_t bytes_max) {
  if (text.size() <= bytes_max) return CheckUtf8(field, text);
  return InvalidArgument(
      field, fmt::format("{} has {} bytes, the limit is {}", field, text.size(), bytes_max));
}

Status CheckContent(std::string_view content) {
  if (content.empty()) return InvalidArgument("content", "content must not be empty");
  return CheckBytes("content", content, kContentBytesMax);
}

Status CheckTags(const std::vector<std::string>& tags) {
  if (tags.size() > kTagsMax) {
    return InvalidArgument(
        "tags", fmt::format("there are {} tags, the limit is {}", tags.size(), kTagsMax));
  }
  for (const std::string& tag : tags) {
    if (tag.empty()) return InvalidArgument("tags", "a tag must not be empty");
    ENGRAM_CHECK_FIELD(CheckBytes("tags", tag, kTagBytesMax));
  }
  return OkStatus();
}

Status CheckMetadata(const std::map<std::string, std::string>& metadata) {
  size_t bytes = 0;
  for (const auto& [key, value] : metadata) {
    if (key.empty()) return InvalidArgument("metadata", "a metadata key must not be empty");
    ENGRAM_CHECK_FIELD(CheckUtf8("metadata", key));
    ENGRAM_CHECK_FIELD(CheckUtf8("metadata", value));
    bytes += key.size() + value.size();
  }
  if (bytes <= kMetadataBytesMax) return OkStatus();
  return InvalidArgument("metadata", fmt::format("metadata has {} bytes of keys and values, the "
                                                 "limit is {}",
                                                 bytes, kMetadataBytesMax));
}

Status CheckUnitInterval(std::string_view field, double value) {
  if (value >= 0 && value <= 1) return OkStatus();  // false for NaN
  return InvalidArgument(field, fmt::format("{} is {}, it must be from 0 to 1", field, value));
}

Status CheckEmbedding(const std::vector<float>& embedding) {
  if (embedding.empty()) return OkStatus();
  if (embedding.size() > kEmbeddingNumbersMax) {
    return InvalidArgument("embedding", fmt::format("embedding has {} numbers, the limit is {}",
                                                    embedding.size(), kEmbeddingNumbersMax));
  }
  // Squares are summed where they cannot overflow: the length of the vector must be a number too.
  double square = 0;
  for (size_t i = 0; i < embedding.size(); ++i) {
    if (!std::isfinite(embedding[i])) {
      return InvalidArgument(
          "embedding",
          fmt::format("embedding holds {} at {}, every number must be finite", embedding[i], i));
    }
    square += static_cast<double>(embedding[i]) * static_cast<double>(embedding[i]);
  }
  if (square > 0) return OkStatus();
  return InvalidArgument("embedding", "embedding is all zero, which has no direction to compare");
}

Status CheckWeight(double weight) {
  if (weight > 0 && weight <= 1) return OkStatus();
  return InvalidArgument("weight",
                         fmt::format("weight is {}, it must be above 0 and not above 1", weight));
}

Status SelfLink(std::string_view field, const MemoryId& id) {
  return InvalidArgument(field, fmt::format("the memory '{}' cannot link to itself", id.view()));
}

Status CheckLinks(const std::vector<Link>& links) {
  if (links.size() > kLinksMax) {
    return InvalidArgument(
        "links", fmt::format("there are {} links, the limit is {}", links.size(), kLinksMax));
  }
  for (const Link& link : links) {
    ENGRAM_CHECK_FIELD(CheckMemoryId("links.to", link.to.view()));
    ENGRAM_CHECK_FIELD(CheckWeight(link.weight));
  }
  return OkStatus();
}

Status CheckNoSelfLink(const StoreCommand& command) {
  if (command.links.empty()) return OkStatus();
  const MemoryId id = IdOf(command);
  for (const Link& link : command.links) {
    if (link.to == id) return SelfLink("links", id);
  }
  return OkStatus();
}

Status CheckKind(Kind kind) {
  if (kind <= Kind::kSemantic) return OkStatus();
  return InvalidArgument("kind", fmt::format("kind {} is not known", static_cast<int>(kind)));
}

}  // namespace

Status ValidateStore(const StoreCommand& command, const RequestWindow& window) {
  ENGRAM_CHECK_FIELD(CheckSpaceName("space", command.space.view()));
  if (command.id) ENGRAM_CHECK_FIELD(CheckMemoryId("id", command.id->view()));
  ENGRAM_CHECK_FIELD(CheckIdentity(command.identity, window));
  ENGRAM_CHECK_FIELD(CheckContent(command.content));
  ENGRAM_CHECK_FIELD(CheckEmbedding(command.embedding));
  ENGRAM_CHECK_FIELD(CheckTags(command.tags));
  ENGRAM_CHECK_FIELD(CheckMetadata(command.metadata));
  if (command.confidence) {
    ENGRAM_CHECK_FIELD(CheckUnitInterval("confidence", *command.confidence));
  }
  ENGRAM_CHECK_FIELD(CheckKind(command.kind));
  ENGRAM_CHECK_FIELD(CheckLinks(command.links));
  return CheckNoSelfLink(command);
}

Status ValidateForget(const ForgetCommand& command, const RequestWindow& window) {
  ENGRAM_CHECK_FIELD(CheckSpaceName("space", command.space.view()));
  ENGRAM_CHECK_FIELD(CheckMemoryId("id", command.id.view()));
  return CheckIdentity(command.identity, window);
}

Status ValidateLink(const LinkCommand& command, const RequestWindow& window) {
  ENGRAM_CHECK_FIELD(CheckSpaceName("space", command.space.view()));
  ENGRAM_CHECK_FIELD(CheckMemoryId("from", command.from.view()));
  ENGRAM_CHECK_FIELD(CheckMemoryId("to", command.to.view()));
  if (command.to == command.from) return SelfLink("to", command.to);
  ENGRAM_CHECK_FIELD(CheckWeight(command.weight));
  return CheckIdentity(command.identity, window);
}

Status ValidateRecall(const RecallQuery& query) {
  ENGRAM_CHECK_FIELD(CheckSpaceName("space", query.space.view()));
  return ValidateQuestion(query);
}

Status ValidateQuestion(const RecallQuery& query) {
  if (query.text.empty() && query.embedding.empty()) {
    return InvalidArgument("query", "query and embedding are both empty: give one of them");
  }
  ENGRAM_CHECK_FIELD(CheckBytes("query", query.text, kQueryBytesMax));
  ENGRAM_CHECK_FIELD(CheckEmbedding(query.embedding));
  if (query.limit < 1 || query.limit > kRecallLimitMax) {
    return InvalidArgument(
        "limit", fmt::format("limit is {}, it must be from 1 to {}", query.limit, kRecallLimitMax));
  }
  ENGRAM_CHECK_FIELD(CheckTags(query.tags));
  ENGRAM_CHECK_FIELD(CheckMetadata(query.metadata));
  ENGRAM_CHECK_FIELD(CheckKind(query.kind));
  ENGRAM_CHECK_FIELD(CheckUnitInterval("min_confidence", query.min_confidence));
  if (query.after && query.before && *query.after >= *query.before) {
    return InvalidArgument("after", "after must be earlier than before");
  }
  return OkStatus();
}

namespace {

Status CheckSimilarity(std::string_view field, double value, double value_min) {
  if (value >= value_min && value <= 1) return OkStatus();  // false for NaN
  return InvalidArgument(field,
                         fmt::format("{} is {}, it must be from {} to 1", field, value, value_min));
}

}  // namespace

Status ValidateConsolidation(const ConsolidationQuery& query) {
  ENGRAM_CHECK_FIELD(CheckSpaceName("space", query.space.view()));
  const SimilarityOptions& similarity = query.similarity;
  ENGRAM_CHECK_FIELD(
      CheckSimilarity("embedding_similarity", similarity.embedding_min, kEmbeddingSimilarityMin));
  return CheckSimilarity("text_similarity", similarity.text_min, kTextSimilarityMin);
}

Status CheckDimension(size_t numbers, uint32_t dimension, const SpaceId& space) {
  if (numbers == 0 || dimension == 0 || numbers == dimension) return OkStatus();
  return InvalidArgument("embedding",
                         fmt::format("embedding has {} numbers, the space '{}' takes {}", numbers,
                                     space.view(), dimension));
}

}  // namespace engram::memory
