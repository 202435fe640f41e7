// A client that speaks HTTP/2 byte by byte, or breaks it: for what no well-behaved library sends.
//
// Blocking, with a time-out on every receive. For tests.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace engram::net::testing {

inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

enum FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kRstStream = 3,
  kSettings = 4,
  kPing = 6,
  kGoaway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};
inline constexpr uint8_t kEndStream = 1;
inline constexpr uint8_t kEndHeaders = 4;

struct Frame {
  uint8_t type;
  uint8_t flags;
  uint32_t stream;
  std::string payload;
};

std::string Encode(const Frame& frame);
// A literal header field without indexing, not Huffman-coded.
std::string EncodeHeader(std::string_view name, std::string_view value);
// The headers of a call to `method`, with END_HEADERS.
Frame RequestHeaders(uint32_t stream, std::string_view method,
                     std::string_view content_type = "application/grpc");

class RawPeer {
 public:
  // Connects to 127.0.0.1.
  explicit RawPeer(uint16_t port);
  ~RawPeer();
  RawPeer(RawPeer&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)), received_(std::move(other.received_)) {}
  RawPeer& operator=(RawPeer&&) = delete;

  // False: the other side has closed the connection.
  bool Send(std::string_view bytes);
  bool Send(const Frame& frame) { return Send(Encode(frame)); }
  // Does not block. How many bytes were taken: 0 while so much is under way that the other side has
  // to read first, or when it has closed the connection.
  size_t SendSome(std::string_view bytes);
  bool Writable() const;
  // A client's preface and empty SETTINGS.
  void Begin();
  // The next frame; nullopt at the end of the connection.
  std::optional<Frame> Receive();
  // Skips to the next frame of that type; nullopt at the end of the connection.
  std::optional<Frame> ReceiveType(uint8_t type);
  // True when the other side closes, whatever it sends before.
  bool SeesEnd();

 private:
  friend class RawListener;
  struct Accepted {
    int socket;
  };
  explicit RawPeer(Accepted accepted);

  bool Fill(size_t bytes);

  int socket_;
  std::string received_;
};

// Waits for the channel under test; what it accepts plays the server.
class RawListener {
 public:
  RawListener();
  ~RawListener();
  RawListener(const RawListener&) = delete;
  RawListener& operator=(const RawListener&) = delete;

  uint16_t port() const;
  // Answers the client's preface with empty SETTINGS.
  RawPeer Accept();

 private:
  int socket_;
};

}  // namespace engram::net::testing
