// Makes calls with headers and bytes of any kind, and reads what a server answers, decoded.
//
// Blocking; one call at a time. For tests.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engram/net/testing/raw_peer.h"

struct nghttp2_hd_inflater;

namespace engram::net::testing {

// In the order in which they are sent.
using Headers = std::vector<std::pair<std::string, std::string>>;

// A message in gRPC's framing.
std::string Framed(std::string_view body, uint8_t flag = 0);

using HeaderMap = std::map<std::string, std::string>;

// Decodes the header blocks that one side of a connection sends, in their order.
class HeaderDecoder {
 public:
  HeaderDecoder();
  ~HeaderDecoder();
  HeaderDecoder(const HeaderDecoder&) = delete;
  HeaderDecoder& operator=(const HeaderDecoder&) = delete;

  HeaderMap Decode(const std::string& block);

 private:
  nghttp2_hd_inflater* inflater_ = nullptr;
};

struct Answer {
  HeaderMap headers;
  HeaderMap trailers;             // those of a "trailers-only" answer are headers
  std::string body;               // as on the wire, with the framing
  std::optional<uint32_t> reset;  // the code of RST_STREAM, if that is the end

  // The value of a trailer or, when there is none, of a header; "" for neither.
  std::string Find(const std::string& name) const;
};

class RawCaller {
 public:
  explicit RawCaller(uint16_t port);

  // `extra` follows the headers that every gRPC call has.
  Answer Call(std::string_view method, const Headers& extra, std::string_view body);
  // With these headers and no others.
  Answer CallWith(const Headers& headers, std::string_view body);

 private:
  void Send(const Headers& headers, std::string_view body);
  Answer Receive();

  RawPeer peer_;
  HeaderDecoder decoder_;
  uint32_t stream_ = 0;
};

}  // namespace engram::net::testing
