#include "engram/net/response_head.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "engram/base/error.h"
#include "engram/net/grpc_status.h"
#include "engram/net/metadata_wire.h"
#include "engram/net/request_head.h"

namespace engram::net::internal {
namespace {

// -1: not a number.
int ToInt(std::string_view text) {
  int value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : -1;
}

}  // namespace

void ResponseHead::Add(std::string_view name, std::string_view value) {
  header_bytes_ += name.size() + value.size();
  if (too_large() || AddReserved(name, value)) return;
  // A value that is not base64 is left out: the call itself may well be fine.
  if (!AddReceived(name, value, lists_ == 0 ? initial_ : trailing_)) return;
}

bool ResponseHead::AddReserved(std::string_view name, std::string_view value) {
  if (!IsReservedHeader(name)) return false;
  if (name == ":status") {
    http_status_ = ToInt(value);
  } else if (name == "content-type") {
    is_grpc_ = IsGrpcContentType(value);
  } else if (name == "grpc-status") {
    has_grpc_status_ = true;
    grpc_status_ = ToInt(value);
  } else if (name == "grpc-message") {
    message_ = PercentDecode(value);
  } else if (name == "grpc-status-details-bin") {
    if (!DecodeBinary(value, details_)) details_.clear();
  }
  return true;
}

void ResponseHead::EndList() {
  const bool interim = http_status_ >= 100 && http_status_ < 200;
  if (!interim) ++lists_;
}

absl::Status ResponseHead::Status() const {
  if (too_large()) {
    return MakeError(ErrorCode::kOverloaded,
                     fmt::format("the reply's headers have more than {} bytes", header_bytes_max_));
  }
  if (has_grpc_status_) return DecodeStatus(grpc_status_, message_, details_);
  if (http_status_ != 200) return StatusOfHttp(http_status_);
  return absl::UnknownError("the peer ended the call without a status");
}

Metadata ResponseHead::TakeInitial() { return lists_ > 1 ? std::move(initial_) : Metadata(); }

Metadata ResponseHead::TakeTrailing() { return std::move(lists_ > 1 ? trailing_ : initial_); }

}  // namespace engram::net::internal
