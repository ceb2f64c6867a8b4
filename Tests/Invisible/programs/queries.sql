CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER, b TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
  INSERT INTO t SELECT i, (i * 7919) % 10007, printf('text %d', (i * 31) % 997) FROM n;
CREATE INDEX ta ON t(a);
CREATE INDEX tb ON t(b, a);
SELECT count(*), sum(a), min(b), max(b) FROM t;
SELECT b, count(*), avg(a) FROM t GROUP BY b ORDER BY count(*) DESC, b LIMIT 5;
SELECT count(*) FROM t x JOIN t y ON x.a = y.a WHERE x.id < 3000;
BEGIN;
UPDATE t SET b = b || 'x' WHERE a % 3 = 0;
DELETE FROM t WHERE a % 5 = 0;
COMMIT;
VACUUM;
PRAGMA integrity_check;
SELECT count(*), sum(length(b)) FROM t;
