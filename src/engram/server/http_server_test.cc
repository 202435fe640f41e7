#include "engram/server/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <string>
#include <vector>

#include "engram/base/error.h"

namespace engram::server {
namespace {

using boost::asio::ip::tcp;
using testing::HasSubstr;
using testing::StartsWith;

// A connection to 127.0.0.1 that sends and reads whatever it likes.
class Peer {
 public:
  explicit Peer(uint16_t port) : socket_(context_) {
    socket_.connect({boost::asio::ip::make_address("127.0.0.1"), port});
  }
  void Send(const std::string& bytes) {
    boost::system::error_code ignored;  // of a server that has heard enough
    boost::asio::write(socket_, boost::asio::buffer(bytes), ignored);
  }
  // All that comes until the server closes.
  std::string ReadToTheEnd() {
    std::string all;
    boost::system::error_code end;
    boost::asio::read(socket_, boost::asio::dynamic_buffer(all), end);
    return all;
  }
  std::string Ask(const std::string& request) {
    Send(request);
    return ReadToTheEnd();
  }

 private:
  boost::asio::io_context context_;
  tcp::socket socket_;
};

class HttpServerTest : public testing::Test {
 protected:
  explicit HttpServerTest(HttpServerOptions options = {.host = "127.0.0.1"})
      : server_(std::move(options)) {
    server_.AddPage("/metrics", [] { return HttpServer::Page{"text/plain", "engram 1\n"}; });
    EXPECT_TRUE(server_.Start().ok());
  }
  std::string Ask(const std::string& request) { return Peer(server_.port()).Ask(request); }

  HttpServer server_;
};

TEST_F(HttpServerTest, AnswersGet) {
  const std::string answer = Ask("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain\r\n"));
  EXPECT_THAT(answer, testing::EndsWith("\r\n\r\nengram 1\n"));
}

TEST_F(HttpServerTest, AnswersHeadWithoutTheBody) {
  const std::string answer = Ask("HEAD /metrics HTTP/1.0\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("Content-Length: 9\r\n"));
  EXPECT_THAT(answer, testing::EndsWith("\r\n\r\n"));
}

TEST_F(HttpServerTest, ServesOneRequestAfterTheOtherOnAConnection) {
  const std::string answer =
      Ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
          "GET /metrics?again HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const size_t first = answer.find("engram 1\n");
  ASSERT_NE(first, std::string::npos);
  EXPECT_NE(answer.find("engram 1\n", first + 1), std::string::npos) << answer;
}

TEST_F(HttpServerTest, KnowsNoOtherPathAndNoOtherMethod) {
  for (const char* path : {"/", "/metrics/", "/../../etc/passwd", "/metric", "http://x/"}) {
    EXPECT_THAT(Ask("GET " + std::string(path) + " HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.1 404"))
        << path;
  }
  EXPECT_THAT(Ask("GET / HTTP/1.0\r\n\r\n"), HasSubstr("there is: /metrics"));
  const std::string answer = Ask("DELETE /metrics HTTP/1.0\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(answer, HasSubstr("Allow: GET, HEAD\r\n"));
}

TEST_F(HttpServerTest, SurvivesGarbage) {
  const std::vector<std::string> garbage = {
      std::string(100'000, 'x'),
      std::string(1'000, '\0') + "\r\n\r\n",
      "GET\r\n\r\n",
      "GET /metrics HTTP/9.9\r\n\r\n",
      "GET /metrics HTTP/1.1\r\n" + std::string(50'000, 'h') + ": v\r\n\r\n",
      "GET /metrics HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
      "GET /metrics HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
      "POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "\x16\x03\x01\x02\x01\xfc\x03\x03",
      "\r\n\r\n\r\n"};
  for (const std::string& bytes : garbage) {
    Peer peer(server_.port());
    peer.Send(bytes);
  }
  EXPECT_THAT(Ask("GET /metrics HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, RefusesHeadersWithoutEnd) {
  Peer peer(server_.port());
  EXPECT_THAT(peer.Ask("GET /metrics HTTP/1.1\r\nx: " + std::string(12'000, 'y')),
              StartsWith("HTTP/1.1 431"));
}

TEST_F(HttpServerTest, IsNotHeldUpByThoseWhoSayNothing) {
  std::vector<std::unique_ptr<Peer>> silent;
  for (int i = 0; i < 20; ++i) silent.push_back(std::make_unique<Peer>(server_.port()));
  EXPECT_THAT(Ask("GET /metrics HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, StopsWhateverItsConnectionsAreAt) {
  Peer silent(server_.port());
  Peer half(server_.port());
  half.Send("GET /metrics HT");
  Ask("GET /metrics HTTP/1.0\r\n\r\n");  // by now the others are accepted
  server_.Stop();
  EXPECT_THROW(Peer(server_.port()), boost::system::system_error);
}

class FewConnections : public HttpServerTest {
 protected:
  FewConnections()
      : HttpServerTest({.host = "127.0.0.1",
                        .connections_max = 1,
                        .request_limit = std::chrono::milliseconds(50)}) {}
};

TEST_F(FewConnections, TurnsAwayTheNextOne) {
  Peer first(server_.port());
  first.Send("GET /metrics HTTP/1.1\r\n");
  EXPECT_EQ(Peer(server_.port()).ReadToTheEnd(), "");
}

TEST_F(FewConnections, AreEndedWhenTheirTimeIsOver) {
  Peer slow(server_.port());
  slow.Send("GET /metrics HTTP/1.1\r\n");
  EXPECT_EQ(slow.ReadToTheEnd(), "");
  // Its place is free again; the server may see to that a moment after we have seen the end.
  std::string answer;
  while (answer.empty()) answer = Ask("GET /metrics HTTP/1.0\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, SaysThatTheAddressIsInUse) {
  HttpServer other({.host = "127.0.0.1", .port = server_.port()});
  const absl::Status status = other.Start();
  EXPECT_EQ(CodeOf(status), ErrorCode::kInvalidEndpoint);
  EXPECT_THAT(std::string(status.message()), HasSubstr("is in use by another process"));
}

}  // namespace
}  // namespace engram::server
