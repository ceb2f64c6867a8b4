# A server on a socket of its own: lists, scripts, a background save by a forked child, and an orderly end.
redis-server --port 0 --unixsocket "$PWD/s" --save '' --appendonly no --logfile log --dir . --daemonize no >/dev/null 2>&1 &
server=$!
cli() { redis-cli -s "$PWD/s" "$@"; }
for _ in $(seq 200); do [ "$(cli ping 2>/dev/null)" = PONG ] && break; sleep 0.05; done
cli eval 'for i = 1, 100000 do redis.call("zadd", "z", (i * 7919) % 10007, "m" .. i) end return redis.call("zcard", "z")' 0
cli eval 'local n = 0 for i = 1, 2000000 do n = (n * 31 + i) % 1000003 end return n' 0
for i in 1 2 3; do cli rpush l "v$i"; done
cli lrange l 0 -1
cli zrange z 0 4
cli sort l alpha desc
cli bgsave >/dev/null
for _ in $(seq 200); do cli info persistence | grep -q 'rdb_bgsave_in_progress:0' && break; sleep 0.05; done
cli info persistence | grep rdb_last_bgsave_status | tr -d '\r'
cli bgrewriteaof >/dev/null
cli debug digest >/dev/null 2>&1
cli shutdown nosave
wait $server
echo "server $?, $(grep -c -i 'crash\|signal handler\|bug' log) complaints"
