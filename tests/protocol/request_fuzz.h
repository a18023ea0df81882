// The wire decoder's fuzz target: libFuzzer's entry point, which request_random_test calls too.
//
// Aborts when a decoded request breaks one of the decoder's promises.
#ifndef SHUNTFS_TESTS_PROTOCOL_REQUEST_FUZZ_H_
#define SHUNTFS_TESTS_PROTOCOL_REQUEST_FUZZ_H_

#include <cstddef>
#include <cstdint>

// The first byte chooses the route (bit 0: ring) and the wire format (bit 1: SETXATTR_EXT); the
// rest is the message, or the 288 bytes of a ring header and then the payload area.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

#endif  // SHUNTFS_TESTS_PROTOCOL_REQUEST_FUZZ_H_
