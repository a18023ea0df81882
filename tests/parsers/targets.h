// The parsers of text that others wrote, each as a function that aborts when a promise is broken.
//
// libFuzzer calls them through fuzz_entry.cc, parsers_random_test on seeds and around them.
#ifndef SHUNTFS_TESTS_PARSERS_TARGETS_H_
#define SHUNTFS_TESTS_PARSERS_TARGETS_H_

#include <span>
#include <string_view>

namespace shuntfs::parsers {

struct Target {
  std::string_view name;  // Also of the folder of its seeds.
  void (*run)(std::string_view input);
};

std::span<const Target> Targets();

// Runs the target on a copy of exactly this size: the byte behind it is out of bounds for the
// sanitizers.
void RunTarget(const Target& target, std::string_view input);

// What a client sends to the control socket, and the names of such sockets.
void CheckControl(std::string_view input);
// What a client sends to the metrics server.
void CheckHttp(std::string_view input);
// A status document.
void CheckJson(std::string_view input);
// The text of a configuration file.
void CheckConfigFile(std::string_view input);
// Lists of -o, as users and as mount(8) write them.
void CheckMountWords(std::string_view input);
// /proc/self/mountinfo, for both of its readers.
void CheckMountInfo(std::string_view input);
// A list of -o with the options of a policy, id maps among them.
void CheckIdMaps(std::string_view input);
// An ACL under a policy. The first byte chooses the policy, the second the file, the third the
// attribute; what follows is the attribute's value.
void CheckAcl(std::string_view input);

// Aborts with the sentence when the promise is broken.
void Require(bool promise, const char* what);

}  // namespace shuntfs::parsers

#endif  // SHUNTFS_TESTS_PARSERS_TARGETS_H_
