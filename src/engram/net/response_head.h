// Reads what a peer answers around its messages: HTTP status, metadata, and the status of the call,
// which comes in the trailers or, when there is no message, in the only header list
// ("trailers-only").
//
// A pure machine: Add() each header, EndList() after each list, then ask. Not thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "engram/net/metadata.h"

namespace engram::net::internal {

class ResponseHead {
 public:
  explicit ResponseHead(size_t header_bytes_max) : header_bytes_max_(header_bytes_max) {}

  void Add(std::string_view name, std::string_view value);
  void EndList();

  // After the first list: DATA that follows is gRPC's.
  bool is_grpc() const { return http_status_ == 200 && is_grpc_; }
  bool too_large() const { return header_bytes_ > header_bytes_max_; }
  // Set when the first list has ended and is not all that the peer answers.
  const Metadata* initial() const { return lists_ == 1 && !has_grpc_status_ ? &initial_ : nullptr; }
  bool has_grpc_status() const { return has_grpc_status_; }

  // After the last list.
  absl::Status Status() const;
  Metadata TakeInitial();
  Metadata TakeTrailing();

 private:
  bool AddReserved(std::string_view name, std::string_view value);

  const size_t header_bytes_max_;
  size_t header_bytes_ = 0;
  int http_status_ = 0;
  int grpc_status_ = 0;
  int lists_ = 0;  // without the interim ones (1xx)
  bool is_grpc_ = false;
  bool has_grpc_status_ = false;
  std::string message_;
  std::string details_;
  Metadata initial_;
  Metadata trailing_;
};

}  // namespace engram::net::internal
