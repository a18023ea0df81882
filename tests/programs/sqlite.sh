#!/bin/bash
# sqlite with several writers at once, in rollback and in WAL mode (shared memory and byte-range
# locks through the mount). A writer is killed in the middle and its transaction must be undone. No
# row is lost or counted twice, and integrity_check agrees before and after unmounting.
#
#   sqlite.sh plain|device|per-entry
source "$(dirname "$0")/../lib/mount.sh"
test_begin 240 "$@"
need sqlite3

readonly WRITERS=4
readonly TRANSACTIONS=100
readonly ROWS=5

src="$WORK/src"
mnt="$WORK/mnt"
make_backing "$src" ext4
mount_shuntfs "$MODE" "$src" "$mnt"

query() { timeout 60 sqlite3 -bail -cmd ".timeout 50000" "$1" "$2"; }

# transactions WRITER: the statements of one writer. Each transaction also moves an amount between
# two accounts, so that a torn one changes the total.
transactions() {
  local i row
  for ((i = 0; i < TRANSACTIONS; ++i)); do
    echo "BEGIN IMMEDIATE;"
    for ((row = 0; row < ROWS; ++row)); do
      echo "INSERT INTO entries VALUES ($1, $((i * ROWS + row)), randomblob($((i * 37 % 3000))));"
    done
    echo "UPDATE accounts SET amount = amount - $i WHERE id = $1;"
    echo "UPDATE accounts SET amount = amount + $i WHERE id = 0;"
    echo "COMMIT;"
  done
}

for journal in delete truncate persist wal; do
  note "journal_mode=$journal"
  db="$mnt/$journal.db"
  equal "$(query "$db" "PRAGMA journal_mode=$journal;")" "$journal" "journal mode"
  must query "$db" "CREATE TABLE entries
      (writer INT, number INT, content BLOB, UNIQUE (writer, number));
    CREATE TABLE accounts (id INTEGER PRIMARY KEY, amount INT);
    INSERT INTO accounts VALUES (0, 0), (1, 1000000), (2, 1000000), (3, 1000000), (4, 1000000);"

  writers=()
  for ((writer = 1; writer <= WRITERS; ++writer)); do
    transactions "$writer" >"$WORK/writer$writer.sql"
    # Durability against power loss is not at stake here, and a sync per transaction would be all
    # that is seen.
    background timeout 100 sqlite3 -bail -cmd ".timeout 90000" -cmd "PRAGMA synchronous=OFF" "$db" \
      <"$WORK/writer$writer.sql"
    writers+=($!)
  done
  # A reader meanwhile: in every snapshot the amounts add up.
  for turn in {1..10}; do
    equal "$(query "$db" "SELECT SUM(amount) FROM accounts;")" 4000000 "the total in turn $turn"
  done
  for pid in "${writers[@]}"; do wait "$pid" || fail "a writer of $journal failed"; done

  expected=$((WRITERS * TRANSACTIONS * ROWS))
  equal "$(query "$db" "SELECT COUNT(*), COUNT(DISTINCT writer * 10000 + number) FROM entries;")" \
    "$expected|$expected" "rows"
  equal "$(query "$db" "SELECT SUM(amount) FROM accounts;")" 4000000 "the total"
  equal "$(query "$db" "PRAGMA integrity_check;")" ok "integrity_check"

  # Killed inside a transaction that has spilled to the file: the next to open it rolls it back.
  mkfifo "$WORK/statements"
  exec 8<>"$WORK/statements"
  background sqlite3 -bail -cmd "PRAGMA cache_size=5" "$db" <"$WORK/statements" >"$WORK/victim.out"
  victim=$!
  echo "BEGIN IMMEDIATE; DELETE FROM entries; UPDATE accounts SET amount = 0; SELECT 'deleted';" >&8
  wait_until 60 grep -q deleted "$WORK/victim.out" ||
    fail "the victim does not get to its transaction"
  must kill -KILL "$victim"
  wait "$victim" 2>/dev/null
  exec 8>&-
  rm "$WORK/statements"
  equal "$(query "$db" "SELECT COUNT(*) FROM entries;")" "$expected" "rows after the kill"
  equal "$(query "$db" "SELECT SUM(amount) FROM accounts;")" 4000000 "the total after the kill"
  equal "$(query "$db" "PRAGMA integrity_check;")" ok "integrity_check after the kill"
  must query "$db" "VACUUM;" >/dev/null
done

assert_mode_served "$MODE" "$mnt" 5000
umount_shuntfs "$MODE" "$mnt"
for journal in delete truncate persist wal; do
  equal "$(query "$src/$journal.db" "PRAGMA integrity_check;")" ok "integrity_check underneath"
  equal "$(query "$src/$journal.db" "SELECT COUNT(*) FROM entries;")" "$expected" "rows underneath"
done
