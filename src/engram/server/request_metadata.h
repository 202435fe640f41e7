// Reading Engram's own request metadata.
#pragma once

#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "engram/base/ulid.h"
#include "engram/memory/types.h"
#include "engram/net/metadata.h"
#include "engram/routing/ack.h"
#include "engram/server/node_context.h"

namespace engram::server {

// The client's request id, or a new one; InvalidArgument if it is no ULID.
absl::StatusOr<RequestId> RequestIdFrom(const net::Metadata& metadata, LoopState& loop);

// The identity that a forwarding node set. `is_write` requires it.
absl::StatusOr<memory::WriteIdentity> IdentityFrom(const net::Metadata& metadata, bool is_write);

// The same of a request that came over a stream.
absl::StatusOr<memory::WriteIdentity> IdentityFrom(std::string_view request_id, uint64_t line,
                                                   bool is_write);

// What a read asks for itself; none if it says nothing; InvalidArgument if it is no preference.
absl::StatusOr<std::optional<routing::ReadPreference>> ReadPreferenceFrom(
    const net::Metadata& metadata);

// When a write is to be acknowledged; none if it says nothing; InvalidArgument if it is no level.
absl::StatusOr<std::optional<routing::Ack>> AckFrom(const net::Metadata& metadata);
absl::StatusOr<std::optional<routing::Ack>> AckFrom(std::string_view name);

// As the write asks for, else as the configuration says of the space, else of all.
routing::Ack AckOf(const NodeConfig& config, std::optional<routing::Ack> asked,
                   std::string_view space);

// What the reader has seen of the space; none if he does not say. InvalidArgument if it is no
// token.
absl::StatusOr<std::optional<Version>> SessionFrom(const net::Metadata& metadata,
                                                   std::string_view space);

// How a space is read: as the request asks for, else as the configuration says of the space, else
// of all.
routing::ReadPolicy ReadPolicyOf(const NodeConfig& config,
                                 std::optional<routing::ReadPreference> asked,
                                 std::string_view space);

// When an operation has to end: at the node's own limit, or a little before the client's deadline,
// a twentieth of its time and 50 ms at most. An error of ours says which node failed and how;
// whoever gives up by his own clock learns nothing.
TimePoint OperationDeadline(TimePoint client, Duration limit, TimePoint now);

}  // namespace engram::server
