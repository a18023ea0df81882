// The clients of a listening socket that ask once and are answered once, by a thread that they can
// never block.
//
// Floor 4. Control thread only. Peers are not trusted: what they send is bounded by the protocol, a
// client that neither asks nor reads for two seconds is dropped, and beyond eight clients the next
// waits in the kernel's backlog. When no descriptor is free, a reserve lets one client in at a
// time; the others wait in the backlog until that one leaves, and the thread sleeps meanwhile.
#ifndef SHUNTFS_DAEMON_CLIENT_SET_H_
#define SHUNTFS_DAEMON_CLIENT_SET_H_

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "core/base/unique_fd.h"

namespace shuntfs {

inline constexpr size_t kMaxClients = 8;

// What a client gets piece by piece, for as long as it stays. Ends with its client.
class ClientStream {
 public:
  virtual ~ClientStream() = default;
  // What is to be said now; it may be nothing.
  virtual std::string Take() = 0;
};

class ClientSet {
 public:
  using Clock = std::chrono::steady_clock;

  struct Answer {
    std::string text;
    // Not closed after the answer: its end tells the client that the daemon has ended.
    bool stays = false;
    // After the answer, this; the client stays.
    std::unique_ptr<ClientStream> stream;
  };
  // The answer to all that a client has sent so far; nothing: more has to come. It has to answer
  // before what was received grows without end.
  using Protocol = std::function<std::optional<Answer>(const std::string& received)>;

  // `listener` listens and does not block. `admits`: whether the peer of a connection is listened
  // to.
  static absl::StatusOr<std::unique_ptr<ClientSet>> Create(UniqueFd listener,
                                                           std::function<bool(int fd)> admits);

  // Readable when Serve() has something to do.
  int poll_fd() const { return epoll_.get(); }
  // When Serve() has to be called even without that: to drop a slow client, to go on with a stream
  // (whose reader may rest for half a minute), to accept again after a lack of descriptors.
  std::optional<Clock::time_point> deadline() const;

  void Serve(const Protocol& protocol);

 private:
  struct Client {
    UniqueFd fd;
    std::string received;
    std::string answer;  // What is still to be sent.
    bool answered = false;
    bool stays = false;
    std::unique_ptr<ClientStream> stream;
    Clock::time_point deadline;
  };

  ClientSet(UniqueFd listener, UniqueFd epoll, std::function<bool(int fd)> admits)
      : listener_(std::move(listener)), epoll_(std::move(epoll)), admits_(std::move(admits)) {}

  void Accept();
  // A connection's descriptor, or -1 and errno. Gives up the reserve when no descriptor is free.
  int AcceptOne();
  void RefillReserve();
  void WatchListener(bool watch);
  // Whether the client stays.
  bool Receive(Client* client, const Protocol& protocol);
  bool Send(Client* client);
  bool GoOn(Client* client, Clock::time_point now);

  UniqueFd listener_;
  UniqueFd epoll_;
  std::function<bool(int fd)> admits_;
  UniqueFd reserve_;  // Holds a descriptor for a client that comes when no other is free.
  bool listener_watched_ = false;
  // Set while there is no descriptor for the next client: the listener, which stays readable, is
  // not watched until then or until a client leaves.
  std::optional<Clock::time_point> listener_rests_until_;
  std::list<Client> clients_;  // A list: epoll holds pointers to its elements.
};

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_CLIENT_SET_H_
