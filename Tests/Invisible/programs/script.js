// Workers, the thread pool, a child process, a timer and a garbage collector.
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const { execFileSync, spawnSync } = require('child_process');
const crypto = require('crypto');
const zlib = require('zlib');
function count(n) { let s = 0; const kept = []; for (let i = 0; i < n; i++) { s = (s * 31 + i) % 1000003; if (i % 100 === 0) kept.push({ i, s: String(s) }); } return s + kept.length; }
if (!isMainThread) {
  parentPort.postMessage(count(workerData));
} else {
  const worker = n => new Promise((ok, bad) => new Worker(__filename, { workerData: n }).on('message', ok).on('error', bad));
  const key = i => new Promise((ok, bad) => crypto.pbkdf2('p' + i, 's', 20000, 32, 'sha256', (e, k) => e ? bad(e) : ok(k.toString('hex'))));
  (async () => {
    console.log(await Promise.all([worker(1000000), worker(2000000), worker(500000)]));
    console.log(await Promise.all([1, 2, 3, 4].map(key)));
    console.log(execFileSync('/bin/sh', ['-c', 'echo child; exit 0']).toString().trim(), spawnSync('/bin/sh', ['-c', 'kill -9 $$']).signal);
    console.log(crypto.createHash('sha256').update(zlib.gzipSync(Buffer.alloc(3000000, 'abc def'))).digest('hex'));
    let ticks = 0;
    const timer = setInterval(() => { if (++ticks === 5) { clearInterval(timer); console.log('ticks', ticks); process.kill(process.pid, 'SIGUSR2'); } }, 10);
    process.on('SIGUSR2', () => { console.log('signal'); process.exit(7); });
    setTimeout(() => {}, 10000);
  })();
}
