"""The system libraries the project uses: Bazel target -> pkg-config modules."""

# A module may carry a version requirement, as pkg-config spells it.
REQUIRED_DEPS = {
    "absl": [
        "absl_base",
        "absl_cleanup",
        "absl_flat_hash_map",
        "absl_flat_hash_set",
        "absl_inlined_vector",
        "absl_span",
        "absl_status",
        "absl_statusor",
        "absl_str_format",
        "absl_strings",
        "absl_time",
    ],
    "fuse3": ["fuse3 >= 3.14"],
    "gflags": ["gflags >= 2.2"],
    "glog": ["libglog >= 0.6"],
    "gmock": ["gmock >= 1.12"],
    "gtest": ["gtest >= 1.12"],
    "gtest_main": ["gtest_main >= 1.12"],
    "jemalloc": ["jemalloc >= 5.3"],
    "liburing": ["liburing >= 2.3"],
    "prometheus_cpp": ["prometheus-cpp-core >= 1.0"],
    "tomlplusplus": ["tomlplusplus >= 3.3"],
}

# Missing ones become empty libraries; found ones define SHUNTFS_HAVE_<NAME>=1.
OPTIONAL_DEPS = {
    "benchmark": ["benchmark >= 1.7"],
    "libsystemd": ["libsystemd >= 246"],
}
