# A database of its own: made, started, asked, and stopped, by a user that it accepts.
set -e
bin=$(dirname "$(readlink -f "$(command -v postgres)")")
export PATH=$bin:$PATH PGHOST=$PWD/socket PGUSER=owner PGDATABASE=postgres LC_ALL=C
mkdir -m 700 socket
initdb -D data -U owner -A trust --no-locale -E UTF8 >initdb.log
cat >>data/postgresql.conf <<C
listen_addresses = ''
unix_socket_directories = '$PWD/socket'
max_parallel_workers_per_gather = 2
min_parallel_table_scan_size = 0
parallel_setup_cost = 0
parallel_tuple_cost = 0
C
pg_ctl -D data -l log -w start >/dev/null
psql -qAtX <<'S'
CREATE TABLE t AS SELECT i, (i::bigint * 7919) % 10007 AS a, md5(i::text) AS b FROM generate_series(1, 100000) i;
CREATE INDEX ON t(a);
ANALYZE t;
SELECT count(*), sum(a), min(b), max(b) FROM t;
SELECT substr(b, 1, 1), count(*) FROM t GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM t x JOIN t y USING (a) WHERE x.i < 3000;
DO $$ DECLARE n bigint := 0; BEGIN FOR i IN 1..300000 LOOP n := (n * 31 + i) % 1000003; END LOOP; RAISE NOTICE 'n %', n; END $$;
SELECT pg_sleep(0.05);
SET statement_timeout = 100;
SELECT count(*) FROM generate_series(1, 1000000000);
S
pg_ctl -D data -m fast -w stop >/dev/null
pg_controldata data | grep 'cluster state'
echo "$(grep -c 'terminated by signal\|PANIC\|FATAL' log) complaints"
