#include "engram/net/testing/raw_caller.h"

#include <nghttp2/nghttp2.h>

#include <cstdlib>

namespace engram::net::testing {
namespace {

constexpr size_t kFrameBytesMax = 16384;
constexpr uint8_t kAck = 1;

std::string Text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

uint32_t CodeOfReset(const Frame& frame) {
  uint32_t code = 0;
  for (char c : frame.payload) code = code << 8 | static_cast<uint8_t>(c);
  return code;
}

}  // namespace

std::string Framed(std::string_view body, uint8_t flag) {
  std::string out(1, static_cast<char>(flag));
  for (int shift : {24, 16, 8, 0}) out += static_cast<char>(body.size() >> shift);
  return out.append(body);
}

std::string Answer::Find(const std::string& name) const {
  for (const auto* list : {&trailers, &headers}) {
    if (const auto it = list->find(name); it != list->end()) return it->second;
  }
  return "";
}

RawCaller::RawCaller(uint16_t port) : peer_(port) {
  peer_.Begin();
  // The server's larger windows count once its settings are acknowledged.
  peer_.ReceiveType(kSettings);
  peer_.Send(Frame{kSettings, kAck, 0, ""});
}

Answer RawCaller::Call(std::string_view method, const Headers& extra, std::string_view body) {
  Headers headers = {{":method", "POST"},
                     {":scheme", "http"},
                     {":path", std::string(method)},
                     {":authority", "test"},
                     {"content-type", "application/grpc"},
                     {"te", "trailers"}};
  headers.insert(headers.end(), extra.begin(), extra.end());
  return CallWith(headers, body);
}

Answer RawCaller::CallWith(const Headers& headers, std::string_view body) {
  stream_ = stream_ == 0 ? 1 : stream_ + 2;
  Send(headers, body);
  return Receive();
}

void RawCaller::Send(const Headers& headers, std::string_view body) {
  std::string block;
  for (const auto& [name, value] : headers) block += EncodeHeader(name, value);
  peer_.Send(Frame{kHeaders, kEndHeaders, stream_, block});
  do {
    const std::string_view part = body.substr(0, kFrameBytesMax);
    body.remove_prefix(part.size());
    const uint8_t flags = body.empty() ? kEndStream : 0;
    peer_.Send(Frame{kData, flags, stream_, std::string(part)});
  } while (!body.empty());
}

Answer RawCaller::Receive() {
  Answer answer;
  bool begun = false;
  while (const std::optional<Frame> frame = peer_.Receive()) {
    if (frame->stream != stream_) continue;
    if (frame->type == kRstStream) {
      answer.reset = CodeOfReset(*frame);
      break;
    }
    if (frame->type == kData) answer.body += frame->payload;
    if (frame->type == kHeaders) {
      (begun ? answer.trailers : answer.headers) = decoder_.Decode(frame->payload);
      begun = true;
    }
    if ((frame->type == kData || frame->type == kHeaders) && (frame->flags & kEndStream) != 0)
      break;
  }
  return answer;
}

HeaderDecoder::HeaderDecoder() {
  if (nghttp2_hd_inflate_new(&inflater_) != 0) std::abort();
}

HeaderDecoder::~HeaderDecoder() { nghttp2_hd_inflate_del(inflater_); }

HeaderMap HeaderDecoder::Decode(const std::string& block) {
  HeaderMap headers;
  const auto* at = reinterpret_cast<const uint8_t*>(block.data());
  const auto* const end = at + block.size();
  for (int flags = 0; (flags & NGHTTP2_HD_INFLATE_FINAL) == 0;) {
    nghttp2_nv nv{};
    const ssize_t used = nghttp2_hd_inflate_hd2(inflater_, &nv, &flags, at,
                                                static_cast<size_t>(end - at), /*in_final=*/1);
    if (used < 0) std::abort();
    at += used;
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
      headers[Text(nv.name, nv.namelen)] = Text(nv.value, nv.valuelen);
    }
  }
  nghttp2_hd_inflate_end_headers(inflater_);
  return headers;
}

}  // namespace engram::net::testing
