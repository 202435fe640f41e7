// Reading Engram's own request metadata.
#pragma once

#include "absl/status/statusor.h"
#include "engram/base/ulid.h"
#include "engram/memory/types.h"
#include "engram/net/metadata.h"
#include "engram/server/node_context.h"

namespace engram::server {

// The client's request id, or a new one; InvalidArgument if it is no ULID.
absl::StatusOr<RequestId> RequestIdFrom(const net::Metadata& metadata, LoopState& loop);

// The identity that a forwarding node set. `is_write` requires it.
absl::StatusOr<memory::WriteIdentity> IdentityFrom(const net::Metadata& metadata, bool is_write);

// The same of a request that came over a stream.
absl::StatusOr<memory::WriteIdentity> IdentityFrom(std::string_view request_id, uint64_t line,
                                                   bool is_write);

// When an operation has to end: at the node's own limit, or a little before the client's deadline,
// a twentieth of its time and 50 ms at most. An error of ours says which node failed and how;
// whoever gives up by his own clock learns nothing.
TimePoint OperationDeadline(TimePoint client, Duration limit, TimePoint now);

}  // namespace engram::server
