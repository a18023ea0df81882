// Where log lines go: stderr in the foreground, syslog(3) (and so the journal) of a daemon.
//
// Floor 4. Main thread, before others exist. Lines may then come from any thread.
#ifndef SHUNTFS_DAEMON_LOG_SETUP_H_
#define SHUNTFS_DAEMON_LOG_SETUP_H_

namespace shuntfs {

// `level`: 0 errors, 1 warnings, 2 notices, 3 and more VLOG(level - 2).
void SetUpLog(int level);

// Changes the level of a process that has threads: each sees it with one of its next lines.
void SetLogLevel(int level);

// From now on also to syslog. Called when stderr is about to be given up.
void SendLogToSyslog();

}  // namespace shuntfs

#endif  // SHUNTFS_DAEMON_LOG_SETUP_H_
