// What the options of a mount come to: plain values that the daemon acts on.
//
// Floor 3. Filled by Configuration::ToOptions() from the rows of option_table.h, and nothing else.
#ifndef SHUNTFS_CONFIG_OPTIONS_H_
#define SHUNTFS_CONFIG_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>

namespace shuntfs {

// The table's defaults where nothing was said. Members without a value are decided at mount time,
// since they depend on who mounts and what.
struct Options {
  std::string config_file;  // Empty: none.
  std::string source;       // Empty: only operands name it.
  std::string mountpoint;
  bool read_only = false;
  std::optional<bool> nosuid;  // not given: as the policy needs it
  bool nodev = false;
  bool noexec = false;
  bool noatime = false;
  std::optional<bool> allow_other;
  bool allow_root = false;
  bool allow_pseudo_filesystems = false;
  std::optional<bool> default_permissions;
  std::optional<std::string> fsname;
  double entry_timeout_s = 1;
  double attr_timeout_s = 1;
  double negative_timeout_s = 0;
  bool writeback = false;
  bool backing_direct = false;
  std::string data_path = "auto";
  uint64_t memory_budget_bytes = uint64_t{64} << 20;
  uint32_t max_write_bytes = uint32_t{1} << 20;
  uint32_t readahead_bytes = 0;  // 0: as max_write.
  uint16_t max_background = 64;
  uint16_t congestion_threshold = 0;  // 0: three quarters of max_background.
  uint16_t request_timeout_s = 0;     // 0: none.
  uint32_t workers = 0;               // 0: one per CPU.
  bool pin_workers = true;
  uint32_t device_threads = 0;  // 0: grown on demand.
  std::string read_policy = "auto";
  std::string write_policy = "auto";
  std::string metrics;  // As ParseMetricsAddress reads it; empty: none are served.
  double stop_timeout_s = 5;
  int log_level = 2;
  std::string log_target = "auto";  // Or journal, syslog, stderr, or a file's absolute path.
  // The policy as it was written; the daemon reads it (daemon/policy_setup.h). Empty: not given.
  std::string map_users;
  std::string map_groups;
  std::string force_user;
  std::string force_group;
  std::string create_user;
  std::string create_group;
  std::string squash = "none";
  std::string squash_user;
  std::string squash_group;
  std::string file_mode;
  std::string dir_mode;
  std::string create_file_mode;
  std::string create_dir_mode;
  std::string hide;
  std::string xattrs = "all";
};

}  // namespace shuntfs

#endif  // SHUNTFS_CONFIG_OPTIONS_H_
