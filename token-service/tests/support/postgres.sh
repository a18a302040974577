#!/bin/sh
# A PostgreSQL of one's own, on a socket in a new directory, until standard
# input ends. Says "ready DIRECTORY" when it can be used.
# usage: postgres.sh DIRECTORY-OF-THE-PROGRAMS
set -eu
programs=$1
cd /
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
"$programs/initdb" --pgdata "$directory/data" --username tester --auth trust \
    --encoding UTF8 --no-sync >"$directory/log" 2>&1 || { cat "$directory/log" >&2; exit 1; }
"$programs/postgres" -D "$directory/data" -c listen_addresses= -c fsync=off \
    -c unix_socket_directories="$directory" -c max_connections=200 >>"$directory/log" 2>&1 &
server=$!
trap 'kill -QUIT "$server" 2>/dev/null || true; wait "$server" || true; rm -rf "$directory"' EXIT
tries=0
until "$programs/pg_isready" --quiet --host "$directory" --username tester; do
    kill -0 "$server" || { cat "$directory/log" >&2; exit 1; }
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || { echo "PostgreSQL is not ready after 30 s" >&2; exit 1; }
    sleep 0.1
done
echo "ready $directory"
read -r _ || true
